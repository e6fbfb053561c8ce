"""API keys: stored as keyed hashes, found by the prefix that is shown to people."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from common.db import Connection

_KEY = "id, user_id, name, prefix, scopes, created_at, expires_at, revoked_at, last_used_at"


@dataclass(frozen=True)
class ApiKey:
    """A key without its secret."""

    id: UUID
    user_id: UUID
    name: str
    prefix: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True)
class KeyHolder:
    """A live key with whom it stands for; ``unused_lately`` when its last use was noted over a minute ago."""

    key_id: UUID
    key_hash: bytes
    scopes: list[str]
    user_id: UUID
    email: str
    name: str
    is_admin: bool
    unused_lately: bool


async def add_key(
    conn: Connection,
    key_id: UUID,
    user_id: UUID,
    name: str,
    prefix: str,
    key_hash: bytes,
    scopes: list[str],
    expires_at: datetime | None,
) -> ApiKey:
    row = await conn.fetchrow(
        f"""
        INSERT INTO api_keys (id, user_id, name, prefix, key_hash, scopes, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING {_KEY}
        """,
        key_id,
        user_id,
        name,
        prefix,
        key_hash,
        scopes,
        expires_at,
    )
    assert row is not None
    return ApiKey(**row)


async def holder_of(conn: Connection, prefix: str) -> KeyHolder | None:
    """None for keys that are unknown, revoked or expired."""
    row = await conn.fetchrow(
        """
        SELECT k.id AS key_id, k.key_hash, k.scopes, u.id AS user_id, u.email, u.name, u.is_admin,
            coalesce(k.last_used_at < now() - interval '1 minute', true) AS unused_lately
        FROM api_keys AS k JOIN users AS u ON u.id = k.user_id
        WHERE k.prefix = $1 AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())
        """,
        prefix,
    )
    return KeyHolder(**row) if row else None


async def note_use(conn: Connection, key_id: UUID) -> None:
    await conn.execute("UPDATE api_keys SET last_used_at = now() WHERE id = $1", key_id)


async def keys_of(conn: Connection, user_id: UUID, before: UUID | None, limit: int) -> list[ApiKey]:
    """Those not revoked, newest first."""
    rows = await conn.fetch(
        f"""
        SELECT {_KEY} FROM api_keys
        WHERE user_id = $1 AND revoked_at IS NULL AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3
        """,
        user_id,
        before,
        limit,
    )
    return [ApiKey(**row) for row in rows]


async def revoke_key(conn: Connection, key_id: UUID, user_id: UUID) -> bool:
    """False when the user has no such live key."""
    found = await conn.fetchval(
        """
        UPDATE api_keys SET revoked_at = now() WHERE id = $1 AND user_id = $2 AND revoked_at IS NULL RETURNING true
        """,
        key_id,
        user_id,
    )
    return bool(found)
