"""A ZIP that goes out while it is written: what is made of one piece is handed on before the next is taken."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from datetime import datetime
from hashlib import sha256
from types import TracebackType
from typing import IO, Self
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from gateway.domain.export import File

Emit = Callable[[bytes], Awaitable[None]]
_PIECE_BYTES = 256 * 1024
# Less than this is deflated faster than a thread is asked to.
_SMALL_BYTES = 16 * 1024


class _Outlet:
    """What zipfile has written and nobody has fetched. It has no position: checksums and sizes follow their files."""

    def __init__(self) -> None:
        self._written: list[bytes] = []

    def write(self, data: bytes, /) -> int:
        self._written.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        return None

    def close(self) -> None:
        return None

    def fetch(self) -> bytes:
        written, self._written = self._written, []
        return b"".join(written)


class Archive:
    """Hands what it writes to `emit`; `made_at` is the time of all its files.

    Kept in memory: a piece at a time, and of each file its entry in the directory at the end, less than a kilobyte.
    """

    def __init__(self, emit: Emit, made_at: datetime) -> None:
        self._emit = emit
        self._made_at = made_at.timetuple()[:6]
        self._outlet = _Outlet()
        self._zip = ZipFile(self._outlet, "w")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """What was not finished has no directory, and whoever reads it sees that."""
        self._zip.filelist.clear()
        self._zip.close()

    async def add(self, path: str, pieces: AsyncIterable[bytes], *, stored: bool = False) -> File:
        """`stored`: as it is, for what is packed already. Raises what `pieces` raises."""
        entry = ZipInfo(path, self._made_at)
        entry.compress_type = ZIP_STORED if stored else ZIP_DEFLATED
        seen, size_bytes = sha256(), 0
        # How long it is shows at its end.
        with self._zip.open(entry, "w", force_zip64=stored) as file:
            async for piece in pieces:
                seen.update(piece)
                size_bytes += len(piece)
                await _put(file, piece, stored=stored)
                await self._pass_on()
        await self._pass_on()
        return File(path=path, sha256=seen.hexdigest(), size_bytes=size_bytes)

    async def add_document(self, path: str, body: bytes) -> File:
        return await self.add(path, _cut(body))

    async def finish(self) -> None:
        """The directory, which makes it whole."""
        await _to_the_end(self._zip.close)
        await self._pass_on()

    async def _pass_on(self) -> None:
        async for piece in _cut(self._outlet.fetch()):
            await self._emit(piece)


async def _put(file: IO[bytes], piece: bytes, *, stored: bool) -> None:
    if stored or len(piece) <= _SMALL_BYTES:
        file.write(piece)
    else:
        await _to_the_end(file.write, piece)


async def _to_the_end(work: Callable[..., object], *given: bytes) -> None:
    """In a thread; who is cancelled waits for it all the same, so that nothing is closed under its hands."""
    working = asyncio.ensure_future(asyncio.to_thread(work, *given))
    try:
        await asyncio.shield(working)
    except asyncio.CancelledError:
        await asyncio.wait({working})
        raise


async def _cut(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), _PIECE_BYTES):
        yield body[start : start + _PIECE_BYTES]
