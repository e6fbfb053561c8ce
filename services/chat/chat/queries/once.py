"""SQL of creations that may be sent twice: what an Idempotency-Key has made."""

from dataclasses import dataclass
from uuid import UUID

from common.db import Connection

# Before a client's name for a session. A line break is in no header: no Idempotency-Key begins like this.
_THREAD = "thread\n"


@dataclass(frozen=True)
class Claimed:
    """What the key stands for; ``fresh`` when it is this request that claimed it."""

    fingerprint: bytes
    resource_id: UUID
    fresh: bool


async def claim_key(conn: Connection, user_id: UUID, key: str, fingerprint: bytes, resource_id: UUID) -> Claimed:
    """A second request with the key waits here until the first has committed."""
    row = await conn.fetchrow(
        """
        INSERT INTO request_keys AS k (user_id, key, fingerprint, resource_id) VALUES ($1, $2, $3, $4)
        ON CONFLICT (user_id, key) DO UPDATE SET key = k.key
        RETURNING fingerprint, resource_id, (xmax = 0) AS fresh
        """,
        user_id,
        key,
        fingerprint,
        resource_id,
    )
    assert row is not None
    return Claimed(**row)


async def claim_thread(conn: Connection, user_id: UUID, thread_id: str, session_id: UUID) -> UUID:
    """The id of the user's session that goes by that name. A second request with the name waits here."""
    claimed = await claim_key(conn, user_id, f"{_THREAD}{thread_id}", b"", session_id)
    return claimed.resource_id


async def forget_keys(conn: Connection, hours: float) -> None:
    """Names of threads are kept for as long as there is the session."""
    await conn.execute(
        f"""
        DELETE FROM request_keys AS k WHERE k.created_at < now() - make_interval(secs => $1 * 3600)
            AND NOT (starts_with(k.key, '{_THREAD}') AND EXISTS (SELECT FROM sessions AS s WHERE s.id = k.resource_id))
        """,
        hours,
    )
