"""Parked messages are rows: what could not be handled waits here, with its reason, for people."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from common.db import Connection
from common.envelope import ATTEMPT, ERRORS, Outgoing
from common.ids import uuid7
from common.outbox import put

_COLUMNS = "id, queue, message_id, type, asset_id, reason, history, headers, body, parked_at"


@dataclass(frozen=True)
class Parked:
    """One message set aside; ``history`` holds its last errors, oldest first."""

    id: UUID
    queue: str
    message_id: UUID
    type: str | None
    asset_id: UUID | None
    reason: str
    history: list[str]
    headers: dict[str, Any]
    body: bytes
    parked_at: datetime


async def park(conn: Connection, message: Parked) -> None:
    await conn.execute(
        f"""
        INSERT INTO parked ({_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        ON CONFLICT (queue, message_id) DO UPDATE SET reason = excluded.reason, history = excluded.history
        """,
        message.id,
        message.queue,
        message.message_id,
        message.type,
        message.asset_id,
        message.reason,
        message.history,
        message.headers,
        message.body,
        message.parked_at,
    )


async def list_parked(conn: Connection, *, type_: str | None = None, limit: int = 50) -> list[Parked]:
    rows = await conn.fetch(
        f"SELECT {_COLUMNS} FROM parked WHERE $1::text IS NULL OR type = $1 ORDER BY id DESC LIMIT $2", type_, limit
    )
    return [Parked(**row) for row in rows]


async def replay(conn: Connection, parked_id: UUID) -> bool:
    """Hand the message back to the queue it came from, once: the row goes and the outbox gets it together."""
    row = await conn.fetchrow("DELETE FROM parked WHERE id = $1 RETURNING queue, headers, body", parked_id)
    if row is None:
        return False
    # A new id: the inbox already holds the old one, because its failure was recorded.
    outgoing_id = uuid7()
    headers = plain_headers(row["headers"]) | {"cloudEvents_id": str(outgoing_id)}
    await put(conn, Outgoing(outgoing_id, "", row["queue"], headers, row["body"]))
    return True


async def drop(conn: Connection, parked_id: UUID) -> bool:
    return await conn.fetchval("DELETE FROM parked WHERE id = $1 RETURNING true", parked_id) or False


def plain_headers(headers: Mapping[str, Any]) -> dict[str, Any]:
    """Headers that JSON can hold, without attempts and errors: a replay begins anew."""
    return {
        key: value
        for key, value in headers.items()
        if key not in (ATTEMPT, ERRORS) and not key.startswith("x-") and isinstance(value, str | int | float | bool)
    }
