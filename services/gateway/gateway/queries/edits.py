"""Changes of an asset's row, made under its lock."""

from datetime import datetime
from typing import Any
from uuid import UUID

from common.db import Connection


async def set_status(conn: Connection, asset_id: UUID, run: int, status: str, stage: str) -> None:
    await conn.execute(
        "UPDATE assets SET run = $2, status = $3, stage = $4, updated_at = now() WHERE id = $1",
        asset_id,
        run,
        status,
        stage,
    )


async def set_media(
    conn: Connection,
    asset_id: UUID,
    title: str,
    duration_seconds: float,
    media_facts: dict[str, Any],
    recorded_at: datetime | None,
) -> None:
    """What fetching found out; the date only as long as nobody has edited the asset, who may have removed it."""
    await conn.execute(
        """
        UPDATE assets SET title = $2, duration_seconds = $3, media_facts = $4,
            recorded_at = CASE WHEN version = 1 THEN coalesce(recorded_at, $5) ELSE recorded_at END,
            updated_at = now()
        WHERE id = $1
        """,
        asset_id,
        title,
        duration_seconds,
        media_facts,
        recorded_at,
    )


async def fill_media(
    conn: Connection,
    asset_id: UUID,
    duration_seconds: float,
    media_facts: dict[str, Any],
    recorded_at: datetime | None,
) -> None:
    """What an earlier run's fetching found out, where no later one's is known."""
    await conn.execute(
        """
        UPDATE assets SET duration_seconds = coalesce(duration_seconds, $2), media_facts = $3,
            recorded_at = CASE WHEN version = 1 THEN coalesce(recorded_at, $4) ELSE recorded_at END,
            updated_at = now()
        WHERE id = $1 AND media_facts IS NULL
        """,
        asset_id,
        duration_seconds,
        media_facts,
        recorded_at,
    )


async def set_transcript(
    conn: Connection, asset_id: UUID, revision: int, language: str, duration_seconds: float
) -> bool:
    """False when a transcript of this or a later revision is known already."""
    return bool(
        await conn.fetchval(
            """
            UPDATE assets SET revision = $2, language = $3, duration_seconds = coalesce(duration_seconds, $4),
                updated_at = now()
            WHERE id = $1 AND revision < $2 RETURNING true
            """,
            asset_id,
            revision,
            language,
            duration_seconds,
        )
    )


async def change_asset(
    conn: Connection,
    asset_id: UUID,
    title: str,
    title_given: bool,
    recorded_at: datetime | None,
    collection_id: UUID,
    version: int,
) -> None:
    await conn.execute(
        """
        UPDATE assets SET title = $2, title_given = $3, recorded_at = $4, collection_id = $5, version = $6,
            updated_at = now()
        WHERE id = $1
        """,
        asset_id,
        title,
        title_given,
        recorded_at,
        collection_id,
        version,
    )


async def set_tags(conn: Connection, asset_id: UUID, tags: list[str]) -> None:
    await conn.execute("DELETE FROM asset_tags WHERE asset_id = $1 AND name <> ALL($2::text[])", asset_id, tags)
    await conn.execute(
        "INSERT INTO asset_tags (asset_id, name) SELECT $1, unnest($2::text[]) ON CONFLICT DO NOTHING", asset_id, tags
    )
