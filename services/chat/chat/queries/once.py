"""SQL of creations that may be sent twice: what an Idempotency-Key has made."""

from dataclasses import dataclass
from uuid import UUID

from common.db import Connection


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


async def forget_keys(conn: Connection, hours: float) -> None:
    await conn.execute("DELETE FROM request_keys WHERE created_at < now() - make_interval(secs => $1 * 3600)", hours)
