"""The object store as a directory: the embedded default, for one machine."""

import asyncio
import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import AsyncIterator, Callable, Generator
from pathlib import Path
from typing import BinaryIO

from common.ids import uuid7
from common.store import CHUNK_BYTES, MARKER_KEY, Meter, ObjectMissing, StoreUnavailable, Written, checked_key

# Hidden from `keys`: where what is deleted during a backup waits for its end. The backup locks the store's mark.
_ASIDE = ".aside"
_PIN_SECONDS = 10.0


class DirectoryStore:
    """Objects are files below ``root``; each appears by a rename, so that none is ever seen half-written.

    While a backup has the store `pinned`, what is deleted is put aside for it instead.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    async def check(self) -> None:
        if not await asyncio.to_thread((self._root / MARKER_KEY).is_file):
            raise RuntimeError(
                f"{self._root} is not the object store that `earshot migrate` marked. A directory serves one machine; "
                "use an s3:// store for several."
            )

    async def create(self) -> None:
        def make() -> None:
            with _as_unavailable():
                self._root.mkdir(parents=True, exist_ok=True)

        await asyncio.to_thread(make)

    async def put_file(self, key: str, path: Path) -> None:
        await asyncio.to_thread(self._place, key, path)

    def _place(self, key: str, path: Path) -> None:
        with _as_unavailable():
            temporary = self._temporary()
            shutil.copyfile(path, temporary)
            self._publish(temporary, key)

    async def put_bytes(self, key: str, data: bytes) -> None:
        def write() -> None:
            with _as_unavailable():
                temporary = self._temporary()
                temporary.write_bytes(data)
                self._publish(temporary, key)

        await asyncio.to_thread(write)

    async def get_bytes(self, key: str) -> bytes:
        with _as_missing(key):
            return await asyncio.to_thread(self._path(key).read_bytes)

    async def fetch_file(self, key: str, path: Path) -> None:
        with _as_missing(key):
            await asyncio.to_thread(shutil.copyfile, self._path(key), path)

    async def read(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        with _as_missing(key):
            file = await asyncio.to_thread(self._path(key).open, "rb")
        with file:
            file.seek(start)
            left = None if end is None else end - start
            while left is None or left > 0:
                chunk = await asyncio.to_thread(file.read, CHUNK_BYTES if left is None else min(CHUNK_BYTES, left))
                if not chunk:
                    return
                left = None if left is None else left - len(chunk)
                yield chunk

    async def size(self, key: str) -> int:
        with _as_missing(key):
            return (await asyncio.to_thread(self._path(key).stat)).st_size

    async def delete(self, key: str) -> None:
        await asyncio.to_thread(self._remove, self._path(key), key)

    def _remove(self, path: Path, key: str) -> None:
        if not path.exists():
            return
        with _unpinned(self._root) as free:
            if free:
                path.unlink(missing_ok=True)
                if (self._root / _ASIDE).exists():
                    # Left by a backup that was killed.
                    shutil.rmtree(self._root / _ASIDE, ignore_errors=True)
            else:
                _put_aside(path, self._root / _ASIDE / key)
        with contextlib.suppress(OSError):
            # Only an empty directory goes.
            path.parent.rmdir()

    async def keys(self, prefix: str) -> AsyncIterator[str]:
        def walk() -> list[str]:
            found: list[str] = []
            for directory, _, files in os.walk(self._root):
                found += [(Path(directory) / name).relative_to(self._root).as_posix() for name in files]
            return sorted(key for key in found if key.startswith(prefix) and not key.startswith("."))

        for key in await asyncio.to_thread(walk):
            yield key

    async def write_stream(self, key: str, chunks: AsyncIterator[bytes], *, max_bytes: int | None = None) -> Written:
        meter = Meter(max_bytes)
        with _as_unavailable():
            temporary = await asyncio.to_thread(self._temporary)
        try:
            with temporary.open("wb") as file:
                async for chunk in chunks:
                    meter.take(chunk)
                    with _as_unavailable():
                        await asyncio.to_thread(file.write, chunk)
            with _as_unavailable():
                await asyncio.to_thread(self._publish, temporary, key)
        finally:
            temporary.unlink(missing_ok=True)
        return meter.written()

    def _path(self, key: str) -> Path:
        return self._root / checked_key(key)

    def _temporary(self) -> Path:
        directory = self._root / ".incomplete"
        directory.mkdir(parents=True, exist_ok=True)
        return directory / uuid7().hex

    def _publish(self, temporary: Path, key: str) -> None:
        path = self._path(key)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        for _ in range(10):
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                temporary.replace(path)
            except FileNotFoundError:
                # A delete beside us removed the directory as empty.
                continue
            return
        raise FileNotFoundError(path)


@contextlib.contextmanager
def pinned(root: Path) -> Generator[Callable[[str], BinaryIO]]:
    """Until the end of the block, or of this process, no object of the directory store at ``root`` is lost.

    Gives a function that opens an object by its key, also one that is deleted meanwhile; it raises ObjectMissing.
    Raises BlockingIOError when somebody else has the store pinned, FileNotFoundError when it was never set up.
    """
    descriptor = os.open(root / MARKER_KEY, os.O_RDONLY)
    try:
        _lock_alone(descriptor)
        shutil.rmtree(root / _ASIDE, ignore_errors=True)

        def read(key: str) -> BinaryIO:
            places = (root / checked_key(key), root / _ASIDE / key)
            # Twice: it may be put aside and stored again between the looks.
            for path in (*places, *places):
                with contextlib.suppress(FileNotFoundError, IsADirectoryError, NotADirectoryError):
                    return path.open("rb")
            raise ObjectMissing(key)

        yield read
        shutil.rmtree(root / _ASIDE, ignore_errors=True)
    finally:
        os.close(descriptor)


def _lock_alone(descriptor: int) -> None:
    """Deletions under way hold the lock for as long as it takes to remove a file."""
    until = time.monotonic() + _PIN_SECONDS
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)


@contextlib.contextmanager
def _unpinned(root: Path) -> Generator[bool]:
    """False while the store is pinned; where it is not, nobody pins it before the end of the block."""
    try:
        descriptor = os.open(root / MARKER_KEY, os.O_RDONLY)
    except FileNotFoundError:
        # Nobody backs up a store that was never set up.
        yield True
        return
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            free = True
        except BlockingIOError:
            free = False
        yield free
    finally:
        os.close(descriptor)


def _put_aside(path: Path, aside: Path) -> None:
    aside.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        path.replace(aside)


@contextlib.contextmanager
def _as_missing(key: str) -> Generator[None]:
    try:
        yield
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise ObjectMissing(key) from error


@contextlib.contextmanager
def _as_unavailable() -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise StoreUnavailable(f"the object store cannot be written: {error}") from error
