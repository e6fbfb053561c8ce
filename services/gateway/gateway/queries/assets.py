"""Assets: born, read by users, and locked for a change."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from common.db import Connection
from common.events import KeepMedia, Priority

_SEEN = """
    a.id, a.short_id, a.kind, a.title, a.collection_id, a.status, a.stage, a.run, a.version, a.source,
    a.duration_seconds, a.language, a.media_facts, a.recorded_at, a.created_at, a.updated_at,
    ARRAY(SELECT t.name FROM asset_tags AS t WHERE t.asset_id = a.id ORDER BY t.name) AS tags,
    (
        SELECT s.error FROM jobs AS j JOIN stages AS s ON s.job_id = j.id
        WHERE j.asset_id = a.id AND j.run = a.run AND s.status = 'failed' ORDER BY s.position LIMIT 1
    ) AS error,
    (
        SELECT a.created_at + make_interval(hours => 24 * c.retention_days)
        FROM collections AS c WHERE c.id = a.collection_id
    ) AS expires_at
    FROM assets AS a
"""
_HELD = """
    id, kind, collection_id, title, title_given, status, run, revision, version, priority, options, recorded_at,
    duration_seconds, deleted_at FROM assets
"""


@dataclass(frozen=True)
class Asset:
    """An asset as its readers see it."""

    id: UUID
    short_id: str
    kind: str
    title: str
    collection_id: UUID
    status: str
    stage: str
    run: int
    version: int
    source: dict[str, Any]
    duration_seconds: float | None
    language: str | None
    media_facts: dict[str, Any] | None
    recorded_at: datetime | None
    created_at: datetime
    updated_at: datetime
    tags: list[str]
    error: dict[str, Any] | None
    expires_at: datetime | None


@dataclass(frozen=True)
class HeldAsset:
    """An asset whose row this transaction has locked."""

    id: UUID
    kind: str
    collection_id: UUID
    title: str
    title_given: bool
    status: str
    run: int
    revision: int
    version: int
    priority: Priority
    options: dict[str, Any]
    recorded_at: datetime | None
    duration_seconds: float | None
    deleted_at: datetime | None


@dataclass(frozen=True)
class NewAsset:
    """What is known of an asset at its birth; ``source`` and ``options`` as in the fact ``asset.registered``."""

    id: UUID
    short_id: str
    kind: str
    collection_id: UUID
    created_by: UUID | None
    title: str
    title_given: bool
    stage: str
    source: dict[str, Any]
    options: dict[str, Any]
    keep_media: str
    priority: str
    recorded_at: datetime | None


@dataclass(frozen=True)
class AssetFilter:
    """Which assets a list shows; None does not filter."""

    kind: str | None = None
    status: str | None = None
    collection_id: UUID | None = None
    tag: str | None = None
    recorded_after: datetime | None = None
    recorded_before: datetime | None = None
    updated_after: datetime | None = None
    updated_before: datetime | None = None
    words: str | None = None


async def add_asset(conn: Connection, new: NewAsset) -> None:
    await conn.execute(
        """
        INSERT INTO assets (id, short_id, kind, collection_id, created_by, title, title_given, status, stage, source,
            options, keep_media, priority, recorded_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, 'pending', $8, $9, $10, $11, $12, $13)
        """,
        new.id,
        new.short_id,
        new.kind,
        new.collection_id,
        new.created_by,
        new.title,
        new.title_given,
        new.stage,
        new.source,
        new.options,
        new.keep_media,
        new.priority,
        new.recorded_at,
    )


async def asset_by_id(conn: Connection, asset_id: UUID) -> Asset | None:
    """Also one that is being deleted: who may see it is decided before."""
    row = await conn.fetchrow(f"SELECT {_SEEN} WHERE a.id = $1", asset_id)
    return Asset(**row) if row else None


async def hold_asset(conn: Connection, asset_id: UUID) -> HeldAsset | None:
    """Locks the row until the transaction ends."""
    row = await conn.fetchrow(f"SELECT {_HELD} WHERE id = $1 FOR UPDATE", asset_id)
    return HeldAsset(**row) if row else None


async def is_without_sound(conn: Connection, asset_id: UUID) -> bool:
    """Whether nothing but its subtitles was ever fetched of the recording."""
    return await conn.fetchval("SELECT coalesce(media_facts ? 'cues', false) FROM assets WHERE id = $1", asset_id)


async def keep_media_of(conn: Connection, asset_id: UUID) -> KeepMedia:
    return await conn.fetchval("SELECT keep_media FROM assets WHERE id = $1", asset_id)


async def assets_before(
    conn: Connection, user_id: UUID, which: AssetFilter, before: UUID | None, limit: int
) -> list[Asset]:
    """Those that the user may see, newest first."""
    rows = await conn.fetch(
        f"""
        SELECT {_SEEN} JOIN access AS v ON v.collection_id = a.collection_id
        WHERE v.user_id = $1 AND a.deleted_at IS NULL
            AND ($2::text IS NULL OR a.kind = $2)
            AND ($3::text IS NULL OR a.status = $3)
            AND ($4::uuid IS NULL OR a.collection_id = $4)
            AND ($5::text IS NULL OR EXISTS (SELECT 1 FROM asset_tags AS t WHERE t.asset_id = a.id AND t.name = $5))
            AND ($6::timestamptz IS NULL OR a.recorded_at >= $6)
            AND ($7::timestamptz IS NULL OR a.recorded_at < $7)
            AND ($8::timestamptz IS NULL OR a.updated_at >= $8)
            AND ($9::timestamptz IS NULL OR a.updated_at < $9)
            AND ($10::text IS NULL OR a.title ILIKE $10 OR a.short_id ILIKE $10)
            AND ($11::uuid IS NULL OR a.id < $11)
        ORDER BY a.id DESC LIMIT $12
        """,
        user_id,
        which.kind,
        which.status,
        which.collection_id,
        which.tag,
        which.recorded_after,
        which.recorded_before,
        which.updated_after,
        which.updated_before,
        _containing(which.words),
        before,
        limit,
    )
    return [Asset(**row) for row in rows]


async def assets_after(
    conn: Connection, user_id: UUID, collection_id: UUID, after: UUID | None, until: UUID, limit: int
) -> list[Asset]:
    """Those of a collection that the user may see, oldest first, up to and with the id ``until``."""
    rows = await conn.fetch(
        f"""
        SELECT {_SEEN} JOIN access AS v ON v.collection_id = a.collection_id
        WHERE v.user_id = $1 AND a.collection_id = $2 AND a.deleted_at IS NULL
            AND ($3::uuid IS NULL OR a.id > $3) AND a.id <= $4
        ORDER BY a.id LIMIT $5
        """,
        user_id,
        collection_id,
        after,
        until,
        limit,
    )
    return [Asset(**row) for row in rows]


def _containing(words: str | None) -> str | None:
    """A pattern for ILIKE in which the user's own % and _ stand for themselves."""
    if not words:
        return None
    escaped = words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
