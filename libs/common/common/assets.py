"""One row per asset in every service: the lock that orders runs, revisions, cancelling and deletion."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from common.db import Connection
from common.errors import Stale
from common.events import Fact

_COLUMNS = "asset_id, collection_id, run, revision, version, cancelled_run, deleted_at"


@dataclass(frozen=True)
class AssetState:
    """What this service knows of an asset's place in the world."""

    asset_id: UUID
    collection_id: UUID
    run: int
    revision: int
    version: int
    cancelled_run: int
    deleted_at: datetime | None

    def check(self, run: int | None) -> None:
        """Raises Stale when work for ``run`` must leave no trace any more; None is work that belongs to no run."""
        if self.deleted_at is not None:
            raise Stale("the asset is deleted")
        if run is None:
            return
        if run < self.run:
            raise Stale(f"run {run} is superseded by run {self.run}")
        if run <= self.cancelled_run:
            raise Stale(f"run {run} is cancelled")


async def lock_asset(conn: Connection, asset_id: UUID, collection_id: UUID, run: int) -> AssetState:
    """Insert or lock the asset's row until the transaction ends; the run it holds only ever rises."""
    [state] = (await _lock(conn, [asset_id], [collection_id], [run])).values()
    return state


async def lock_assets(conn: Connection, facts: Sequence[Fact]) -> dict[UUID, AssetState]:
    """The same for facts about different assets, locked in the order of their ids."""
    return await _lock(
        conn,
        [fact.asset_id for fact in facts],
        [fact.collection_id for fact in facts],
        [fact.run for fact in facts],
    )


async def _lock(
    conn: Connection, asset_ids: list[UUID], collection_ids: list[UUID], runs: list[int]
) -> dict[UUID, AssetState]:
    rows = await conn.fetch(
        f"""
        INSERT INTO asset_states AS s (asset_id, collection_id, run)
        SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::integer[]) AS came (asset_id, collection_id, run)
        ORDER BY asset_id
        ON CONFLICT (asset_id) DO UPDATE SET run = greatest(s.run, excluded.run)
        RETURNING {_COLUMNS}
        """,
        asset_ids,
        collection_ids,
        runs,
    )
    return {row["asset_id"]: AssetState(**row) for row in rows}


async def read_asset(conn: Connection, asset_id: UUID) -> AssetState | None:
    row = await conn.fetchrow(f"SELECT {_COLUMNS} FROM asset_states WHERE asset_id = $1", asset_id)
    return AssetState(**row) if row else None


async def set_revision(conn: Connection, asset_id: UUID, revision: int) -> None:
    await conn.execute(
        "UPDATE asset_states SET revision = greatest(revision, $2) WHERE asset_id = $1", asset_id, revision
    )


async def set_version(conn: Connection, asset_id: UUID, version: int, collection_id: UUID) -> None:
    """Apply an edit of the asset's own data if it is newer than the one held."""
    await conn.execute(
        "UPDATE asset_states SET version = $2, collection_id = $3 WHERE asset_id = $1 AND version < $2",
        asset_id,
        version,
        collection_id,
    )


async def mark_cancelled(conn: Connection, asset_id: UUID, run: int) -> None:
    await conn.execute(
        "UPDATE asset_states SET cancelled_run = greatest(cancelled_run, $2) WHERE asset_id = $1", asset_id, run
    )


async def mark_deleted(conn: Connection, asset_id: UUID) -> None:
    """The tombstone: it outlives the purge, so that late work finds it."""
    await conn.execute("UPDATE asset_states SET deleted_at = coalesce(deleted_at, now()) WHERE asset_id = $1", asset_id)
