"""Ties child processes to this one: they get a signal when it dies, however it dies, and stop when told."""

import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable
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
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.Error:
            return None


def mark(process: "subprocess.Popen[bytes] | int", path: Path) -> None:
    """Writes the pid file of a process just started; silently nothing when it is gone already."""
    found = Mark.of(process if isinstance(process, int) else process.pid)
    if found is not None:
        found.write(path)


def with_children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return [*process.children(recursive=True), process]
    except psutil.Error:
        return [process]


def stop(process: psutil.Process, steps: Iterable[tuple[signal.Signals, float]]) -> bool:
    """Sends each signal and waits its seconds; whatever is left is killed, children too. True if it had to be."""
    family = with_children(process)
    for step, patience_seconds in steps:
        _send([process], step)
        if _gone(process, patience_seconds):
            break
    else:
        _send(family, signal.SIGKILL)
        psutil.wait_procs(family, timeout=5.0)
        return True
    _, left = psutil.wait_procs(family, timeout=1.0)
    _send(left, signal.SIGKILL)
    psutil.wait_procs(left, timeout=5.0)
    return False


def _send(processes: Iterable[psutil.Process], what: signal.Signals) -> None:
    for process in processes:
        try:
            process.send_signal(what)
        except psutil.Error:
            continue


def _gone(process: psutil.Process, patience_seconds: float) -> bool:
    try:
        process.wait(timeout=patience_seconds)
    except psutil.TimeoutExpired:
        return False
    except psutil.Error:
        return True
    return True


def wait_until(done: Callable[[], bool], patience_seconds: float, pause_seconds: float = 0.05) -> bool:
    """Asks again and again; False when the patience ends first."""
    until = time.monotonic() + patience_seconds
    while not done():
        if time.monotonic() > until:
            return False
        time.sleep(pause_seconds)
    return True
