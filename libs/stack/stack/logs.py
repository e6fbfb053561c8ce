"""Reads the services' log files, the last lines first and then, if wanted, what comes."""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

from stack.errors import StackError
from stack.layout import SERVICES, DataFolder
from stack.results import LogLine

LOOK_EVERY_SECONDS = 0.3
SERVERS = ("postgres", "rabbitmq")


def read_logs(folder: DataFolder, services: Sequence[str], *, follow: bool, lines: int) -> Iterator[LogLine]:
    """The last `lines` of each; with `follow` without end. StackError for a name that has no log."""
    names = tuple(services) or SERVICES
    unknown = [name for name in names if name not in (*SERVICES, *SERVERS)]
    if unknown:
        raise StackError(f"There is no service {unknown[0]}.", remedy=f"Known: {', '.join((*SERVICES, *SERVERS))}.")
    return _lines({name: path_of(folder, name) for name in names}, follow, lines)


def path_of(folder: DataFolder, name: str) -> Path:
    return folder.rabbitmq / "log" / "rabbitmq.log" if name == "rabbitmq" else folder.log_of(name)


def _lines(paths: dict[str, Path], follow: bool, lines: int) -> Iterator[LogLine]:
    tails = {name: _Tail(path) for name, path in paths.items()}
    try:
        for name, tail in tails.items():
            yield from (LogLine(name, text) for text in deque(tail.new(), maxlen=lines))
        while follow:
            for name, tail in tails.items():
                yield from (LogLine(name, text) for text in tail.new())
            time.sleep(LOOK_EVERY_SECONDS)
    finally:
        for tail in tails.values():
            tail.close()


class _Tail:
    """One file, read on from where reading ended, also across its rotation."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: TextIO | None = None
        self._inode = -1
        self._begun = ""

    def new(self) -> Iterator[str]:
        """Whole lines only; the beginning of one that is being written waits for its end."""
        if self._file is not None:
            yield from self._read(self._file)
        if self._rotated():
            self.close()
            self._open()
            if self._file is not None:
                yield from self._read(self._file)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _read(self, file: TextIO) -> Iterator[str]:
        for piece in file:
            self._begun += piece
            if self._begun.endswith("\n"):
                yield self._begun.rstrip("\n")
                self._begun = ""

    def _rotated(self) -> bool:
        try:
            return self._path.stat().st_ino != self._inode
        except OSError:
            return False

    def _open(self) -> None:
        try:
            self._file = self._path.open(encoding="utf-8", errors="replace")
        except OSError:
            return
        self._inode = self._path.stat().st_ino
