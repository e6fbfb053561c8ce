"""Deleting: gone for users at once, gone from the tables when every owner has purged."""

from dataclasses import dataclass
from uuid import UUID

from common.db import Connection
from common.events import Priority


@dataclass(frozen=True)
class Doomed:
    """An asset of a collection that is being deleted."""

    id: UUID
    run: int
    priority: Priority


async def mark_deleted(conn: Connection, asset_id: UUID) -> None:
    await conn.execute(
        """
        UPDATE assets SET deleted_at = coalesce(deleted_at, now()), status = 'deleting', updated_at = now()
        WHERE id = $1
        """,
        asset_id,
    )


async def mark_all_deleted(conn: Connection, collection_id: UUID) -> list[Doomed]:
    """Every asset of the collection that was still there."""
    rows = await conn.fetch(
        """
        UPDATE assets SET deleted_at = now(), status = 'deleting', updated_at = now()
        WHERE collection_id = $1 AND deleted_at IS NULL RETURNING id, run, priority
        """,
        collection_id,
    )
    return [Doomed(**row) for row in rows]


async def note_purge(conn: Connection, asset_id: UUID, service: str) -> set[str]:
    """The services that have purged the asset by now, this one included."""
    await conn.execute(
        "INSERT INTO purges (asset_id, service) VALUES ($1, $2) ON CONFLICT DO NOTHING", asset_id, service
    )
    rows = await conn.fetch("SELECT service FROM purges WHERE asset_id = $1", asset_id)
    return {row["service"] for row in rows}


async def erase_asset(conn: Connection, asset_id: UUID) -> None:
    """The row, and with it jobs, stages, timeline, tags and purges."""
    await conn.execute("DELETE FROM assets WHERE id = $1 AND deleted_at IS NOT NULL", asset_id)
