"""Takes a backup: the database at one moment, then every object that it refers to, then keys, then the manifest."""

import asyncio
import os
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

import asyncpg
from common.store import ObjectMissing
from common.store_directory import pinned

from stack import keys, state
from stack.backups import dumping
from stack.backups.manifest import DUMP, FORMAT, OBJECTS, SECRETS, Manifest, Piece
from stack.backups.reading import NAME, newest_in, open_backup
from stack.backups.snapshot import Snapshot, Wanted, hold_snapshot
from stack.backups.telling import megabytes, telling
from stack.backups.writing import TAR, Writer, as_stack_error, begin
from stack.config import Given
from stack.database import database_of
from stack.errors import AlreadyRunning, StackError
from stack.layout import DATABASE_MAJOR, DataFolder
from stack.results import BackedUp
from stack.wish import Say


@dataclass(frozen=True)
class Asked:
    """``full``: objects are copied even where an older backup in the same folder holds them. ``incomplete``: objects
    that are missing or damaged are named in the manifest instead of ending the backup."""

    folder: DataFolder
    target: Path
    full: bool = False
    incomplete: bool = False
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)


def take(asked: Asked, say: Say) -> BackedUp:
    """StackError with what is in the way; then nothing is left behind that could be taken for a backup."""
    given = Given.of(asked.environ)
    secret = _keys_of(asked.folder, given)
    store = _store_of(asked.folder, given)
    target = _target(asked, store)
    older = None if asked.full or target.suffix == TAR else newest_in(target.parent)
    with database_of(asked.folder, secret, given.database_url, say) as admin_url, begin(target) as writer:
        with _kept(store) as read:
            taken = asyncio.run(_take(_Taking(asked, writer, read, older, say), admin_url))
        writer.finish(taken.manifest)
    return BackedUp(
        path=target,
        size_bytes=taken.manifest.size_bytes,
        rows=sum(taken.manifest.rows.values()),
        copied=taken.copied,
        linked=taken.linked,
        missing=tuple(taken.manifest.missing),
    )


@dataclass(frozen=True)
class _Taking:
    """``read`` opens an object by its key, or raises ObjectMissing."""

    asked: Asked
    writer: Writer
    read: Callable[[str], BinaryIO]
    older: Path | None
    say: Say


@dataclass(frozen=True)
class _Taken:
    manifest: Manifest
    copied: int
    linked: int


async def _take(taking: _Taking, admin_url: str) -> _Taken:
    try:
        async with hold_snapshot(admin_url) as snapshot:
            # The store is pinned already: whatever this moment refers to is there until it is copied.
            return await _write(taking, snapshot, admin_url)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, ConnectionError) as error:
        raise StackError(
            f"The database broke off: {error}", remedy="Does Earshot run, or was it stopped meanwhile? Try again."
        ) from error


async def _write(taking: _Taking, snapshot: Snapshot, admin_url: str) -> _Taken:
    writer, asked = taking.writer, taking.asked
    taken_at = datetime.now(UTC).isoformat(timespec="seconds")
    heads, rows, wanted = await snapshot.heads(), await snapshot.rows(), await snapshot.objects()
    taking.say(f"Writing down the database: {sum(rows.values())} rows in {len(rows)} tables …")
    dumping.dump(admin_url, snapshot.id, writer.work / DUMP)
    pieces = [writer.adopt(DUMP, writer.work / DUMP)]
    copying = _Copying(taking, _known_to(taking.older))
    copying.run(wanted)
    pieces += copying.pieces
    pieces += [_add_secret(writer, path) for path in (asked.folder.secrets, asked.folder.admin_key) if path.is_file()]
    if copying.missing and not asked.incomplete:
        some = ", ".join(copying.missing[:3])
        raise StackError(
            f"{len(copying.missing)} objects that the database refers to are missing or damaged: {some}.",
            remedy="Restore them from an older backup, or take this one without them: --incomplete.",
        )
    manifest = Manifest(
        FORMAT, version("earshot-stack"), taken_at, DATABASE_MAJOR, heads, rows, pieces, copying.missing
    )
    return _Taken(manifest, copying.copied, copying.linked)


@dataclass
class _Copying:
    """Objects into the backup, or taken over from an older one that has the same content."""

    taking: _Taking
    known: dict[str, Piece]
    pieces: list[Piece] = field(default_factory=list[Piece])
    missing: list[str] = field(default_factory=list[str])
    copied: int = 0
    linked: int = 0

    def run(self, wanted: list[Wanted]) -> None:
        total = sum(each.size_bytes or 0 for each in wanted)
        self.taking.say(f"Copying {len(wanted)} objects, {megabytes(total)} MB …")
        tell = telling(self.taking.say, total)
        for each in wanted:
            self._one(each)
            tell(each.size_bytes or 0)

    def _one(self, wanted: Wanted) -> None:
        older, path = self.taking.older, f"{OBJECTS}/{wanted.key}"
        known = self.known.get(path)
        same = known is not None and wanted.sha256 is not None and known.sha256 == wanted.sha256
        if known is not None and older is not None and same and self.taking.writer.link(known, older):
            self.pieces.append(known)
            self.linked += 1
            return
        piece = self._copy(wanted.key, path)
        if piece is not None and wanted.sha256 in (None, piece.sha256):
            self.pieces.append(piece)
            self.copied += 1
        elif wanted.needed:
            self.missing.append(wanted.key)

    def _copy(self, key: str, path: str) -> Piece | None:
        """None where there is no such object."""
        try:
            with self.taking.read(key) as source:
                return self.taking.writer.add(path, source)
        except ObjectMissing:
            return None


def _known_to(older: Path | None) -> dict[str, Piece]:
    """What the newest backup beside the new one holds; a damaged one holds nothing."""
    if older is None:
        return {}
    try:
        with open_backup(older) as backup:
            return {piece.path: piece for piece in backup.manifest.objects}
    except StackError:
        return {}


def _keys_of(folder: DataFolder, given: Given) -> keys.Keys:
    if not folder.secrets.is_file():
        raise StackError(f"There is no Earshot in {folder.path}.", remedy="Name its data folder with --data.")
    stopped = state.live(folder) is None
    if given.database_url is None and stopped and not (folder.postgres / "PG_VERSION").exists():
        raise StackError(f"There is no database in {folder.path}.", remedy="Was Earshot ever started there?")
    return keys.load_or_make(folder.secrets)


def _store_of(folder: DataFolder, given: Given) -> Path:
    running = state.live(folder)
    url = given.object_store_url or (running.object_store_url if running else folder.objects.as_uri())
    parts = urlsplit(url)
    if parts.scheme != "file":
        raise StackError(
            f"The objects lie in {parts.scheme}://{parts.netloc}, not in a directory.",
            remedy="Dump the database and copy the bucket with their own tools: docs/operations.md says how.",
        )
    return Path(unquote(parts.path))


def _target(asked: Asked, store: Path) -> Path:
    """The new tar file, or a new folder in the folder of backups."""
    given = asked.target.expanduser().absolute()
    for inside in (asked.folder.path, store):
        if given.resolve().is_relative_to(inside.resolve()):
            raise StackError(
                f"{given} lies inside {inside}, which it is to be a backup of.", remedy="Choose a place elsewhere."
            )
    if given.suffix == TAR:
        return given
    if given.is_file():
        raise StackError(f"{given} exists already.", remedy="Give a folder, or a new file that ends in .tar.")
    now = datetime.now(UTC)
    # To the millisecond: two in one second are two.
    return given / f"{NAME}{now:%Y%m%dT%H%M%S}.{now.microsecond // 1000:03}Z"


@contextmanager
def _kept(store: Path) -> Generator[Callable[[str], BinaryIO]]:
    try:
        with pinned(store) as read:
            yield read
    except BlockingIOError:
        raise AlreadyRunning("Another backup of this Earshot is under way.", remedy="Wait for its end.") from None
    except FileNotFoundError as error:
        if error.filename and Path(str(error.filename)).parent == store:
            raise StackError(f"There is no object store at {store}.", remedy="Was Earshot ever started?") from error
        raise as_stack_error(error, store) from error


def _add_secret(writer: Writer, path: Path) -> Piece:
    with path.open("rb") as file:
        return writer.add(f"{SECRETS}/{path.name}", file)
