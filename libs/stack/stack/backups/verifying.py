"""Looks at every byte of a backup before anybody relies on it."""

from pathlib import Path

from stack.backups.manifest import DUMP, SECRETS, BackupDamaged, check_version
from stack.backups.reading import Backup, open_backup
from stack.backups.telling import megabytes, telling
from stack.results import BackupVerified
from stack.wish import Say


def verify(path: Path, say: Say) -> BackupVerified:
    """StackError when anything is missing, changed, or made by a later version."""
    with open_backup(path) as backup:
        check(backup, say)
        manifest = backup.manifest
        return BackupVerified(
            path=backup.path,
            taken_at=manifest.taken_at,
            version=manifest.version,
            size_bytes=manifest.size_bytes,
            rows=sum(manifest.rows.values()),
            objects=len(manifest.objects),
            missing=tuple(manifest.missing),
        )


def check(backup: Backup, say: Say) -> None:
    manifest = backup.manifest
    check_version(manifest)
    there = {piece.path for piece in manifest.pieces}
    for needed in (DUMP, f"{SECRETS}/secrets.json"):
        if needed not in there:
            raise BackupDamaged(f"{needed} is not in {backup.path}.", remedy="Use another backup.")
    say(f"Verifying {len(manifest.pieces)} pieces, {megabytes(manifest.size_bytes)} MB …")
    tell = telling(say, manifest.size_bytes)
    for piece in manifest.pieces:
        backup.copy(piece)
        tell(piece.size_bytes)
