"""A file on its way to the server, read in pieces and counted."""

import mimetypes
from collections.abc import Callable
from pathlib import Path
from typing import IO

Progress = Callable[[int, int], None]
"""Called with (bytes sent, bytes in all)."""


class CountedFile:
    """A binary file that reports each piece read; httpx reads it in pieces of 64 KiB and never whole."""

    def __init__(self, file: IO[bytes], size_bytes: int, progress: Progress) -> None:
        self._file = file
        self._size_bytes = size_bytes
        self._progress = progress

    def read(self, size: int = -1) -> bytes:
        piece = self._file.read(size)
        self._progress(self._file.tell(), self._size_bytes)
        return piece

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def fileno(self) -> int:
        return self._file.fileno()


def media_type(path: Path) -> str:
    return mimetypes.guess_type(path.name)[0] or "application/octet-stream"
