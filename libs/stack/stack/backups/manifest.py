"""What a backup consists of: one JSON document beside its pieces, which vouches for each of them and for itself."""

import hashlib
import json
import re
from dataclasses import asdict, dataclass, field, fields
from pathlib import PurePosixPath
from typing import Any

from common.migrations import known_revisions

from stack.errors import StackError
from stack.layout import DATABASE_MAJOR, SERVICES

FORMAT = 1
MANIFEST = "manifest.json"
DUMP = "database.dump"
OBJECTS = "objects"
SECRETS = "secrets"
_SHA256 = re.compile(r"^[0-9a-f]{64}$")


class BackupDamaged(StackError):
    """A backup that is not what was written."""


class BackupTooNew(StackError):
    """A backup of a version that this one does not understand."""


@dataclass(frozen=True)
class Piece:
    """One file of a backup; ``path`` is relative to it, with slashes."""

    path: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """``heads``: the migration that each service's schema stands at; ``rows``: how many each ``schema.table`` holds;
    ``missing``: objects that rows referred to and that were not there, or damaged, when it was taken."""

    format: int
    version: str
    taken_at: str
    postgres: int
    heads: dict[str, str]
    rows: dict[str, int]
    pieces: list[Piece]
    missing: list[str] = field(default_factory=list[str])

    @property
    def size_bytes(self) -> int:
        return sum(piece.size_bytes for piece in self.pieces)

    @property
    def objects(self) -> list[Piece]:
        return [piece for piece in self.pieces if piece.path.startswith(f"{OBJECTS}/")]

    def dump(self) -> str:
        content = asdict(self)
        return json.dumps(content | {"sha256": _digest(content)}, indent=1) + "\n"


def parse(text: str) -> Manifest:
    """Raises BackupDamaged for what was not written like this, BackupTooNew for a later format."""
    try:
        found: dict[str, Any] = json.loads(text)
        digest = found.pop("sha256")
        if found["format"] > FORMAT:
            raise BackupTooNew(
                f"The backup has format {found['format']}; this version of Earshot knows {FORMAT}.",
                remedy="Restore it with the version that made it, or a later one.",
            )
        if digest != _digest(found):
            raise BackupDamaged(f"{MANIFEST} was changed after it was written.", remedy="Use another backup.")
        known = {each.name for each in fields(Manifest)}
        manifest = Manifest(**{name: value for name, value in found.items() if name in known - {"pieces"}}, pieces=[])
        manifest.pieces.extend(_piece(each) for each in found["pieces"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BackupDamaged(f"{MANIFEST} cannot be read: {error}", remedy="Use another backup.") from error
    return manifest


def check_version(manifest: Manifest) -> None:
    """Raises BackupTooNew when the database inside has migrations that this code does not have."""
    if manifest.postgres > DATABASE_MAJOR:
        raise BackupTooNew(
            f"The backup was made with Postgres {manifest.postgres}; this version of Earshot has {DATABASE_MAJOR}.",
            remedy="Upgrade Earshot, then restore.",
        )
    for service in SERVICES:
        head = manifest.heads.get(service)
        if head is not None and head not in known_revisions(service):
            raise BackupTooNew(
                f"The backup's schema of {service} is at revision {head}, which this version of Earshot does not know.",
                remedy=f"Upgrade Earshot to the version that made the backup ({manifest.version}) or a later one.",
            )


def _digest(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _piece(found: dict[str, Any]) -> Piece:
    piece = Piece(str(found["path"]), int(found["size_bytes"]), str(found["sha256"]))
    path = PurePosixPath(piece.path)
    if path.is_absolute() or ".." in path.parts or "\\" in piece.path or not _SHA256.match(piece.sha256):
        raise ValueError(f"not a piece of a backup: {piece.path!r}")
    return piece
