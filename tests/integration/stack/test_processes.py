"""Keeping programs running: prefixes, log files, restarts, and no process left over."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from stack import processes
from stack.layout import DataFolder
from stack.leash import Mark
from stack.processes import Keepers, Program, stop_marked
from stack.watcher import ALL_WELL

GREETING = "import os, time; print('I am', os.getpid(), flush=True); time.sleep(600)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
)
WITH_CHILD = (
    "import subprocess, sys, time\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
    "print('child', child.pid, flush=True); time.sleep(600)"
)


class Seen:
    """What was shown, as (service, line)."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def show(self, service: str, line: bytes) -> None:
        self.lines.append((service, line.decode()))

    def of(self, service: str, word: str) -> list[str]:
        return [line for name, line in self.lines if name == service and word in line]


def program(folder: Path, name: str, script: str) -> Program:
    command = [sys.executable, "-c", script]
    return Program(name, command, {"PATH": os.environ["PATH"]}, folder, folder / f"{name}.log", folder / f"{name}.pid")


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not true():
            await asyncio.sleep(0.02)


async def test_lines_are_shown_and_kept_and_the_dead_are_started_again(tmp_path: Path) -> None:
    seen = Seen()
    keepers = Keepers([program(tmp_path, "one", GREETING), program(tmp_path, "two", GREETING)], seen.show)
    keepers.start()
    await until(lambda: seen.of("one", "I am") and seen.of("two", "I am"))
    first = Mark.read(tmp_path / "one.pid")
    assert first is not None
    os.kill(first.pid, signal.SIGKILL)
    await until(lambda: len(seen.of("one", "I am")) == 2)
    again = Mark.read(tmp_path / "one.pid")
    assert again is not None
    assert again.pid != first.pid
    assert seen.of("one", "SIGKILL")
    assert [keeper.restarts for keeper in keepers.all] == [1, 0]
    assert await keepers.stop() == []
    assert not psutil.pid_exists(again.pid)
    assert (tmp_path / "one.log").read_text().count("I am") == 2
    assert list(tmp_path.glob("*.pid")) == []


async def test_one_that_keeps_dying_is_started_ever_more_slowly(tmp_path: Path) -> None:
    seen = Seen()
    keepers = Keepers([program(tmp_path, "bad", "raise SystemExit(3)")], seen.show)
    keepers.start()
    await until(lambda: len(seen.of("bad", "exit code 3")) == 3)
    pauses = [line.rsplit(" in ", 1)[1] for line in seen.of("bad", "exit code 3")]
    assert pauses == ["0.5 s", "1 s", "2 s"]
    assert await keepers.stop() == []


async def test_the_deaf_are_killed_and_so_are_grandchildren(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "STOP_SECONDS", 0.5)
    seen = Seen()
    keepers = Keepers([program(tmp_path, "deaf", STUBBORN), program(tmp_path, "parent", WITH_CHILD)], seen.show)
    keepers.start()
    await until(lambda: seen.of("deaf", "deaf") and seen.of("parent", "child"))
    pids = [int(seen.of("parent", "child")[0].split()[1]), *(keeper.pid or 0 for keeper in keepers.all)]
    assert await keepers.stop() == ["deaf"]
    await until(lambda: not any(_alive(pid) for pid in pids))


async def test_a_line_without_end_does_not_stop_the_reading(tmp_path: Path) -> None:
    seen = Seen()
    script = "print('x' * 1_000_000, end=''); print('\\nand on', flush=True); import time; time.sleep(600)"
    keepers = Keepers([program(tmp_path, "long", script)], seen.show)
    keepers.start()
    await until(lambda: seen.of("long", "and on"))
    await keepers.stop()


async def test_stop_while_one_is_being_started_leaves_nothing(tmp_path: Path) -> None:
    keepers = Keepers([program(tmp_path, "one", GREETING)], Seen().show)
    keepers.start()
    await asyncio.sleep(0)
    await keepers.stop()
    assert not [child for child in psutil.Process().children() if "I am" in " ".join(child.cmdline())]


def test_they_end_with_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    supervisor, mark = _supervisor(tmp_path)
    supervisor.send_signal(signal.SIGKILL)
    supervisor.wait()
    left = mark.process()
    if sys.platform != "linux":
        assert stop_marked({"one": tmp_path / "one.pid"}) == (["one"], [])
    if left is not None:
        left.wait(timeout=20)


def test_what_was_left_behind_is_found_by_its_pid_file(tmp_path: Path) -> None:
    orphan = subprocess.Popen([sys.executable, "-c", GREETING], stdout=subprocess.DEVNULL, start_new_session=True)
    mark = Mark.of(orphan.pid)
    assert mark is not None
    mark.write(tmp_path / "one.pid")
    # The number of a process that ended long ago, given to another since: never to be touched.
    Mark(os.getpid(), mark.created - 1000).write(tmp_path / "two.pid")
    assert stop_marked({"one": tmp_path / "one.pid", "two": tmp_path / "two.pid"}) == (["one"], [])
    orphan.wait()
    assert not psutil.pid_exists(mark.pid)
    assert list(tmp_path.glob("*.pid")) == []


@pytest.mark.parametrize("said", [ALL_WELL, ""])
def test_the_watcher_cleans_up_only_when_its_supervisor_left_without_a_word(tmp_path: Path, said: str) -> None:
    folder = DataFolder.at(tmp_path)
    folder.prepare()
    orphan = subprocess.Popen([sys.executable, "-c", GREETING], stdout=subprocess.DEVNULL, start_new_session=True)
    mark = Mark.of(orphan.pid)
    assert mark is not None
    mark.write(folder.mark_of("asr"))
    watcher = [sys.executable, "-m", "stack.watcher", str(tmp_path)]
    assert subprocess.run(watcher, input=said, text=True, check=False).returncode == 0
    assert orphan.poll() == (None if said else -signal.SIGTERM)
    orphan.kill()
    orphan.wait()


def _supervisor(folder: Path) -> tuple["subprocess.Popen[bytes]", Mark]:
    script = (
        "import asyncio, sys; from pathlib import Path; from stack.processes import Keepers, Program\n"
        "folder = Path(sys.argv[1])\n"
        "one = Program('one', [sys.executable, '-c', sys.argv[2]], {}, folder, folder / 'log', folder / 'one.pid')\n"
        "async def main():\n"
        "    keepers = Keepers([one], lambda service, line: None); keepers.start(); await asyncio.sleep(600)\n"
        "asyncio.run(main())"
    )
    supervisor = subprocess.Popen([sys.executable, "-c", script, str(folder), GREETING])
    deadline = time.monotonic() + 30
    while (mark := Mark.read(folder / "one.pid")) is None or mark.process() is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return supervisor, mark


def _alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
