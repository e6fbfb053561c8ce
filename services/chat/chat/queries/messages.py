"""SQL of messages: what was asked in a session, and of its answers what their asker may read at this moment."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from common.db import Connection

from chat.queries import attachments
from chat.queries.reading import CITATIONS, READABLE, WRITTEN
from chat.queries.rows import CitationRow
from chat.queries.session_rows import ChunkRow, MadeFrom, MessageRow

# $1: sessions, $2: the user.
_MESSAGES = f"""
    SELECT m.id, m.session_id, m.position, m.role, m.attempt, m.created_at, asked.id AS reply_to, a.id AS run_id,
        CASE WHEN m.role = 'user' THEN 'done' ELSE coalesce(a.state, 'removed') END AS status,
        CASE WHEN m.role = 'user' THEN m.content WHEN a.state = 'done' THEN a.answer ELSE {WRITTEN} END AS content,
        a.answered, a.reason, a.model, a.usage, a.instruction_version, a.finished_at,
        (SELECT e.data FROM message_events AS e WHERE e.answer_id = a.id AND e.event = 'error'
         ORDER BY e.seq DESC LIMIT 1) AS error
    FROM messages AS m
    JOIN sessions AS s ON s.id = m.session_id
    LEFT JOIN messages AS asked
        ON m.role = 'assistant' AND asked.session_id = m.session_id AND asked.position = m.position - 1
    LEFT JOIN answers AS a ON a.message_id = m.id AND {READABLE}
    WHERE m.session_id = ANY($1::uuid[]) AND s.user_id = $2
"""


async def read_messages(conn: Connection, user_id: UUID, session_id: UUID, behind: int, limit: int) -> list[MessageRow]:
    """In their order, from the one behind that position on."""
    rows = await conn.fetch(
        f"{_MESSAGES} AND m.position > $3 ORDER BY m.position LIMIT $4", [session_id], user_id, behind, limit
    )
    return [MessageRow(**row) for row in rows]


async def read_message(conn: Connection, user_id: UUID, session_id: UUID, message_id: UUID) -> MessageRow | None:
    row = await conn.fetchrow(f"{_MESSAGES} AND m.id = $3", [session_id], user_id, message_id)
    return MessageRow(**row) if row else None


async def last_messages(conn: Connection, user_id: UUID, session_ids: Sequence[UUID]) -> dict[UUID, MessageRow]:
    """By session; a session without messages is left out."""
    rows = await conn.fetch(
        f"""
        {_MESSAGES} AND m.position = (
            SELECT max(newest.position) FROM messages AS newest WHERE newest.session_id = m.session_id)
        """,
        list(session_ids),
        user_id,
    )
    return {row["session_id"]: MessageRow(**row) for row in rows}


async def made_from(conn: Connection, rows: Sequence[MessageRow]) -> MadeFrom:
    """What answers that were read by their asker cite, which passages they were made from, what came with questions."""
    answer_ids = [row.run_id for row in rows if row.run_id]
    given = await attachments.of_messages(conn, [row.id for row in rows if row.role == "user"])
    cited = await conn.fetch(CITATIONS, answer_ids)
    used = await conn.fetch(
        """
        SELECT c.answer_id, c.number, c.chunk_id, c.asset_id, c.revision,
            coalesce(c.revision < s.revision, false) AS stale, c.title, c.kind, c.locator, c.url
        FROM answer_chunks AS c LEFT JOIN asset_states AS s ON s.asset_id = c.asset_id
        WHERE c.answer_id = ANY($1::uuid[]) ORDER BY c.answer_id, c.number
        """,
        answer_ids,
    )
    citations, chunks = defaultdict[UUID, list[CitationRow]](list), defaultdict[UUID, list[ChunkRow]](list)
    for cite in cited:
        citations[cite["answer_id"]].append(CitationRow(**cite))
    for chunk in used:
        chunks[chunk["answer_id"]].append(ChunkRow(**chunk))
    return MadeFrom(citations, chunks, given)


async def is_answering(conn: Connection, session_id: UUID) -> bool:
    """Whether an answer of the session is being written."""
    return await conn.fetchval(
        """
        SELECT EXISTS (
            SELECT FROM messages AS m JOIN answers AS a ON a.message_id = m.id
            WHERE m.session_id = $1 AND a.state = 'running'
        )
        """,
        session_id,
    )


async def add_exchange(conn: Connection, session_id: UUID, question_id: UUID, answer_id: UUID, question: str) -> None:
    """A question and the place of its answer, behind all other messages. The session must be locked."""
    await conn.execute(
        """
        INSERT INTO messages (id, session_id, position, role, content)
        SELECT new.id, $1, last.position + new.place, new.role, new.content
        FROM (SELECT coalesce(max(position), 0) AS position FROM messages WHERE session_id = $1) AS last,
            (VALUES ($2::uuid, 1, 'user', $4::text), ($3::uuid, 2, 'assistant', '')) AS new (id, place, role, content)
        """,
        session_id,
        question_id,
        answer_id,
        question,
    )


async def begin_again(conn: Connection, message_id: UUID) -> None:
    """What there is of the message's answer goes; readers of its next one start at its beginning."""
    await conn.execute("DELETE FROM answers WHERE message_id = $1", message_id)
    await conn.execute("UPDATE messages SET attempt = attempt + 1 WHERE id = $1", message_id)


async def inherit_sources(conn: Connection, answer_id: UUID, from_answers: Sequence[UUID]) -> None:
    """The answer is made from all that those were made from, too. The session must be locked, and its assets held."""
    await conn.execute(
        """
        INSERT INTO answer_sources (answer_id, asset_id)
        SELECT DISTINCT $1::uuid, asset_id FROM answer_sources WHERE answer_id = ANY($2::uuid[])
        ON CONFLICT DO NOTHING
        """,
        answer_id,
        list(from_answers),
    )


async def cancel_answer(conn: Connection, message_id: UUID, data: dict[str, Any]) -> UUID | None:
    """End the message's answer if it is being written; its readers are told ``data``. The id of what was ended."""
    # Locked by a statement of its own, so that the next one counts the events of a write that was waited for.
    await conn.execute("SELECT FROM answers WHERE message_id = $1 FOR UPDATE", message_id)
    return await conn.fetchval(
        """
        WITH ended AS (
            UPDATE answers SET state = 'cancelled', finished_at = now(), reason = $2::jsonb ->> 'message'
            WHERE message_id = $1 AND state = 'running' RETURNING id
        )
        INSERT INTO message_events (answer_id, seq, event, data)
        SELECT ended.id, 1 + coalesce((SELECT max(e.seq) FROM message_events AS e WHERE e.answer_id = ended.id), 0),
               'error', $2
        FROM ended RETURNING answer_id
        """,
        message_id,
        data,
    )
