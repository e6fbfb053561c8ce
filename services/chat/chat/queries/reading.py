"""SQL that reads answers, as far as their reader may."""

from collections.abc import Sequence
from uuid import UUID

from common.db import Connection

from chat.queries.rows import AnswerRow, CitationRow, EventRow, State

# An answer may be read by whoever asked, for as long as they may read everything it was made from: a collection
# that was closed to them, or an asset that was deleted, takes the answer along at once.
READABLE = """
    a.user_id = $2 AND NOT EXISTS (
        SELECT FROM answer_sources AS s
        WHERE s.answer_id = a.id AND NOT EXISTS (
            SELECT FROM gateway.asset_scope AS scope
            JOIN gateway.access AS access ON access.collection_id = scope.collection_id
            WHERE scope.asset_id = s.asset_id AND NOT scope.deleted AND access.user_id = $2
        )
    )
"""
# What has been written of an answer ``a``. A status behind text means that it begins again, by another writer.
WRITTEN = """
    coalesce((
        SELECT string_agg(e.data ->> 'content', '' ORDER BY e.seq)
        FROM message_events AS e WHERE e.answer_id = a.id AND e.event = 'content' AND e.seq > coalesce((
            SELECT max(b.seq) FROM message_events AS b WHERE b.answer_id = a.id AND b.event = 'status'), 0)
    ), '')
"""
# $1: answers that their reader may read.
CITATIONS = """
    SELECT c.answer_id, c.place, c.index, c.asset_id, c.revision, coalesce(c.revision < s.revision, false) AS stale,
        c.title, c.kind, c.locator, c.quote, c.quote_start_seconds, c.quote_end_seconds, c.url, c.media_url
    FROM answer_citations AS c LEFT JOIN asset_states AS s ON s.asset_id = c.asset_id
    WHERE c.answer_id = ANY($1::uuid[]) ORDER BY c.answer_id, c.place, c.index
"""


async def may_view_collection(conn: Connection, user_id: UUID, collection_id: UUID) -> bool:
    return bool(
        await conn.fetchval(
            "SELECT EXISTS (SELECT FROM gateway.access WHERE user_id = $1 AND collection_id = $2)",
            user_id,
            collection_id,
        )
    )


async def touch_reader(conn: Connection, answer_id: UUID, user_id: UUID) -> bool:
    """Note that somebody reads. False when they may not (any more)."""
    return bool(
        await conn.fetchval(
            f"UPDATE answers AS a SET read_at = now() WHERE a.id = $1 AND {READABLE} RETURNING true",
            answer_id,
            user_id,
        )
    )


async def read_events(conn: Connection, answer_id: UUID, after: int) -> tuple[State | None, list[EventRow]]:
    """The answer's state (None when it is gone) and the events behind ``after``, of one moment: when the state is not
    ``running``, the events are all there are."""
    rows = await conn.fetch(
        """
        SELECT a.state, e.seq, e.event, e.data
        FROM answers AS a LEFT JOIN message_events AS e ON e.answer_id = a.id AND e.seq > $2
        WHERE a.id = $1 ORDER BY e.seq
        """,
        answer_id,
        after,
    )
    state = rows[0]["state"] if rows else None
    return state, [EventRow(row["seq"], row["event"], row["data"]) for row in rows if row["seq"] is not None]


async def without_media(conn: Connection, asset_ids: Sequence[UUID]) -> set[UUID]:
    """Those of the assets that are known to have nothing to play."""
    rows = await conn.fetch(
        "SELECT asset_id FROM media WHERE asset_id = ANY($1::uuid[]) AND NOT playable", list(asset_ids)
    )
    return {row["asset_id"] for row in rows}


async def deleted_assets(conn: Connection, asset_ids: Sequence[UUID]) -> set[UUID]:
    rows = await conn.fetch(
        "SELECT asset_id FROM asset_states WHERE asset_id = ANY($1::uuid[]) AND deleted_at IS NOT NULL",
        list(asset_ids),
    )
    return {row["asset_id"] for row in rows}


async def read_answer(conn: Connection, answer_id: UUID, user_id: UUID) -> AnswerRow | None:
    row = await conn.fetchrow(
        f"""
        SELECT a.id, a.question, a.collection_id, a.model, a.state, a.answered, a.reason, a.usage, a.cached,
            a.instruction_version, a.instructions, a.created_at, a.finished_at,
            CASE WHEN a.state = 'done' THEN a.answer ELSE {WRITTEN} END AS answer
        FROM answers AS a WHERE a.id = $1 AND {READABLE}
        """,
        answer_id,
        user_id,
    )
    return AnswerRow(**row) if row else None


async def read_citations(conn: Connection, answer_id: UUID) -> list[CitationRow]:
    rows = await conn.fetch(CITATIONS, [answer_id])
    return [CitationRow(**row) for row in rows]
