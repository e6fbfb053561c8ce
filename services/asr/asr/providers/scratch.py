"""A folder of this process's own below the scratch directory; those of processes that were killed go."""

import fcntl
import os
import shutil
import tempfile
from pathlib import Path
from typing import IO

_LOCK = "in-use"


class Scratch:
    """Claimed at first use and removed at close; the operating system drops the claim of a process that dies."""

    def __init__(self, parent: Path) -> None:
        self._parent = parent
        self._claimed: tuple[Path, IO[bytes]] | None = None

    @property
    def folder(self) -> Path:
        if self._claimed is None:
            self._parent.mkdir(parents=True, exist_ok=True)
            for path in self._parent.iterdir():
                _remove_abandoned(path)
            self._claimed = _claim(self._parent)
        return self._claimed[0]

    def close(self) -> None:
        if self._claimed is not None:
            folder, lock = self._claimed
            shutil.rmtree(folder, ignore_errors=True)
            lock.close()
            self._claimed = None


def _claim(parent: Path) -> tuple[Path, IO[bytes]]:
    while True:
        folder = Path(tempfile.mkdtemp(dir=parent))
        lock = (folder / _LOCK).open("wb")
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Another process may have taken the folder for abandoned in the moment before the lock.
        if (folder / _LOCK).exists():
            return folder, lock
        lock.close()


def _remove_abandoned(folder: Path) -> None:
    try:
        lock = os.open(folder / _LOCK, os.O_WRONLY)
    except OSError:
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    except BlockingIOError:
        return
    finally:
        os.close(lock)
