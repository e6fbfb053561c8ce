"""Restores a backup into a new data folder, which appears under its name when everything in it is right."""

import asyncio
import os
import shutil
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import asyncpg
from common import bootstrap

from stack import keys, state
from stack.backups import dumping
from stack.backups.continuing import go_on
from stack.backups.manifest import DUMP, OBJECTS, SECRETS, BackupDamaged, Manifest
from stack.backups.reading import Backup, open_backup
from stack.backups.snapshot import count_rows
from stack.backups.verifying import check
from stack.backups.writing import as_stack_error
from stack.config import Given, database_urls, role_of
from stack.database import revisions, started_alone
from stack.errors import StackError
from stack.layout import SERVICES, DataFolder
from stack.private import create_private
from stack.results import Restored
from stack.wish import Say


@dataclass(frozen=True)
class Wanted:
    """``folder`` is made, or is empty."""

    source: Path
    folder: DataFolder
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)


def restore(wanted: Wanted, say: Say) -> Restored:
    """StackError with what is in the way; then the data folder is as it was."""
    target = wanted.folder.path
    _check_target(wanted)
    with open_backup(wanted.source) as backup:
        check(backup, say)
        try:
            with _unfinished(target, backup.manifest) as folder:
                restored = _fill(folder, backup, say)
                _take_place(folder.path, target)
        except OSError as error:
            raise as_stack_error(error, target) from error
        return Restored(
            data=target,
            source=backup.path,
            rows=sum(backup.manifest.rows.values()),
            objects=len(backup.manifest.objects),
            going_on=restored.jobs,
            migrated=restored.migrated,
            missing=tuple(backup.manifest.missing),
        )


@dataclass(frozen=True)
class _Filled:
    jobs: int
    migrated: tuple[str, ...]


def _check_target(wanted: Wanted) -> None:
    target, given = wanted.folder.path, Given.of(wanted.environ)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise StackError(
            f"{target} is not empty; a backup is restored into a new data folder only.",
            remedy="Give another one with --data, look at what is in it, then move it where you want it.",
        )
    if given.database_url or given.object_store_url:
        raise StackError(
            "DATABASE_URL or OBJECT_STORE_URL is set, and a restored stack has servers of its own.",
            remedy="Unset them, or restore with the tools of those servers: see docs/operations.md.",
        )


@contextmanager
def _unfinished(target: Path, manifest: Manifest) -> Generator[DataFolder]:
    """A data folder beside the target, held by us; it goes when it does not get finished."""
    work = DataFolder(target.with_name(f".{target.name}.restoring"))
    target.parent.mkdir(parents=True, exist_ok=True)
    if state.is_held(work):
        raise StackError(f"{target} is being restored already.", remedy="Wait for its end.")
    shutil.rmtree(work.path, ignore_errors=True)
    _check_room(target.parent, manifest)
    work.prepare()
    try:
        with state.hold(work):
            yield work
    finally:
        shutil.rmtree(work.path, ignore_errors=True)


def _check_room(place: Path, manifest: Manifest) -> None:
    """The database takes several times its dump; this finds only what cannot end well."""
    free = shutil.disk_usage(place).free
    if free < manifest.size_bytes:
        raise StackError(
            f"{place} has {free} bytes free, and the backup alone has {manifest.size_bytes}.",
            remedy="Make room, or give another place with --data.",
        )


def _fill(folder: DataFolder, backup: Backup, say: Say) -> _Filled:
    manifest = backup.manifest
    say(f"Copying {len(manifest.objects)} objects and the keys …")
    for piece in manifest.pieces:
        place = _place(folder, piece.path)
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with create_private(place) as file:
            backup.copy(piece, file)
    secret = keys.load_or_make(folder.secrets)
    dump = _place(folder, DUMP)
    with started_alone(folder, secret, say) as admin_url:
        say(f"Restoring the database: {sum(manifest.rows.values())} rows in {len(manifest.rows)} tables …")
        asyncio.run(_make_roles(admin_url))
        dumping.restore(admin_url, dump)
        dump.unlink()
        filled = asyncio.run(_finish(admin_url, database_urls(admin_url, secret), manifest))
    asyncio.run(bootstrap.prepare_store(folder.objects.as_uri()))
    os.sync()
    return filled


def _place(folder: DataFolder, path: str) -> Path:
    """Where a piece belongs in the data folder."""
    first, *rest = PurePosixPath(path).parts
    if first == OBJECTS and rest:
        return folder.objects.joinpath(*rest)
    if path in (f"{SECRETS}/{folder.secrets.name}", f"{SECRETS}/{folder.admin_key.name}"):
        return folder.path / rest[0]
    if path == DUMP:
        return folder.scratch / DUMP
    raise BackupDamaged(f"Nobody knows where {path} belongs.", remedy="Was the backup made by a later version?")


async def _make_roles(admin_url: str) -> None:
    """A dump holds what roles own and may do, not the roles; passwords and limits come with the migrations."""
    conn = await asyncpg.connect(admin_url)
    try:
        for service in SERVICES:
            await conn.execute(f"CREATE ROLE {role_of(service)} LOGIN")
    finally:
        await conn.close()


async def _finish(admin_url: str, urls: dict[str, str], manifest: Manifest) -> _Filled:
    """Compare, migrate, and let what was under way go on."""
    conn = await asyncpg.connect(admin_url)
    try:
        counted, before = await count_rows(conn), await revisions(conn)
        if counted != manifest.rows:
            differing = sorted(name for name, rows in manifest.rows.items() if counted.get(name) != rows)
            raise BackupDamaged(f"Tables differ from the manifest: {', '.join(differing[:5])}.")
        # A new server knows nothing of its tables, and would plan every search badly until it does.
        await conn.execute("ANALYZE")
        await bootstrap.migrate(admin_url, urls)
        after = await revisions(conn)
    finally:
        await conn.close()
    return _Filled(await go_on(admin_url, urls), tuple(name for name in after if before.get(name) != after[name]))


def _take_place(work: Path, target: Path) -> None:
    """At once; an empty folder in its place is replaced."""
    try:
        work.rename(target)
    except OSError as error:
        raise StackError(
            f"{target} cannot be put in place: {error.strerror}.",
            remedy="A mount point cannot be replaced: give a folder below it with --data.",
        ) from error
