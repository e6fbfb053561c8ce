"""Opens a backup, folder or tar file, and vouches for every byte that is read from it."""

import tarfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

from stack.backups.manifest import MANIFEST, BackupDamaged, Manifest, Piece, parse
from stack.backups.writing import copy_hashed
from stack.errors import StackError

NAME = "earshot-"


class Box(Protocol):
    """Where the pieces lie."""

    path: Path

    def open(self, path: str) -> BinaryIO:
        """Raises FileNotFoundError."""
        ...


class FolderBox:
    def __init__(self, path: Path) -> None:
        self.path = path

    def open(self, path: str) -> BinaryIO:
        return (self.path / path).open("rb")


class TarBox:
    """Only the files that the manifest names are read; nothing is unpacked by the names in the tar."""

    def __init__(self, path: Path, tar: tarfile.TarFile) -> None:
        self.path = path
        self._tar = tar

    def open(self, path: str) -> BinaryIO:
        try:
            file = self._tar.extractfile(path)
        except KeyError:
            file = None
        if file is None:
            raise FileNotFoundError(path)
        return file  # pyright: ignore[reportReturnType] - reads bytes like any file


class Backup:
    """An opened backup with its manifest."""

    def __init__(self, box: Box) -> None:
        self.box = box
        try:
            with box.open(MANIFEST) as file:
                self.manifest: Manifest = parse(file.read().decode())
        except FileNotFoundError:
            raise not_a_backup(box.path) from None
        except UnicodeDecodeError as error:
            raise BackupDamaged(f"{MANIFEST} cannot be read: {error}", remedy="Use another backup.") from error

    @property
    def path(self) -> Path:
        return self.box.path

    def copy(self, piece: Piece, target: BinaryIO | None = None) -> None:
        """Reads the piece, into ``target`` if there is one. Raises BackupDamaged when it is not what was written."""
        try:
            with self.box.open(piece.path) as source:
                found = copy_hashed(source, target)
        except FileNotFoundError:
            raise BackupDamaged(f"{piece.path} is missing in {self.path}.", remedy="Use another backup.") from None
        except tarfile.ReadError as error:
            raise BackupDamaged(f"{self.path} breaks off: {error}.", remedy="Use another backup.") from error
        if found != (piece.size_bytes, piece.sha256):
            raise BackupDamaged(
                f"{piece.path} in {self.path} was changed after it was written: {found[0]} bytes, SHA-256 {found[1]}.",
                remedy="Use another backup.",
            )


@contextmanager
def open_backup(path: Path) -> Generator[Backup]:
    """A backup, or the newest in a folder of backups. Raises StackError when it is none."""
    path = path.expanduser().absolute()
    if path.is_file():
        try:
            with tarfile.open(path, "r:") as tar:
                yield Backup(TarBox(path, tar))
        except tarfile.ReadError as error:
            raise not_a_backup(path) from error
        return
    if not path.is_dir():
        raise StackError(f"There is no backup at {path}.", remedy="Give the folder or tar file of one.")
    if not (path / MANIFEST).is_file():
        newest = newest_in(path)
        if newest is None:
            raise not_a_backup(path)
        path = newest
    yield Backup(FolderBox(path))


def newest_in(folder: Path) -> Path | None:
    """The newest finished backup of a folder of them; names hold the time."""
    found = sorted(path.parent for path in folder.glob(f"{NAME}*/{MANIFEST}"))
    return found[-1] if found else None


def not_a_backup(path: Path) -> StackError:
    return StackError(f"{path} is no finished backup.", remedy="Give a folder or tar file that `earshot backup` made.")
