"""Ties child processes to this one: they get a signal when it dies, however it dies, and stop when told."""

import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil


def tied(death_signal: signal.Signals) -> list[str]:
    """The words to put before a program so that it gets `death_signal` when this process dies, however it dies.

    Linux means the death of the thread that starts it, so children of other threads than the main one go without. For
    them, and elsewhere than on Linux, the pid files remain, by which the next `up` or `down` finds what was left.
    """
    setpriv = shutil.which("setpriv")
    if setpriv is None or threading.current_thread() is not threading.main_thread():
        return []
    return [setpriv, "--pdeathsig", death_signal.name.removeprefix("SIG"), "--"]


@dataclass(frozen=True)
class Mark:
    """A process as a pid file names it: the start time tells it from a later process with the same number."""

    pid: int
    created: float

    @classmethod
    def of(cls, pid: int) -> "Mark | None":
        try:
            return cls(pid, psutil.Process(pid).create_time())
        except psutil.Error:
            return None

    @classmethod
    def read(cls, path: Path) -> "Mark | None":
        """None when the file is absent or torn."""
        try:
            pid, created = path.read_text().split()
            return cls(int(pid), float(created))
        except (OSError, ValueError):
            return None

    def write(self, path: Path) -> None:
        path.write_text(f"{self.pid} {self.created!r}\n")

    def process(self) -> psutil.Process | None:
        """The very process that was marked, or None when it is gone."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.created) < 1.0
        except psutil.Error:
            return None
        return process if same and is_alive(process) else None


def mark(process: "subprocess.Popen[bytes] | int", path: Path) -> None:
    """Writes the pid file of a process just started; silently nothing when it is gone already."""
    found = Mark.of(process if isinstance(process, int) else process.pid)
    if found is not None:
        found.write(path)


def marked(path: Path) -> psutil.Process | None:
    """The process that a pid file names; None when there is no file, or the process is gone."""
    found = Mark.read(path)
    return found.process() if found else None


def with_children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return [*process.children(recursive=True), process]
    except psutil.Error:
        return [process]


def is_alive(process: psutil.Process) -> bool:
    """False for one that has ended though nobody has asked how, as happens where no init process does."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def send(processes: Iterable[psutil.Process], what: signal.Signals) -> None:
    """To those that are still there."""
    for process in processes:
        with suppress(psutil.Error):
            process.send_signal(what)


def wait_gone(processes: Iterable[psutil.Process], patience_seconds: float) -> list[psutil.Process]:
    """Returns when all have ended, or with those that have not when the patience ends."""
    watched = list(processes)
    wait_until(lambda: not any(map(is_alive, watched)), patience_seconds)
    return [process for process in watched if is_alive(process)]


def stop(process: psutil.Process, steps: Iterable[tuple[signal.Signals, float]]) -> bool:
    """Sends each signal and waits its seconds; whatever is left is killed, children too. True if it had to be."""
    family = with_children(process)
    for step, patience_seconds in steps:
        send([process], step)
        if not wait_gone([process], patience_seconds):
            left = wait_gone(family, 1.0)
            break
    else:
        left = family
    send(left, signal.SIGKILL)
    wait_gone(left, 5.0)
    return process in left


def wait_until(done: Callable[[], bool], patience_seconds: float, pause_seconds: float = 0.05) -> bool:
    """Asks again and again; False when the patience ends first."""
    until = time.monotonic() + patience_seconds
    while not done():
        if time.monotonic() > until:
            return False
        time.sleep(pause_seconds)
    return True
