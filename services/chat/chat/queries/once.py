"""SQL of creations that may be sent twice: what an Idempotency-Key has made."""

from uuid import UUID

from common.db import Connection
from common.once import claim_key

# The table of keys, see ``common.once``.
KEYS = "request_keys"
# Before a client's name for a session. A line break is in no header: no Idempotency-Key begins like this.
_THREAD = "thread\n"


async def claim_thread(conn: Connection, user_id: UUID, thread_id: str, session_id: UUID) -> UUID:
    """The id of the user's session that goes by that name. A second request with the name waits here."""
    claimed = await claim_key(conn, KEYS, user_id, f"{_THREAD}{thread_id}", b"", session_id)
    assert claimed.resource_id is not None, "the column is NOT NULL"
    return claimed.resource_id


async def delete_of_user(conn: Connection, user_id: UUID) -> None:
    await conn.execute(f"DELETE FROM {KEYS} WHERE user_id = $1", user_id)


async def forget_keys(conn: Connection, hours: float) -> None:
    """Names of threads are kept for as long as there is the session."""
    await conn.execute(
        f"""
        DELETE FROM request_keys AS k WHERE k.created_at < now() - make_interval(secs => $1 * 3600)
            AND NOT (starts_with(k.key, '{_THREAD}') AND EXISTS (SELECT FROM sessions AS s WHERE s.id = k.resource_id))
        """,
        hours,
    )
