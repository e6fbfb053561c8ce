"""Parked messages are rows: what could not be handled waits here, with its reason, for people."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from common import topology
from common.db import Connection, Database
from common.envelope import storable
from common.ids import uuid7
from common.parked_headers import HISTORY, history_of, named_type, replay_headers

# Few enough for a short transaction, whatever the number of rows.
_BATCH = 100

_COLUMNS = "id, queue, message_id, type, asset_id, reason, history, headers, body, parked_at"
_ROW = (
    "id, queue, message_id, type, asset_id, reason, parked_at, "
    "jsonb_array_length(history) AS history_count, octet_length(body) AS size_bytes"
)


@dataclass(frozen=True)
class Parked:
    """One message to be set aside; ``history`` holds its last errors, oldest first."""

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


@dataclass(frozen=True)
class ParkedRow:
    """One parked message as a list shows it; ``size_bytes`` is the body's."""

    id: UUID
    queue: str
    message_id: UUID
    type: str | None
    asset_id: UUID | None
    reason: str
    parked_at: datetime
    history_count: int
    size_bytes: int


@dataclass(frozen=True)
class ParkedInFull(ParkedRow):
    """One parked message with all that is kept of it; ``body`` may be only its beginning."""

    history: list[str]
    headers: dict[str, Any]
    body: bytes


@dataclass(frozen=True)
class Which:
    """Which parked messages are meant; None does not filter. ``short_id`` is the end of the id."""

    type: str | None = None
    id: UUID | None = None
    short_id: str | None = None


class QueueGone(Exception):
    """The queue that a parked message came from exists no longer: there is nowhere to replay it to."""


async def park(conn: Connection, messages: Sequence[Parked]) -> None:
    """One that is parked already, by queue and message id, keeps its place and gets the newer reason."""
    await conn.executemany(
        f"""
        INSERT INTO parked ({_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        ON CONFLICT (queue, message_id) DO UPDATE SET reason = excluded.reason, history = excluded.history
        """,
        [_values(message) for message in messages],
    )


def _values(message: Parked) -> tuple[object, ...]:
    headers = {key: value for key, value in message.headers.items() if key != HISTORY}
    return (
        message.id,
        message.queue,
        message.message_id,
        message.type or named_type(headers),
        message.asset_id,
        storable(message.reason),
        history_of(message.headers, message.history),
        headers,
        message.body,
        message.parked_at,
    )


async def list_parked(
    conn: Connection, which: Which | None = None, *, before: UUID | None = None, limit: int = 50
) -> list[ParkedRow]:
    """Newest first, those before the id ``before``: ids rise with time, so pages stay as they are while more come."""
    which = which or Which()
    rows = await conn.fetch(
        f"""
        SELECT {_ROW} FROM parked
        WHERE ($1::text IS NULL OR type = $1) AND ($2::uuid IS NULL OR id = $2)
            AND ($3::text IS NULL OR right(id::text, 8) = $3) AND ($4::uuid IS NULL OR id < $4)
        ORDER BY id DESC LIMIT $5
        """,
        which.type,
        which.id,
        which.short_id,
        before,
        limit,
    )
    return [ParkedRow(**row) for row in rows]


async def read_parked(conn: Connection, parked_id: UUID, *, most_bytes: int = 1024 * 1024) -> ParkedInFull | None:
    """With at most the first ``most_bytes`` of the body: what others publish has no limit but the broker's."""
    row = await conn.fetchrow(
        f"SELECT {_ROW}, history, headers, substring(body FROM 1 FOR $2) AS body FROM parked WHERE id = $1",
        parked_id,
        most_bytes,
    )
    return ParkedInFull(**row) if row else None


async def count_parked(conn: Connection) -> dict[str, int]:
    """How many there are of each type; "unknown" for those whose type nobody named."""
    rows = await conn.fetch(
        "SELECT coalesce(type, 'unknown') AS type, count(*) AS rows FROM parked GROUP BY 1 ORDER BY 2 DESC, 1"
    )
    return {row["type"]: row["rows"] for row in rows}


async def replay(conn: Connection, parked_id: UUID) -> bool:
    """Hand the message back to the queue it came from, once: the row goes and the outbox gets it together.

    False when there is no such message, or no more. Raises QueueGone, and leaves the row, when nobody could hear it.
    """
    rows = await conn.fetch(
        "SELECT id, queue, reason, history, headers, parked_at FROM parked WHERE id = $1 FOR UPDATE", parked_id
    )
    for row in rows:
        if row["queue"] not in topology.work_queues():
            raise QueueGone(row["queue"])
    await _hand_back(conn, rows)
    return bool(rows)


async def replay_all(db: Database, type_: str | None = None) -> int:
    """Replay all of a type, or simply all, oldest first, in many short transactions. Returns how many.

    What is parked (again) meanwhile is left alone, so that it ends; so is what has no queue any more.
    """
    async with db.acquire() as conn:
        newest = await conn.fetchval("SELECT id FROM parked ORDER BY id DESC LIMIT 1")
    count, after = 0, UUID(int=0)
    while newest is not None:
        async with db.transaction() as conn:
            rows = await _next_batch(conn, type_, after, newest)
            await _hand_back(conn, rows)
        if not rows:
            break
        count, after = count + len(rows), rows[-1]["id"]
    return count


async def count_stranded(conn: Connection, type_: str | None = None) -> int:
    """How many cannot be replayed, because the queue they came from is gone."""
    return (
        await conn.fetchval(
            "SELECT count(*) FROM parked WHERE ($1::text IS NULL OR type = $1) AND queue <> ALL ($2::text[])",
            type_,
            list(topology.work_queues()),
        )
        or 0
    )


async def _next_batch(conn: Connection, type_: str | None, after: UUID, newest: UUID) -> list[Any]:
    # Rows that somebody else replays at this moment are theirs.
    return await conn.fetch(
        """
        SELECT id, queue, reason, history, headers, parked_at FROM parked
        WHERE ($1::text IS NULL OR type = $1) AND id > $2 AND id <= $3 AND queue = ANY ($4::text[])
        ORDER BY id LIMIT $5 FOR UPDATE SKIP LOCKED
        """,
        type_,
        after,
        newest,
        list(topology.work_queues()),
        _BATCH,
    )


async def _hand_back(conn: Connection, rows: list[Any]) -> None:
    """From ``parked`` to ``outbox``; the bodies never leave the database, so that not a byte of them changes."""
    # A new id: the inbox already holds the old one, because its failure was recorded.
    ids = [uuid7() for _ in rows]
    headers = [
        replay_headers(row["headers"], message_id, row["history"], row["reason"], row["parked_at"])
        for row, message_id in zip(rows, ids, strict=True)
    ]
    await conn.execute(
        """
        WITH gone AS (DELETE FROM parked WHERE id = ANY ($1::uuid[]) RETURNING id, queue, body)
        INSERT INTO outbox (id, exchange, routing_key, headers, body)
        SELECT n.message_id, '', g.queue, n.headers, g.body
        FROM gone AS g JOIN unnest($1::uuid[], $2::uuid[], $3::jsonb[]) AS n (id, message_id, headers) USING (id)
        ORDER BY g.id
        """,
        [row["id"] for row in rows],
        ids,
        headers,
    )


async def drop(conn: Connection, parked_id: UUID) -> bool:
    return await conn.fetchval("DELETE FROM parked WHERE id = $1 RETURNING true", parked_id) or False


async def forget_asset(conn: Connection, asset_id: UUID) -> None:
    """What is parked of a deleted asset would be stale when replayed, and holds what the asset was."""
    await conn.execute("DELETE FROM parked WHERE asset_id = $1", asset_id)
