"""Files in work on the local disk: one folder per asset, one worker in it at a time."""

import asyncio
import fcntl
import os
import shutil
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

from common.errors import TryAgain

_LOCK = "lock"
_POLL_SECONDS = 0.5


@dataclass(frozen=True)
class Workspace:
    """An asset's folder, locked. Outlives the worker unless ``clear`` is called, so that the next one goes on."""

    folder: Path

    @contextmanager
    def room(self) -> Generator[Path]:
        """A fresh folder for results, gone at the end: what a killed ffmpeg still writes is nobody else's file."""
        with TemporaryDirectory(dir=self.folder, prefix="room-") as name:
            yield Path(name)

    def clear(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


class Scratch:
    """Below ``root`` everything may be lost at any time; nothing may stay for ever."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @asynccontextmanager
    async def workspace(
        self, asset_id: UUID, still_wanted: Callable[[], Awaitable[None]], *, patience_seconds: float = 120
    ) -> AsyncGenerator[Workspace]:
        """Wait for the folder. Raises TryAgain when another worker keeps it, and what ``still_wanted`` raises."""
        folder = self._root / str(asset_id)
        deadline = time.monotonic() + patience_seconds
        while (lock := _try_lock(folder)) is None:
            await still_wanted()
            if time.monotonic() > deadline:
                raise TryAgain("Another worker is fetching this recording.")
            await asyncio.sleep(_POLL_SECONDS)
        try:
            for left in folder.glob("room-*"):
                shutil.rmtree(left, ignore_errors=True)
            yield Workspace(folder)
        finally:
            os.close(lock)

    def idle(self) -> dict[UUID, float]:
        """Assets with a folder that nobody works in, and the seconds since it was last touched."""
        found: dict[UUID, float] = {}
        for folder in self._root.iterdir() if self._root.is_dir() else ():
            try:
                asset_id = UUID(folder.name)
                age_seconds = time.time() - max(entry.stat().st_mtime for entry in [folder, *folder.iterdir()])
            except (ValueError, OSError):
                continue
            found[asset_id] = age_seconds
        return found

    def discard(self, asset_id: UUID) -> bool:
        """Remove the asset's folder; False when somebody works in it."""
        folder = self._root / str(asset_id)
        if not folder.is_dir():
            return True
        lock = _try_lock(folder)
        if lock is None:
            return False
        try:
            shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(lock)
        return True


def _try_lock(folder: Path) -> int | None:
    """A descriptor that holds the folder's lock until it is closed or its process is gone; None when it is taken."""
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.mkdir(exist_ok=True)
    try:
        descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Who held it before may have removed the folder: a lock on a file that is no longer there locks nothing.
        if os.path.samestat(os.fstat(descriptor), (folder / _LOCK).stat()):
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(descriptor)
    return None
