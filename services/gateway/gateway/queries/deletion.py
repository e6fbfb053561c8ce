"""Deleting: gone for users at once, gone from the tables when every owner has purged."""

from dataclasses import dataclass
from uuid import UUID

from common.db import Connection
from common.events import AssetDeleted, Kind, Priority

_EXPIRING = 0x6578706972
# How long ago an asset has to be added so that the policy of its collection deletes it.
_EXPIRED = """
    c.retention_days IS NOT NULL AND c.deleted_at IS NULL AND a.deleted_at IS NULL
    AND a.created_at < now() - make_interval(hours => 24 * c.retention_days)
"""


@dataclass(frozen=True)
class Doomed:
    """An asset that is being deleted with others."""

    id: UUID
    kind: Kind
    collection_id: UUID
    run: int
    priority: Priority

    @property
    def fact(self) -> AssetDeleted:
        return AssetDeleted(asset_id=self.id, run=self.run, collection_id=self.collection_id, priority=self.priority)


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
        WHERE collection_id = $1 AND deleted_at IS NULL RETURNING id, kind, collection_id, run, priority
        """,
        collection_id,
    )
    return [Doomed(**row) for row in rows]


async def mark_expired(conn: Connection, limit: int) -> list[Doomed]:
    """The next assets whose collection keeps them no longer; none while another process is at it.

    What somebody changes at this moment is left for the next turn. Both rows are locked, so that neither a move nor
    another policy can come between.
    """
    if not await conn.fetchval("SELECT pg_try_advisory_xact_lock($1)", _EXPIRING):
        return []
    rows = await conn.fetch(
        f"""
        WITH expired AS (
            SELECT a.id FROM collections AS c JOIN assets AS a ON a.collection_id = c.id
            WHERE {_EXPIRED} LIMIT $1 FOR UPDATE OF a SKIP LOCKED FOR SHARE OF c SKIP LOCKED
        )
        UPDATE assets SET deleted_at = now(), status = 'deleting', updated_at = now()
        FROM expired WHERE assets.id = expired.id
        RETURNING assets.id, assets.kind, assets.collection_id, assets.run, assets.priority
        """,
        limit,
    )
    return [Doomed(**row) for row in rows]


async def count_expired(conn: Connection) -> int:
    """Assets that should be gone and are not."""
    return await conn.fetchval(
        f"SELECT count(*) FROM collections AS c JOIN assets AS a ON a.collection_id = c.id WHERE {_EXPIRED}"
    )


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
