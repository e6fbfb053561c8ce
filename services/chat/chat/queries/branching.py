"""SQL that copies the beginning of a session into another; both must be locked, and the assets behind them held."""

from collections.abc import Mapping
from uuid import UUID

from common.db import Connection

_ANSWER = """
    user_id, question, collection_id, asset_ids, model, state, answered, answer, reason, usage, cached, created_at,
    finished_at, beat_at, read_at, instruction_version, instructions
"""
# What belongs to an answer, by table.
_PARTS = {
    "answer_sources": "asset_id",
    "answer_citations": """
        place, index, chunk_id, asset_id, revision, title, kind, locator, quote, quote_from, quote_to,
        quote_start_seconds, quote_end_seconds, url, media_url
    """,
    "answer_chunks": "number, chunk_id, asset_id, revision, title, kind, locator, url",
    "message_events": "seq, event, data, created_at",
}


async def message_ids(conn: Connection, session_id: UUID, until: int) -> list[UUID]:
    """Of the messages up to that position."""
    rows = await conn.fetch(
        "SELECT id FROM messages WHERE session_id = $1 AND position <= $2 ORDER BY position", session_id, until
    )
    return [row["id"] for row in rows]


async def copy_messages(conn: Connection, into: UUID, copies: Mapping[UUID, UUID]) -> None:
    """``copies``: the message to its copy."""
    await conn.execute(
        """
        INSERT INTO messages (id, session_id, position, role, content, attempt, created_at)
        SELECT copied.to_id, $1, m.position, m.role, m.content, m.attempt, m.created_at
        FROM unnest($2::uuid[], $3::uuid[]) AS copied (from_id, to_id) JOIN messages AS m ON m.id = copied.from_id
        """,
        into,
        list(copies),
        list(copies.values()),
    )


async def answers_of(conn: Connection, messages: list[UUID]) -> dict[UUID, UUID]:
    """Message to answer, of answers that have ended."""
    rows = await conn.fetch(
        "SELECT message_id, id FROM answers WHERE message_id = ANY($1::uuid[]) AND state <> 'running'", messages
    )
    return {row["message_id"]: row["id"] for row in rows}


async def copy_answers(conn: Connection, copies: Mapping[UUID, UUID], messages: Mapping[UUID, UUID]) -> None:
    """``copies``: the answer to its copy; ``messages``: the answer to the copy of its message."""
    originals = list(copies)
    await conn.execute(
        f"""
        INSERT INTO answers (id, message_id, {_ANSWER})
        SELECT copied.to_id, copied.message_id, {_ANSWER}
        FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS copied (from_id, to_id, message_id)
        JOIN (SELECT id AS from_id, {_ANSWER} FROM answers) AS a USING (from_id)
        """,
        originals,
        [copies[one] for one in originals],
        [messages[one] for one in originals],
    )
    for table, columns in _PARTS.items():
        await conn.execute(
            f"""
            INSERT INTO {table} (answer_id, {columns})
            SELECT copied.to_id, {columns} FROM unnest($1::uuid[], $2::uuid[]) AS copied (from_id, to_id)
            JOIN {table} AS part ON part.answer_id = copied.from_id
            """,
            originals,
            [copies[one] for one in originals],
        )
