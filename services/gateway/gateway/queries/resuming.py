"""What a restored gateway has to say again."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from common.db import Connection
from common.events import KeepMedia, Kind, Priority, RecordingOptions


@dataclass(frozen=True)
class Asked:
    """What somebody asked for when the asset was registered."""

    kind: Kind
    source: dict[str, Any]
    options: RecordingOptions
    keep_media: KeepMedia


@dataclass(frozen=True)
class BeingDeleted:
    """An asset that is gone for its users, but not yet everywhere."""

    id: UUID
    run: int
    collection_id: UUID
    priority: Priority


async def asked(conn: Connection, asset_id: UUID) -> Asked:
    """Raises LookupError when there is no such asset."""
    row = await conn.fetchrow("SELECT kind, source, options, keep_media FROM assets WHERE id = $1", asset_id)
    if row is None:
        raise LookupError(f"there is no asset {asset_id}")
    options = RecordingOptions.model_validate(row["options"])
    return Asked(row["kind"], row["source"], options, row["keep_media"])


async def being_deleted(conn: Connection) -> list[BeingDeleted]:
    rows = await conn.fetch(
        "SELECT id, run, collection_id, priority FROM assets WHERE deleted_at IS NOT NULL ORDER BY id"
    )
    return [BeingDeleted(**row) for row in rows]


async def deleted_collections(conn: Connection) -> list[UUID]:
    rows = await conn.fetch("SELECT id FROM collections WHERE deleted_at IS NOT NULL ORDER BY id")
    return [row["id"] for row in rows]
