"""ZIP files from outside: looked at before anything is unpacked, and unpacked one file at a time, in memory.

Names are for people only; nothing is ever written under one.
"""

import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from common.errors import CannotProcess

from fetcher.domain.captions import problems
from fetcher.domain.sniff import sniff

_END = b"PK\x05\x06"
_END_BYTES = 22
_LONGEST_COMMENT = 65_535
_LOCATOR_OF_ZIP64 = b"PK\x06\x07"
_LOCATOR_BYTES = 20
# A file's entry in the directory: 46 bytes, its name, and what programs add.
_BYTES_PER_ENTRY = 1024
_ENCRYPTED = 0x1
# Deflate can reach about a thousand; subtitles, repetitive as they are, hardly twenty.
_HIGHEST_RATIO = 150
_NOISE = frozenset({"__MACOSX", "Thumbs.db", "desktop.ini"})


@dataclass(frozen=True)
class ArchiveLimits:
    """``total_bytes`` bounds the archive itself, and all that it unpacks to."""

    files: int
    file_bytes: int
    total_bytes: int


@dataclass(frozen=True)
class Entry:
    """One file of an archive: what it holds, or why it is not taken."""

    name: str
    content: bytes | None = None
    refusal: CannotProcess | None = None


def is_zip(head: bytes) -> bool:
    return head.startswith((b"PK\x03\x04", _END))


def unpack(path: Path, limits: ArchiveLimits) -> Iterator[Entry]:
    """Raises CannotProcess for an archive that is damaged or beyond the limits, before its first file comes."""
    if path.stat().st_size > limits.total_bytes:
        raise problems.archive_too_large(limits.total_bytes)
    _check_directory(path, limits.files)
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, ValueError, OSError, struct.error, NotImplementedError):
        raise problems.damaged_archive() from None
    with archive:
        wanted = [info for info in archive.infolist() if not _is_folder(info) and not _is_noise(info.filename)]
        if not wanted:
            raise problems.empty_archive()
        if len(wanted) > limits.files:
            raise problems.too_many_files(limits.files)
        if sum(info.file_size for info in wanted) > limits.total_bytes:
            raise problems.archive_too_large(limits.total_bytes)
        for info in wanted:
            yield _entry(archive, info, limits.file_bytes)


def _check_directory(path: Path, most_files: int) -> None:
    """The directory is read whole into memory by whoever opens the archive: its size is looked at before."""
    with path.open("rb") as file:
        size_bytes = path.stat().st_size
        file.seek(max(0, size_bytes - _END_BYTES - _LONGEST_COMMENT - _LOCATOR_BYTES))
        tail = file.read()
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < _END_BYTES:
        raise problems.damaged_archive()
    count, directory_bytes = struct.unpack_from("<HI", tail, at + 10)
    if tail[max(0, at - _LOCATOR_BYTES) : at].startswith(_LOCATOR_OF_ZIP64) or (
        # Folders and what systems leave beside files count too.
        count > 4 * most_files or directory_bytes > 4 * most_files * _BYTES_PER_ENTRY
    ):
        raise problems.too_many_files(most_files)


def _is_folder(info: zipfile.ZipInfo) -> bool:
    # Not is_dir(): it breaks over an entry whose name is empty.
    return info.filename.endswith("/")


def _is_noise(name: str) -> bool:
    parts = PurePosixPath(name.replace("\\", "/")).parts
    return any(part in _NOISE or (part.startswith(".") and part not in (".", "..")) for part in parts)


def _entry(archive: zipfile.ZipFile, info: zipfile.ZipInfo, most_bytes: int) -> Entry:
    name = PurePosixPath(info.filename.replace("\\", "/")).name[:500]
    try:
        _check(info, most_bytes)
        content = _content(archive, info, most_bytes)
        if sniff(content[:2048]).family == "archive":
            raise problems.nested_archive()
    except CannotProcess as refusal:
        return Entry(name, refusal=refusal)
    return Entry(name, content)


def _check(info: zipfile.ZipInfo, most_bytes: int) -> None:
    """By what the directory says of the file."""
    path = PurePosixPath(info.filename.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or not path.parts or ":" in path.parts[0]:
        raise problems.unsafe_name()
    if info.flag_bits & _ENCRYPTED:
        raise problems.encrypted()
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise problems.unknown_packing()
    if info.file_size > most_bytes:
        raise problems.subtitles_too_large(most_bytes)
    if info.file_size > _HIGHEST_RATIO * max(info.compress_size, 100):
        raise problems.packed_too_tightly()


def _content(archive: zipfile.ZipFile, info: zipfile.ZipInfo, most_bytes: int) -> bytes:
    """What comes out may be more than the directory says: it is not read on."""
    try:
        with archive.open(info) as file:
            content = file.read(most_bytes + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError, struct.error):
        raise problems.damaged_archive() from None
    if len(content) > most_bytes:
        raise problems.subtitles_too_large(most_bytes)
    return content
