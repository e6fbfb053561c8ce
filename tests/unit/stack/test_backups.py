"""Backups that are not what was written, or come to the wrong place, are refused before anything is touched."""

import errno
import json
import tarfile
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from uuid import UUID

import pytest
from common.migrations import known_revisions
from stack import commands, keys
from stack.backups.continuing import Standing, begin_at
from stack.backups.manifest import FORMAT, MANIFEST, BackupDamaged, BackupTooNew, Manifest, Piece, parse
from stack.backups.reading import open_backup
from stack.backups.restoring import Wanted, restore
from stack.backups.taking import Asked, take
from stack.backups.writing import begin
from stack.errors import AlreadyRunning, StackError
from stack.layout import DATABASE_MAJOR, SERVICES, DataFolder
from stack.results import BackupVerified

OBJECT = "objects/audio/ab/sound.flac"


def silent(_line: str) -> None:
    pass


@cache
def heads() -> dict[str, str]:
    return {service: max(known_revisions(service)) for service in SERVICES}


def manifest(pieces: list[Piece]) -> Manifest:
    return Manifest(FORMAT, "0.1.0", "2026-11-29T12:00:00+00:00", DATABASE_MAJOR, heads(), {"gateway.users": 1}, pieces)


def write(target: Path, change: Callable[[Manifest], Manifest] = lambda same: same) -> Path:
    source = target.parent / "source"
    source.write_bytes(b"sound")
    pieces: list[Piece] = []
    with begin(target) as writer:
        for name in ("database.dump", OBJECT, "secrets/secrets.json"):
            with source.open("rb") as file:
                pieces.append(writer.add(name, file))
        writer.finish(change(manifest(pieces)))
    return target


@pytest.fixture(params=["folder", "tar"])
def backup(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return write(tmp_path / ("earshot-1" if request.param == "folder" else "earshot-1.tar"))


def verify(path: Path) -> BackupVerified:
    return commands.verify_backup(path, say=silent)


def swap(path: Path, old: bytes, new: bytes) -> None:
    """Change bytes of a backup where they lie."""
    files = [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]
    changed = [each for each in files if old in each.read_bytes()]
    assert changed
    changed[0].write_bytes(changed[0].read_bytes().replace(old, new, 1))


def test_what_was_written_is_whole_and_private(backup: Path) -> None:
    found = verify(backup)
    assert (found.objects, found.rows, found.size_bytes) == (1, 1, 15)
    files = [backup] if backup.is_file() else [each for each in backup.rglob("*") if each.is_file()]
    assert {each.stat().st_mode & 0o777 for each in files} == {0o600}


def test_one_changed_byte_is_found(backup: Path) -> None:
    swap(backup, b"sound", b"sOund")
    with pytest.raises(BackupDamaged, match="was changed after it was written"):
        verify(backup)


def test_a_changed_manifest_is_found(backup: Path) -> None:
    swap(backup, b'"gateway.users": 1', b'"gateway.users": 2')
    with pytest.raises(BackupDamaged, match=r"manifest\.json was changed"):
        verify(backup)


def test_a_piece_that_is_gone_is_found(tmp_path: Path) -> None:
    backup = write(tmp_path / "earshot-1")
    (backup / OBJECT).unlink()
    with pytest.raises(BackupDamaged, match=f"{OBJECT} is missing"):
        verify(backup)


def test_a_tar_that_breaks_off_is_no_backup(tmp_path: Path) -> None:
    backup = write(tmp_path / "all.tar")
    backup.write_bytes(backup.read_bytes()[:1500])
    with pytest.raises(StackError):
        verify(backup)


def test_a_backup_without_its_dump_is_none(tmp_path: Path) -> None:
    backup = write(tmp_path / "earshot-1", lambda made: replace(made, pieces=made.pieces[1:]))
    with pytest.raises(BackupDamaged, match=r"database\.dump is not in"):
        verify(backup)


@pytest.mark.parametrize("path", ["../../etc/passwd", "/etc/passwd", "objects/../../x"])
def test_no_piece_lies_outside(path: str) -> None:
    with pytest.raises(BackupDamaged, match="not a piece of a backup"):
        parse(manifest([Piece(path, 1, "0" * 64)]).dump())


def test_a_piece_that_nobody_knows_ends_the_restore(tmp_path: Path) -> None:
    def strange(made: Manifest) -> Manifest:
        return replace(made, pieces=[*made.pieces, replace(made.pieces[0], path="postgres/18/PG_VERSION")])

    backup = write(tmp_path / "earshot-1", strange)
    (backup / "postgres" / "18").mkdir(parents=True)
    (backup / "postgres" / "18" / "PG_VERSION").write_bytes(b"sound")
    refused(backup, tmp_path / "new", "Nobody knows where")


def test_a_newer_schema_is_refused(backup: Path, tmp_path: Path) -> None:
    newer = write(tmp_path / "earshot-2", lambda made: replace(made, heads=made.heads | {"asr": "9999"}))
    with pytest.raises(BackupTooNew, match="asr is at revision 9999"):
        verify(newer)
    refused(newer, tmp_path / "new", "asr is at revision 9999")


def test_a_newer_format_is_told_before_its_content_is_read() -> None:
    found = json.loads(manifest([]).dump()) | {"format": FORMAT + 1, "pieces": "other"}
    with pytest.raises(BackupTooNew, match=f"format {FORMAT + 1}"):
        parse(json.dumps(found))


def test_a_newer_postgres_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BackupTooNew, match="Postgres"):
        verify(write(tmp_path / "earshot-1", lambda made: replace(made, postgres=DATABASE_MAJOR + 1)))


def refused(backup: Path, data: Path, reason: str) -> None:
    """And the place is as it was."""
    before = sorted(data.rglob("*")) if data.exists() else None
    with pytest.raises(StackError, match=reason):
        restore(Wanted(backup, DataFolder.at(data), {}), silent)
    assert (sorted(data.rglob("*")) if data.exists() else None) == before
    assert not list(data.parent.glob(".*.restoring"))


def test_only_an_empty_folder_is_restored_into(backup: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "something").write_text("of somebody")
    refused(backup, data, "is not empty")


def test_a_damaged_backup_is_not_restored(backup: Path, tmp_path: Path) -> None:
    swap(backup, b"sound", b"s0und")
    refused(backup, tmp_path / "data", "was changed after it was written")


def test_other_servers_are_not_restored_into(backup: Path, tmp_path: Path) -> None:
    wanted = Wanted(backup, DataFolder.at(tmp_path / "data"), {"DATABASE_URL": "postgresql://x@localhost/x"})
    with pytest.raises(StackError, match="DATABASE_URL or OBJECT_STORE_URL is set"):
        restore(wanted, silent)


def test_what_is_no_backup_is_told(tmp_path: Path) -> None:
    for path, reason in ((tmp_path, "no finished backup"), (tmp_path / "absent", "There is no backup")):
        with pytest.raises(StackError, match=reason):
            verify(path)
    (tmp_path / "x.tar").write_bytes(b"not a tar")
    with pytest.raises(StackError, match="no finished backup"):
        verify(tmp_path / "x.tar")


def test_of_a_folder_of_backups_the_newest_finished_one_is_read(tmp_path: Path) -> None:
    write(tmp_path / "earshot-20260101T000000Z")
    newest = write(tmp_path / "earshot-20260301T000000Z")
    (tmp_path / "earshot-20260401T000000Z").mkdir()
    with open_backup(tmp_path) as found:
        assert found.path == newest


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder as a stack leaves it, with nothing in it."""
    folder = DataFolder.at(tmp_path / "data")
    folder.prepare()
    keys.load_or_make(folder.secrets)
    (folder.postgres).mkdir(parents=True)
    (folder.postgres / "PG_VERSION").write_text("18\n")
    return folder.path


def not_taken(data: Path, target: Path, reason: str, environ: dict[str, str] | None = None) -> None:
    with pytest.raises(StackError, match=reason):
        take(Asked(DataFolder.at(data), target, environ=environ or {}), silent)


def test_a_backup_does_not_lie_in_what_it_is_of(data: Path) -> None:
    not_taken(data, data / "backups", "lies inside")
    not_taken(data, data / "objects" / "all.tar", "lies inside")


def test_a_backup_needs_an_earshot(tmp_path: Path, data: Path) -> None:
    not_taken(tmp_path / "nothing", tmp_path / "b", "There is no Earshot")
    (data / "postgres" / "18" / "PG_VERSION").unlink()
    not_taken(data, data.parent / "b", "There is no database")


def test_a_bucket_is_copied_by_its_own_tools(data: Path, tmp_path: Path) -> None:
    not_taken(data, tmp_path / "b", "s3://bucket", {"OBJECT_STORE_URL": "s3://bucket/prefix"})


def test_nothing_is_overwritten(backup: Path) -> None:
    content = sorted(backup.rglob("*")) or backup.read_bytes()
    with pytest.raises(StackError, match="exists already"), begin(backup):
        pass
    assert (sorted(backup.rglob("*")) or backup.read_bytes()) == content


@pytest.mark.parametrize("name", ["earshot-1", "all.tar"])
def test_a_full_disk_leaves_nothing(tmp_path: Path, name: str) -> None:
    with pytest.raises(StackError, match=r"The disk of .* is full"), begin(tmp_path / "to" / name):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert list((tmp_path / "to").iterdir()) == []


def test_two_backups_do_not_write_into_one_folder(tmp_path: Path) -> None:
    with begin(tmp_path / "earshot-1"), pytest.raises(AlreadyRunning), begin(tmp_path / "earshot-2"):
        pass


def test_what_a_killed_backup_left_goes_with_the_next(tmp_path: Path) -> None:
    left = tmp_path / ".earshot-1.earshot-partial"
    left.mkdir()
    (left / MANIFEST).write_text("{")
    write(tmp_path / "earshot-2")
    assert not left.exists()


def test_a_tar_holds_the_manifest_last(tmp_path: Path) -> None:
    with tarfile.open(write(tmp_path / "all.tar")) as tar:
        assert tar.getnames()[-1] == MANIFEST


STANDING = Standing(UUID(int=1), "index", True, 1, 1, 1, 1)


@pytest.mark.parametrize(
    ("standing", "start"),
    [
        (STANDING, "index"),
        # The embedder never heard of the newest text.
        (replace(STANDING, heard_revision=0), "transcribe"),
        (replace(STANDING, transcribed_revision=2), "transcribe"),
        (replace(STANDING, transcribed_revision=0, heard_revision=0), "transcribe"),
        (replace(STANDING, stage="transcribe"), "transcribe"),
        # asr never heard of the recording, or only of an earlier run's.
        (replace(STANDING, stage="transcribe", taken_up_run=0), "fetch"),
        (replace(STANDING, stage="transcribe", fetched_run=2), "fetch"),
        (replace(STANDING, heard_revision=0, taken_up_run=0), "fetch"),
        (replace(STANDING, stage="fetch"), "fetch"),
        (replace(STANDING, stage="fetch", fetched_run=0, taken_up_run=0), "fetch"),
        (replace(STANDING, stage="fetch", registered=False, fetched_run=0, taken_up_run=0), "register"),
    ],
)
def test_a_job_goes_on_where_its_owner_has_what_it_needs(standing: Standing, start: str) -> None:
    assert begin_at(standing) == start
