"""Finished content by its SHA-256: stored once, counted by references, removed when nothing refers to it.

The row comes before the bytes, so that no bytes are ever without a row that leads a sweeper to them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from asyncpg import Record

from common import crash
from common.db import Connection, Database
from common.errors import TryAgain
from common.store import ObjectStore, file_sha256

# What was kept but never referred to (its worker died in between) goes after this long.
_GRACE = "1 hour"
_SWEEPABLE = f"""(unreferenced_at IS NOT NULL OR touched_at < now() - interval '{_GRACE}')
    AND NOT EXISTS (SELECT FROM object_refs r WHERE r.kind = o.kind AND r.sha256 = o.sha256)"""
_MINE = "FOR UPDATE SKIP LOCKED"


@dataclass(frozen=True)
class Kept:
    """Content in the object store at ``uri``."""

    kind: str
    sha256: str
    uri: str
    size_bytes: int


async def keep(db: Database, store: ObjectStore, kind: str, path: Path, suffix: str) -> Kept:
    """Store a finished file once, whoever stores it too. Call outside any transaction, then ``refer``."""
    digest = await file_sha256(path)
    kept = Kept(kind, digest, f"{kind}/{digest[:2]}/{digest}{suffix}", path.stat().st_size)
    for _ in range(5):
        if await _announce(db, kept):
            return kept
        crash.point("objects.announced")
        await store.put_file(kept.uri, path)
        crash.point("objects.written")
        if await _mark_stored(db, kept):
            crash.point("objects.marked")
            return kept
    raise TryAgain("the same content is being removed at this moment")


async def _announce(db: Database, kept: Kept) -> bool:
    """Make or touch the row; answers whether the bytes are there already."""
    async with db.transaction() as conn:
        return await conn.fetchval(
            """
            INSERT INTO objects AS o (kind, sha256, uri, size_bytes) VALUES ($1, $2, $3, $4)
            ON CONFLICT (kind, sha256) DO UPDATE SET touched_at = now(), unreferenced_at = NULL
            RETURNING stored_at IS NOT NULL
            """,
            kept.kind,
            kept.sha256,
            kept.uri,
            kept.size_bytes,
        )


async def _mark_stored(db: Database, kept: Kept) -> bool:
    """False when a sweeper took the row away during the upload."""
    async with db.transaction() as conn:
        status = await conn.execute(
            "UPDATE objects SET stored_at = coalesce(stored_at, now()), touched_at = now() "
            "WHERE kind = $1 AND sha256 = $2",
            kept.kind,
            kept.sha256,
        )
    return status == "UPDATE 1"


async def refer(conn: Connection, kept: Kept, asset_id: UUID, name: str) -> None:
    """Tie the content to the asset under ``name``, replacing what had that name. Raises TryAgain when swept."""
    # The update makes a sweeper that waits for this row look at it again and leave it.
    status = await conn.execute(
        "UPDATE objects SET touched_at = now(), unreferenced_at = NULL "
        "WHERE kind = $1 AND sha256 = $2 AND stored_at IS NOT NULL",
        kept.kind,
        kept.sha256,
    )
    if status != "UPDATE 1":
        raise TryAgain("the stored content was removed in between")
    replaced = await conn.fetch(
        "DELETE FROM object_refs WHERE asset_id = $1 AND name = $2 AND (kind, sha256) <> ($3, $4) "
        "RETURNING kind, sha256",
        asset_id,
        name,
        kept.kind,
        kept.sha256,
    )
    await conn.execute(
        "INSERT INTO object_refs (asset_id, name, kind, sha256) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        asset_id,
        name,
        kept.kind,
        kept.sha256,
    )
    await _count(conn, replaced)
    crash.point("objects.referred")


async def release(conn: Connection, asset_id: UUID, names: list[str] | None = None) -> None:
    """Untie the asset's content (all of it, or only ``names``); call ``sweep`` after the commit."""
    released = await conn.fetch(
        "DELETE FROM object_refs WHERE asset_id = $1 AND ($2::text[] IS NULL OR name = ANY($2)) RETURNING kind, sha256",
        asset_id,
        names,
    )
    await _count(conn, released)


async def release_all(conn: Connection, owner_ids: Sequence[UUID]) -> None:
    """The same for several at once, whatever they are: all content of theirs."""
    released = await conn.fetch(
        "DELETE FROM object_refs WHERE asset_id = ANY($1::uuid[]) RETURNING kind, sha256", list(owner_ids)
    )
    await _count(conn, released)


async def abandon(db: Database, kept: Iterable[Kept]) -> None:
    """What was kept for an asset that is gone by now: it goes with the next sweep, unless others refer to it.

    Nobody needs to call this for safety; without it the content stays for the hour of grace.
    """
    async with db.transaction() as conn:
        # In the order in which rows are locked everywhere.
        for each in sorted(kept, key=lambda one: (one.kind, one.sha256)):
            await conn.execute(
                """
                UPDATE objects o SET unreferenced_at = now()
                WHERE kind = $1 AND sha256 = $2
                  AND NOT EXISTS (SELECT FROM object_refs r WHERE r.kind = o.kind AND r.sha256 = o.sha256)
                """,
                each.kind,
                each.sha256,
            )


async def _count(conn: Connection, untied: list[Record]) -> None:
    """Mark what has no reference left, under its lock: of two that let go at once, the later one sees it."""
    kinds = [row["kind"] for row in untied]
    digests = [row["sha256"] for row in untied]
    await conn.execute(
        """
        SELECT FROM objects WHERE (kind, sha256) IN (SELECT * FROM unnest($1::text[], $2::text[]))
        ORDER BY kind, sha256 FOR UPDATE
        """,
        kinds,
        digests,
    )
    await conn.execute(
        """
        UPDATE objects o SET unreferenced_at = now()
        WHERE (kind, sha256) IN (SELECT * FROM unnest($1::text[], $2::text[]))
          AND NOT EXISTS (SELECT FROM object_refs r WHERE r.kind = o.kind AND r.sha256 = o.sha256)
        """,
        kinds,
        digests,
    )


async def sweep(db: Database, store: ObjectStore) -> int:
    """Remove every object that nothing refers to. Returns how many went."""
    swept = 0
    while await _sweep_one(db, store):
        swept += 1
    return swept


async def _sweep_one(db: Database, store: ObjectStore) -> bool:
    async with db.transaction() as conn:
        doomed = await conn.fetchrow(f"SELECT kind, sha256, uri FROM objects o WHERE {_SWEEPABLE} LIMIT 1 {_MINE}")
        if doomed is None:
            return False
        # Committed first: should what follows be cut off, nobody takes the bytes for being there.
        await conn.execute("UPDATE objects SET stored_at = NULL WHERE kind = $1 AND sha256 = $2", *doomed[:2])
    # The bytes go while the row is locked: whoever stores the same content meanwhile waits, then stores it anew.
    async with db.transaction() as conn:
        still = f"SELECT FROM objects o WHERE kind = $1 AND sha256 = $2 AND stored_at IS NULL AND {_SWEEPABLE} {_MINE}"
        if await conn.fetchrow(still, *doomed[:2]) is not None:
            crash.point("objects.removing")
            await store.delete(doomed["uri"])
            crash.point("objects.removed")
            await conn.execute("DELETE FROM objects WHERE kind = $1 AND sha256 = $2", *doomed[:2])
    return True


async def unswept(conn: Connection) -> bool:
    """Whether anything waits to be removed; a sweeper beside us may be at it."""
    return bool(
        await conn.fetchval(
            "SELECT true FROM objects o WHERE unreferenced_at IS NOT NULL "
            "AND NOT EXISTS (SELECT FROM object_refs r WHERE r.kind = o.kind AND r.sha256 = o.sha256) LIMIT 1"
        )
    )
