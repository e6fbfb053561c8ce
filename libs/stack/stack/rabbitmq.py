"""A RabbitMQ node of our own from the system's package: private name, ports, cookie and files; nothing else touched."""

import os
import secrets
import signal
import socket
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from stack import leash, ports, programs
from stack.errors import DidNotStart
from stack.private import write_private

USER = "earshot"
START_SECONDS = 90.0
NODE_MARK = "node.pid"
MAPPER_MARK = "epmd.pid"
HELLO = b"AMQP\x00\x00\x09\x01"

CONFIG = """\
# Written at every start; edits are lost.
listeners.tcp.1 = 127.0.0.1:{port}
default_user = {user}
default_pass = {password}
loopback_users.guest = true
heartbeat = 10
log.console = false
log.file = rabbitmq.log
log.file.level = warning
log.file.rotation.size = 10485760
log.file.rotation.count = 2
vm_memory_high_watermark.absolute = 1GiB
disk_free_limit.absolute = 200MB
"""
# Idle schedulers sleep at once; a few threads are plenty for one machine's traffic.
ERLANG_OPTIONS = (
    "+S {schedulers}:{schedulers} +SDcpu 1:1 +SDio 4 +A 4 +sbwt none +sbwtdcpu none +sbwtdio none "
    "-kernel inet_dist_use_interface {{127,0,0,1}}"
)


@dataclass(frozen=True)
class RabbitPorts:
    """Where the node listens for clients, for other nodes (and rabbitmqctl), and its private port mapper."""

    amqp: int
    dist: int
    epmd: int

    @classmethod
    def choose(cls) -> "RabbitPorts":
        return cls(*ports.private(3))


@dataclass
class RabbitMQ:
    """One node with all its files in `folder`; the pid files of the node and its port mapper lie there too."""

    folder: Path
    ports: RabbitPorts
    password: str
    _node: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)
    _mapper: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    @property
    def url(self) -> str:
        return f"amqp://{USER}:{self.password}@{ports.LOOPBACK}:{self.ports.amqp}/"

    @property
    def name(self) -> str:
        """The node's name, chosen once: its data are filed under it. `localhost` stays when the host is renamed."""
        path = self.folder / "node-name"
        if not path.exists():
            path.write_text(f"earshot-{secrets.token_hex(3)}@localhost")
        return path.read_text().strip()

    @property
    def log(self) -> Path:
        return self.folder / "log" / "rabbitmq.log"

    @property
    def pid(self) -> int | None:
        found = node(self.folder)
        return found.pid if found else None

    def start(self) -> None:
        """Starts the node and its port mapper, without waiting for them."""
        server, mapper = programs.rabbitmq_server(), programs.epmd()
        self._prepare_folder()
        stop_leftover(self.folder)
        self._mapper = self._spawn(
            [str(mapper), "-port", str(self.ports.epmd), "-address", ports.LOOPBACK], signal.SIGKILL, MAPPER_MARK
        )
        # The port mapper must listen first: a node that finds none starts a second one, which would outlive it.
        leash.wait_until(lambda: ports.answers(self.ports.epmd), 10.0)
        self._node = self._spawn([str(server)], signal.SIGTERM, NODE_MARK)

    def wait_ready(self) -> None:
        """Returns when the node greets AMQP clients; DidNotStart otherwise."""
        if not leash.wait_until(self.has_started, START_SECONDS, pause_seconds=0.1):
            self.stop()
            raise DidNotStart(
                f"RabbitMQ did not start within {START_SECONDS:g} s.", remedy=f"Its logs: {self.log.parent}"
            )

    def has_started(self) -> bool:
        """To be asked again and again after `start`; DidNotStart when the node gave up."""
        if self._node is not None and self._node.poll() is not None:
            words = self._last_words()
            self.stop()
            raise DidNotStart(f"RabbitMQ did not start: {words}", remedy=f"Its logs: {self.log.parent}")
        return self.ready

    @property
    def ready(self) -> bool:
        return greets(self.ports.amqp)

    def stop(self) -> bool:
        """Stops node and port mapper. True if the node had to be killed."""
        killed = stop_leftover(self.folder)
        self._reap()
        return killed

    def kill(self) -> None:
        """kill -9 of the node, as a crash would be."""
        for name in (NODE_MARK, MAPPER_MARK):
            found = leash.marked(self.folder / name)
            if found is not None:
                leash.stop(found, [(signal.SIGKILL, 5.0)])
        self._reap()

    def _reap(self) -> None:
        for process in (self._node, self._mapper):
            if process is not None:
                process.wait()
        self._node = self._mapper = None

    def _prepare_folder(self) -> None:
        for path in (self.folder, self.folder / "home", self.folder / "log"):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        config = CONFIG.format(port=self.ports.amqp, user=USER, password=self.password)
        write_private(self.folder / "rabbitmq.conf", config)
        (self.folder / "enabled_plugins").write_text("[].\n")

    def _spawn(self, words: list[str], death_signal: signal.Signals, mark: str) -> "subprocess.Popen[bytes]":
        with (self.folder / "log" / "start.log").open("wb" if mark == MAPPER_MARK else "ab") as log:
            process = subprocess.Popen(
                [*leash.tied(death_signal), *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env=self.environment(),
                start_new_session=True,
            )
        leash.mark(process, self.folder / mark)
        return process

    def environment(self) -> dict[str, str]:
        """What the node, and any rabbitmqctl that is to find it, must have in its environment."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("RABBITMQ_", "ERL_", "NOTIFY_SOCKET"))}
        options = ERLANG_OPTIONS.format(schedulers=min(4, max(2, os.cpu_count() or 2)))
        return kept | {
            "HOME": str(self.folder / "home"),
            "LC_ALL": "C.UTF-8",
            "ERL_EPMD_PORT": str(self.ports.epmd),
            # Otherwise an Erlang that finds no port mapper leaves one behind that nobody would ever stop.
            "ERL_FLAGS": "-start_epmd false",
            "ERL_EPMD_ADDRESS": ports.LOOPBACK,
            "RABBITMQ_NODENAME": self.name,
            "RABBITMQ_DIST_PORT": str(self.ports.dist),
            # None; without a name the system's /etc/rabbitmq/rabbitmq-env.conf would be read.
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(self.folder / "advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "data"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": options,
            # Makes the start script become the node instead of standing in front of it as a second process.
            "RUNNING_UNDER_SYSTEMD": "true",
        }

    def _last_words(self) -> str:
        try:
            return " ".join((self.folder / "log" / "start.log").read_text(errors="replace").split())[-600:]
        except OSError:
            return "no log"


def stop_leftover(folder: Path) -> bool:
    """Stops the node and the port mapper that run on `folder`, whoever started them. True if one had to be killed."""
    killed = False
    for name, patience_seconds in ((NODE_MARK, 12.0), (MAPPER_MARK, 2.0)):
        found = leash.marked(folder / name)
        if found is not None:
            killed |= leash.stop(found, [(signal.SIGTERM, patience_seconds)])
        (folder / name).unlink(missing_ok=True)
    return killed


def node(folder: Path) -> psutil.Process | None:
    """The node that runs on `folder`, whoever started it."""
    return leash.marked(folder / NODE_MARK)


def is_running(folder: Path) -> bool:
    return node(folder) is not None


def greets(port: int) -> bool:
    """True when an AMQP 0-9-1 server answers a client's hello there: the node is up, not only its socket."""
    try:
        with socket.create_connection((ports.LOOPBACK, port), timeout=2.0) as connection:
            connection.sendall(HELLO)
            return connection.recv(1) == b"\x01"
    except OSError:
        return False
