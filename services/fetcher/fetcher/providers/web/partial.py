"""A download in work: the bytes that are here, and what the server said about the whole."""

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

_COPY_BYTES = 1 << 20


@dataclass(frozen=True)
class Origin:
    """``validator`` is a strong ETag or a Last-Modified date, for If-Range; ``started_at`` is Unix time in seconds."""

    link: str
    started_at: float
    validator: str | None = None
    total_bytes: int | None = None

    def same_file(self, other: "Origin") -> bool:
        mine, theirs = (self.link, self.validator, self.total_bytes), (other.link, other.validator, other.total_bytes)
        return mine == theirs


class Partial:
    """The file ``source`` beside its ``source.json``; a process that died leaves both to the next one.

    Chunks are written through at once: little is lost, and nothing waits to be flushed on the way out of a
    cancelled task. A write of 64 KiB into the page cache is no burden for the event loop.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "source"
        self._note = folder / "source.json"

    @property
    def size(self) -> int:
        """Bytes received."""
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    def origin(self) -> Origin | None:
        try:
            return Origin(**json.loads(self._note.read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def note(self, origin: Origin) -> None:
        """Remember what the server says; written whole or not at all."""
        fresh = self._note.with_suffix(".new")
        fresh.write_text(json.dumps(asdict(origin)))
        fresh.replace(self._note)

    def restart(self) -> None:
        self.path.write_bytes(b"")

    def append(self, chunk: bytes) -> None:
        with self.path.open("ab", buffering=0) as file:
            file.write(chunk)

    def head(self, size_bytes: int) -> bytes:
        if not self.path.exists():
            return b""
        with self.path.open("rb") as file:
            return file.read(size_bytes)

    def append_file(self, piece: Path) -> None:
        with self.path.open("ab") as file, piece.open("rb") as more:
            shutil.copyfileobj(more, file, _COPY_BYTES)
        piece.unlink()

    def copy_from(self, offset: int, target: Path) -> None:
        """Write everything from ``offset`` on into ``target``."""
        with self.path.open("rb") as file, target.open("wb") as piece:
            file.seek(offset)
            shutil.copyfileobj(file, piece, _COPY_BYTES)
