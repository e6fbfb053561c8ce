"""The object store: one interface over a directory (one machine) and any S3 (many)."""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qs, unquote, urlsplit

from common.errors import TryAgain

CHUNK_BYTES = 256 * 1024
MARKER_KEY = ".earshot-store"
_KEY = re.compile(r"^[A-Za-z0-9._\-]+(/[A-Za-z0-9._\-]+)*$")


class ObjectMissing(Exception):
    """There is no object of this key."""


class ObjectTooLarge(Exception):
    """The stream went over ``max_bytes``; nothing of it is kept."""


class StoreUnavailable(TryAgain):
    """The store does not answer; work that needs it is tried again."""

    def __init__(self, message: str) -> None:
        super().__init__(
            message, category="unavailable", advice="The file store is away; this is retried.", attempts=50
        )


@dataclass(frozen=True)
class Written:
    """What a stream amounted to."""

    size_bytes: int
    sha256: str


class ObjectStore(Protocol):
    """Keys are paths of letters, digits, ``._-``. Every method may raise StoreUnavailable."""

    async def check(self) -> None:
        """Raises RuntimeError when this is not the store that set-up marked."""
        ...

    async def create(self) -> None:
        """Make the directory or bucket if it is not there."""
        ...

    async def put_file(self, key: str, path: Path) -> None: ...

    async def put_bytes(self, key: str, data: bytes) -> None: ...

    async def get_bytes(self, key: str) -> bytes:
        """Raises ObjectMissing."""
        ...

    async def fetch_file(self, key: str, path: Path) -> None:
        """Copy the object to a local file. Raises ObjectMissing."""
        ...

    def read(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """Bytes ``start`` (included) to ``end`` (not included). Raises ObjectMissing at the first step."""
        ...

    async def size(self, key: str) -> int:
        """Raises ObjectMissing."""
        ...

    async def delete(self, key: str) -> None:
        """No error when it is not there."""
        ...

    def keys(self, prefix: str) -> AsyncIterator[str]: ...

    async def write_stream(self, key: str, chunks: AsyncIterator[bytes], *, max_bytes: int | None = None) -> Written:
        """Store a stream without holding it; the key appears when it is complete. Raises ObjectTooLarge."""
        ...


def checked_key(key: str) -> str:
    """Raises ValueError for a key that could leave the store's root."""
    if not is_key(key):
        raise ValueError(f"not a key of the object store: {key!r}")
    return key


def is_key(key: str) -> bool:
    """Whether anything can lie there."""
    return bool(_KEY.match(key)) and not any(part in (".", "..") for part in key.split("/"))


class Meter:
    """Counts and hashes a stream on its way."""

    def __init__(self, max_bytes: int | None) -> None:
        self._max_bytes = max_bytes
        self._sha256 = hashlib.sha256()
        self._size_bytes = 0

    def take(self, chunk: bytes) -> None:
        self._size_bytes += len(chunk)
        if self._max_bytes is not None and self._size_bytes > self._max_bytes:
            raise ObjectTooLarge(f"more than {self._max_bytes} bytes")
        self._sha256.update(chunk)

    def written(self) -> Written:
        return Written(self._size_bytes, self._sha256.hexdigest())


def open_store(url: str) -> ObjectStore:
    """``file:///directory`` or ``s3://bucket/prefix?endpoint_url=…&region=…``. Raises ValueError for others."""
    from common.store_directory import DirectoryStore

    parts = urlsplit(url)
    if parts.scheme == "file":
        return DirectoryStore(Path(unquote(parts.path)))
    if parts.scheme == "s3":
        from common.store_s3 import S3Store

        options = {name: values[0] for name, values in parse_qs(parts.query).items()}
        return S3Store(parts.netloc, parts.path.strip("/"), options.get("endpoint_url"), options.get("region"))
    raise ValueError(f"object store: unknown scheme {parts.scheme!r}; use file:///directory or s3://bucket/prefix")


async def file_sha256(path: Path) -> str:
    def digest() -> str:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    return await asyncio.to_thread(digest)
