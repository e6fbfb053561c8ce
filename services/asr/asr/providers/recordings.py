"""Recordings on local disk while they are worked on: fetched once for all their parts, bounded, soon removed."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from common.errors import CannotProcess, TryAgain
from common.store import ObjectMissing, ObjectStore, file_sha256

from asr.providers.scratch import Scratch


@dataclass
class _Copy:
    """One local file: how many use it, and when the last one left."""

    path: Path
    users: int = 0
    left_at: float = 0.0
    fetching: asyncio.Lock = field(default_factory=asyncio.Lock)


class Recordings:
    """A small cache in this process's scratch folder, keyed by the SHA-256 of the content."""

    def __init__(self, store: ObjectStore, scratch: Scratch, *, keep_bytes: int, keep_seconds: float) -> None:
        self._store = store
        self._scratch = scratch
        self._keep_bytes = keep_bytes
        self._keep_seconds = keep_seconds
        self._copies: dict[str, _Copy] = {}

    @asynccontextmanager
    async def borrow(self, uri: str, sha256: str) -> AsyncGenerator[Path]:
        """The recording as a local file until the block ends. Raises CannotProcess when it is in no store any more."""
        copy = self._copies.setdefault(sha256, _Copy(self._scratch.folder / f"{sha256}.flac"))
        copy.users += 1
        try:
            async with copy.fetching:
                if not copy.path.exists():
                    await self._fetch(uri, sha256, copy.path)
            yield copy.path
        finally:
            copy.users -= 1
            copy.left_at = monotonic()
            self.tidy()

    async def _fetch(self, uri: str, sha256: str, path: Path) -> None:
        unfinished = path.with_suffix(".part")
        try:
            await self._store.fetch_file(uri, unfinished)
            if await file_sha256(unfinished) != sha256:
                raise TryAgain("the stored recording is not the one that was announced", attempts=3)
            unfinished.rename(path)
        except ObjectMissing:
            raise CannotProcess(
                "The sound of this recording is no longer stored.",
                category="not_found",
                advice="Retry from the fetch stage.",
                retryable=True,
            ) from None
        finally:
            unfinished.unlink(missing_ok=True)

    def forget(self, sha256: str) -> None:
        """Remove a recording that is done with, unless somebody still uses it."""
        copy = self._copies.get(sha256)
        if copy is not None and copy.users == 0:
            copy.path.unlink(missing_ok=True)
            del self._copies[sha256]

    def tidy(self) -> None:
        """Remove what nobody has used for long, and the oldest of what is too much."""
        idle = sorted((c.left_at, sha) for sha, c in self._copies.items() if c.users == 0)
        held = sum(c.path.stat().st_size for c in self._copies.values() if c.path.exists())
        for left_at, sha in idle:
            size = self._copies[sha].path.stat().st_size if self._copies[sha].path.exists() else 0
            if held > self._keep_bytes or monotonic() - left_at > self._keep_seconds or not size:
                self.forget(sha)
                held -= size

    async def tidy_up(self) -> None:
        """For the clock: what was left behind goes although nothing is borrowed any more."""
        self.tidy()

    async def close(self) -> None:
        self._copies.clear()
        self._scratch.close()
