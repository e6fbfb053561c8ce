"""SQL of sessions: each belongs to one user and is seen by nobody else."""

from uuid import UUID

from common.db import Connection

from chat.queries import attachments
from chat.queries.session_rows import NewSession, SessionRow

_COLUMNS = """
    s.id, s.collection_id, s.title, s.branched_from, s.created_at, s.updated_at,
    (SELECT count(*) FROM messages AS m WHERE m.session_id = s.id) AS message_count
"""
# The locks of every asset that answers of these sessions were made from, in one order: whoever erases an asset holds
# its lock, so that neither copies of its words nor deletions of the same answers cross.
_HOLD = """
    SELECT FROM asset_states WHERE asset_id IN (
        SELECT source.asset_id FROM answer_sources AS source
        JOIN answers AS a ON a.id = source.answer_id JOIN messages AS m ON m.id = a.message_id
        WHERE m.session_id = ANY($1::uuid[])
    ) ORDER BY asset_id FOR SHARE
"""


async def create_session(conn: Connection, new: NewSession) -> None:
    await conn.execute(
        "INSERT INTO sessions (id, user_id, collection_id, title, branched_from) VALUES ($1, $2, $3, $4, $5)",
        new.id,
        new.user_id,
        new.collection_id,
        new.title,
        new.branched_from,
    )


async def read_session(conn: Connection, user_id: UUID, session_id: UUID) -> SessionRow | None:
    row = await conn.fetchrow(
        f"SELECT {_COLUMNS} FROM sessions AS s WHERE s.id = $1 AND s.user_id = $2", session_id, user_id
    )
    return SessionRow(**row) if row else None


async def lock_session(conn: Connection, user_id: UUID, session_id: UUID) -> SessionRow | None:
    """The same, and nobody else writes into it until the transaction ends; with the assets behind it held."""
    await conn.execute("SELECT FROM sessions WHERE id = $1 AND user_id = $2 FOR UPDATE", session_id, user_id)
    found = await read_session(conn, user_id, session_id)
    if found is not None:
        await conn.execute(_HOLD, [session_id])
    return found


async def list_sessions(
    conn: Connection, user_id: UUID, collection_id: UUID | None, before: UUID | None, limit: int
) -> list[SessionRow]:
    """The user's, newest first, those behind ``before``."""
    rows = await conn.fetch(
        f"""
        SELECT {_COLUMNS} FROM sessions AS s
        WHERE s.user_id = $1 AND ($2::uuid IS NULL OR s.collection_id = $2) AND ($3::uuid IS NULL OR s.id < $3)
        ORDER BY s.id DESC LIMIT $4
        """,
        user_id,
        collection_id,
        before,
        limit,
    )
    return [SessionRow(**row) for row in rows]


async def rename_session(conn: Connection, session_id: UUID, title: str) -> None:
    await conn.execute("UPDATE sessions SET title = $2, updated_at = now() WHERE id = $1", session_id, title)


async def note_question(conn: Connection, session_id: UUID, title: str) -> None:
    """Something is asked in the session now; ``title`` is taken where it has none."""
    await conn.execute(
        "UPDATE sessions SET title = coalesce(title, $2), updated_at = now() WHERE id = $1", session_id, title
    )


async def delete_session(conn: Connection, session_id: UUID) -> None:
    """With its messages and answers. The session must be locked."""
    await attachments.release(conn, [session_id])
    await conn.execute("DELETE FROM sessions WHERE id = $1", session_id)


async def delete_of_collection(conn: Connection, collection_id: UUID) -> None:
    """Until there is none: one that was waited for may have branched meanwhile."""
    while session_ids := await _lock_of_collection(conn, collection_id):
        await _delete_locked(conn, session_ids)


async def delete_of_user(conn: Connection, user_id: UUID, limit: int) -> int:
    """So many of them at most; returns how many went."""
    rows = await conn.fetch(
        "SELECT id FROM sessions WHERE user_id = $1 ORDER BY id LIMIT $2 FOR UPDATE", user_id, limit
    )
    if rows:
        await _delete_locked(conn, [row["id"] for row in rows])
    return len(rows)


async def _delete_locked(conn: Connection, session_ids: list[UUID]) -> None:
    await conn.execute(_HOLD, session_ids)
    await attachments.release(conn, session_ids)
    await conn.execute("DELETE FROM sessions WHERE id = ANY($1::uuid[])", session_ids)


async def _lock_of_collection(conn: Connection, collection_id: UUID) -> list[UUID]:
    rows = await conn.fetch("SELECT id FROM sessions WHERE collection_id = $1 ORDER BY id FOR UPDATE", collection_id)
    return [row["id"] for row in rows]
