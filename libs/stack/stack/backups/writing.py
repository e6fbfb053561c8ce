"""Puts a backup together under a temporary name, as a folder or as one tar file, and gives it its name at the end."""

import errno
import fcntl
import hashlib
import os
import shutil
import tarfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

from stack.backups.manifest import MANIFEST, Manifest, Piece
from stack.errors import AlreadyRunning, StackError
from stack.private import create_private

CHUNK_BYTES = 1024 * 1024
TAR = ".tar"
_UNFINISHED = ".earshot-partial"


class Writer(Protocol):
    """Takes pieces until `finish`, which makes the backup appear; what is not finished goes."""

    work: Path

    def add(self, path: str, source: BinaryIO) -> Piece:
        """A copy of an open file."""
        ...

    def adopt(self, path: str, source: Path) -> Piece:
        """A file in ``work``, which may be moved instead of copied."""
        ...

    def link(self, piece: Piece, older: Path) -> bool:
        """Take over a piece of an older backup; False where that cannot be done."""
        ...

    def finish(self, manifest: Manifest) -> None: ...

    def close(self) -> None:
        """Let go of open files, finished or not."""
        ...


class FolderWriter:
    """The backup is a folder of ordinary files, readable by its owner alone."""

    def __init__(self, work: Path, target: Path) -> None:
        self.work = work
        self._target = target

    def add(self, path: str, source: BinaryIO) -> Piece:
        with create_private(self._place(path)) as file:
            return Piece(path, *copy_hashed(source, file))

    def adopt(self, path: str, source: Path) -> Piece:
        source.replace(self._place(path))
        with self._place(path).open("rb") as data:
            return Piece(path, *copy_hashed(data))

    def link(self, piece: Piece, older: Path) -> bool:
        source = older / piece.path
        try:
            if source.stat().st_size != piece.size_bytes:
                return False
            os.link(source, self._place(piece.path))
        except OSError:
            # Not there any more, or a file system without hard links.
            return False
        return True

    def finish(self, manifest: Manifest) -> None:
        with create_private(self.work / MANIFEST) as file:
            file.write(manifest.dump().encode())
        # Everything is on the disk before the name says so.
        os.sync()
        self.work.rename(self._target)
        _sync_folder(self._target.parent)

    def close(self) -> None:
        pass

    def _place(self, path: str) -> Path:
        place = self.work / path
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return place


class TarWriter:
    """The backup is one uncompressed tar file: what it holds is compressed already."""

    def __init__(self, work: Path, target: Path) -> None:
        self.work = work
        self._target = target
        self._file = create_private(work / "backup.tar")
        self._tar = tarfile.open(fileobj=self._file, mode="w", format=tarfile.PAX_FORMAT)  # noqa: SIM115

    def add(self, path: str, source: BinaryIO) -> Piece:
        header = tarfile.TarInfo(path)
        header.size = os.fstat(source.fileno()).st_size
        header.mode = 0o600
        meter = _Meter(source)
        self._tar.addfile(header, meter)  # pyright: ignore[reportArgumentType] - reads, and nothing else
        return Piece(path, header.size, meter.sha256.hexdigest())

    def adopt(self, path: str, source: Path) -> Piece:
        with source.open("rb") as file:
            piece = self.add(path, file)
        source.unlink()
        return piece

    def link(self, piece: Piece, older: Path) -> bool:
        return False

    def finish(self, manifest: Manifest) -> None:
        text = self.work / MANIFEST
        text.write_text(manifest.dump())
        self.adopt(MANIFEST, text)
        self._tar.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        # A link fails where the name is taken; a rename would replace what is there.
        os.link(self.work / "backup.tar", self._target)
        _sync_folder(self._target.parent)

    def close(self) -> None:
        self._file.close()


class _Meter:
    """Hashes what is read of a file."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.sha256 = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self.sha256.update(data)
        return data


@contextmanager
def begin(target: Path) -> Generator[Writer]:
    """A writer for ``target``, a new tar file or a new folder; what is left unfinished at the end is removed.

    Raises StackError when the place cannot be used, the name is taken, the disk is full, or another backup is
    being written there.
    """
    work = target.parent / f".{target.name}{_UNFINISHED}"
    try:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _alone(target.parent):
            if target.exists():
                raise StackError(f"{target} exists already.", remedy="Give another name; nothing is overwritten.")
            _clear_leftovers(target.parent)
            work.mkdir(mode=0o700)
            writer = (TarWriter if target.suffix == TAR else FolderWriter)(work, target)
            try:
                yield writer
            finally:
                writer.close()
                shutil.rmtree(work, ignore_errors=True)
    except OSError as error:
        raise as_stack_error(error, target) from error


def as_stack_error(error: OSError, target: Path) -> StackError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StackError(
            f"The disk of {target} is full; nothing was left there.", remedy="Make room, or go elsewhere."
        )
    return StackError(f"{error.filename or target}: {error.strerror or error}.", remedy="Is the place writable?")


@contextmanager
def _alone(folder: Path) -> Generator[None]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(
                f"Another backup is being written into {folder}.", remedy="Wait for its end, or give another place."
            ) from None
        yield
    finally:
        os.close(descriptor)


def _clear_leftovers(folder: Path) -> None:
    """What killed backups left; nobody writes here now."""
    for left in folder.glob(f".*{_UNFINISHED}"):
        shutil.rmtree(left, ignore_errors=True)


def copy_hashed(source: BinaryIO, target: BinaryIO | None = None) -> tuple[int, str]:
    """Size and SHA-256 of what was read, and copied if there is a target."""
    digest, size = hashlib.sha256(), 0
    while chunk := source.read(CHUNK_BYTES):
        digest.update(chunk)
        size += len(chunk)
        if target is not None:
            target.write(chunk)
    return size, digest.hexdigest()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
