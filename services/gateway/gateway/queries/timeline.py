"""The timeline: what happened to an asset, in words for a person."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from common.db import Connection
from common.ids import uuid7


@dataclass(frozen=True)
class Happening:
    """One entry; ``event`` is a fact's name without its version, ``details`` are the figures of it."""

    id: UUID
    run: int
    event: str
    stage: str | None
    message: str
    details: dict[str, Any]
    at: datetime


async def note(
    conn: Connection,
    asset_id: UUID,
    run: int,
    event: str,
    message: str,
    *,
    stage: str | None = None,
    details: dict[str, Any] | None = None,
) -> None:
    await conn.execute(
        """
        INSERT INTO timeline (id, asset_id, run, event, stage, message, details, at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, clock_timestamp())
        """,
        uuid7(),
        asset_id,
        run,
        event,
        stage,
        message,
        details or {},
    )


async def happenings_after(conn: Connection, asset_id: UUID, after: UUID | None, limit: int) -> list[Happening]:
    """Oldest first."""
    rows = await conn.fetch(
        """
        SELECT id, run, event, stage, message, details, at FROM timeline
        WHERE asset_id = $1 AND ($2::uuid IS NULL OR id > $2) ORDER BY id LIMIT $3
        """,
        asset_id,
        after,
        limit,
    )
    return [Happening(**row) for row in rows]
