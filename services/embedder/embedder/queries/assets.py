"""What is known of each asset, and what of it is indexed."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from common.db import Connection
from common.events import TranscriptFact


@dataclass(frozen=True)
class Indexed:
    """An asset's row: the ``run`` whose last stage the index was, the ``revision`` it holds; 0 while there is none.

    A correction raises the revision alone, since it is no stage of any run. ``heard_run`` and ``heard_revision``: of
    the newest transcript heard of.
    """

    number: int
    collection_id: UUID
    run: int
    revision: int
    chunk_count: int
    language: str | None
    heard_run: int
    heard_revision: int


def registered_at(asset_id: UUID) -> datetime:
    """The moment an asset was registered, which its UUIDv7 begins with."""
    return datetime.fromtimestamp((asset_id.int >> 80) / 1000, UTC)


async def remember(conn: Connection, fact: TranscriptFact, collection_id: UUID) -> None:
    """Keep the newest transcript heard of, so that the index can be made again from it."""
    await conn.execute(
        """
        INSERT INTO indexed_assets AS a (asset_id, collection_id, kind, title, language, duration_seconds,
            recorded_at, registered_at, heard_run, heard_revision, heard)
        VALUES ($1, $2, 'recording', $3, $4, $5, $6, $7, $8, $9, $10)
        ON CONFLICT (asset_id) DO UPDATE SET
            heard_run = excluded.heard_run, heard_revision = excluded.heard_revision, heard = excluded.heard
        WHERE (excluded.heard_run, excluded.heard_revision) >= (a.heard_run, a.heard_revision)
        """,
        fact.asset_id,
        collection_id,
        fact.title,
        fact.language,
        fact.duration_seconds,
        fact.recorded_at,
        registered_at(fact.asset_id),
        fact.run,
        fact.revision,
        fact.model_dump(mode="json"),
    )


async def read_heard(conn: Connection, asset_id: UUID) -> dict[str, Any] | None:
    """The fact that ``remember`` kept."""
    return await conn.fetchval("SELECT heard FROM indexed_assets WHERE asset_id = $1", asset_id)


async def read_indexed(conn: Connection, asset_id: UUID) -> Indexed | None:
    row = await conn.fetchrow(
        """
        SELECT number, collection_id, run, revision, chunk_count, language, heard_run, heard_revision
        FROM indexed_assets WHERE asset_id = $1
        """,
        asset_id,
    )
    return Indexed(**row) if row else None


async def mark_indexed(
    conn: Connection, fact: TranscriptFact, revision: int, chunk_count: int, *, edited: bool
) -> None:
    """``edited``: ``asset.updated`` brought title and date, which the transcript's do not replace."""
    await conn.execute(
        """
        UPDATE indexed_assets SET run = $2, revision = $3, chunk_count = $4, language = $5, duration_seconds = $6,
            title = CASE WHEN $7 THEN title ELSE $8 END,
            recorded_at = CASE WHEN $7 THEN recorded_at ELSE $9 END,
            indexed_at = now()
        WHERE asset_id = $1
        """,
        fact.asset_id,
        fact.run,
        revision,
        chunk_count,
        fact.language,
        fact.duration_seconds,
        edited,
        fact.title,
        fact.recorded_at,
    )


async def mark_corrected(conn: Connection, fact: TranscriptFact, chunk_count: int) -> None:
    await conn.execute(
        """
        UPDATE indexed_assets SET revision = $2, chunk_count = $3, language = $4, duration_seconds = $5,
            indexed_at = now()
        WHERE asset_id = $1
        """,
        fact.asset_id,
        fact.revision,
        chunk_count,
        fact.language,
        fact.duration_seconds,
    )


async def update_asset(
    conn: Connection, asset_id: UUID, collection_id: UUID, title: str, recorded_at: datetime | None
) -> None:
    """Copies of what the gateway owns; an asset not heard of before gets its row."""
    await conn.execute(
        """
        INSERT INTO indexed_assets (asset_id, collection_id, kind, title, recorded_at, registered_at)
        VALUES ($1, $2, 'recording', $3, $4, $5)
        ON CONFLICT (asset_id) DO UPDATE SET
            collection_id = excluded.collection_id, title = excluded.title, recorded_at = excluded.recorded_at
        """,
        asset_id,
        collection_id,
        title,
        recorded_at,
        registered_at(asset_id),
    )


async def delete_asset(conn: Connection, asset_id: UUID) -> None:
    """The asset's row; its chunks must be gone before."""
    await conn.execute("DELETE FROM indexed_assets WHERE asset_id = $1", asset_id)


async def raise_generation(conn: Connection, collection_id: UUID) -> int:
    """Say that what a search in the collection finds has changed. Holds the row until the transaction ends."""
    return await conn.fetchval(
        """
        INSERT INTO index_generations AS g (collection_id, generation) VALUES ($1, 1)
        ON CONFLICT (collection_id) DO UPDATE SET generation = g.generation + 1 RETURNING generation
        """,
        collection_id,
    )
