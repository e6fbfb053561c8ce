"""SQL of the models that people prefer, and of their own keys for providers."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from common.db import Connection


@dataclass(frozen=True)
class Preferred:
    """Models preferred for a purpose; None where nobody has said so."""

    own: str | None
    installation: str | None


@dataclass(frozen=True)
class OwnKeyRow:
    provider: str
    sealed: bytes
    last_four: str
    set_at: datetime


async def read_preferred(conn: Connection, user_id: UUID | None) -> dict[str, Preferred]:
    """By purpose, where there is any; ``user_id`` None: only what the installation prefers."""
    rows = await conn.fetch(
        """
        SELECT purpose, max(model) FILTER (WHERE user_id = $1) AS own,
            max(model) FILTER (WHERE user_id IS NULL) AS installation
        FROM model_defaults WHERE user_id = $1 OR user_id IS NULL GROUP BY purpose
        """,
        user_id,
    )
    return {row["purpose"]: Preferred(row["own"], row["installation"]) for row in rows}


async def save_default(conn: Connection, user_id: UUID | None, purpose: str, model: str) -> None:
    """``user_id`` None: of the installation."""
    await conn.execute(
        """
        INSERT INTO model_defaults (user_id, purpose, model) VALUES ($1, $2, $3)
        ON CONFLICT (user_id, purpose) DO UPDATE SET model = excluded.model, set_at = now()
        """,
        user_id,
        purpose,
        model,
    )


async def delete_default(conn: Connection, user_id: UUID | None, purpose: str) -> None:
    await conn.execute(
        "DELETE FROM model_defaults WHERE user_id IS NOT DISTINCT FROM $1 AND purpose = $2", user_id, purpose
    )


async def read_keys(conn: Connection, user_id: UUID) -> list[OwnKeyRow]:
    rows = await conn.fetch(
        "SELECT provider, sealed, last_four, set_at FROM provider_keys WHERE user_id = $1 ORDER BY provider", user_id
    )
    return [OwnKeyRow(**row) for row in rows]


async def keyed_providers(conn: Connection, user_id: UUID) -> list[str]:
    """Those that the user has a key of their own for."""
    rows = await conn.fetch("SELECT provider FROM provider_keys WHERE user_id = $1", user_id)
    return [row["provider"] for row in rows]


async def save_key(conn: Connection, user_id: UUID, provider: str, sealed: bytes, last_four: str) -> OwnKeyRow:
    """In the place of an earlier one."""
    row = await conn.fetchrow(
        """
        INSERT INTO provider_keys (user_id, provider, sealed, last_four) VALUES ($1, $2, $3, $4)
        ON CONFLICT (user_id, provider)
            DO UPDATE SET sealed = excluded.sealed, last_four = excluded.last_four, set_at = now()
        RETURNING provider, sealed, last_four, set_at
        """,
        user_id,
        provider,
        sealed,
        last_four,
    )
    assert row is not None  # an upsert answers its row
    return OwnKeyRow(**row)


async def delete_key(conn: Connection, user_id: UUID, provider: str) -> bool:
    """Whether there was one."""
    status = await conn.execute("DELETE FROM provider_keys WHERE user_id = $1 AND provider = $2", user_id, provider)
    return status != "DELETE 0"


async def delete_of_user(conn: Connection, user_id: UUID) -> None:
    """What they prefer, and their keys."""
    await conn.execute("DELETE FROM model_defaults WHERE user_id = $1", user_id)
    await conn.execute("DELETE FROM provider_keys WHERE user_id = $1", user_id)


async def all_sealed(conn: Connection) -> list[tuple[UUID, str, bytes]]:
    """(user, provider, sealed) of everyone."""
    rows = await conn.fetch("SELECT user_id, provider, sealed FROM provider_keys")
    return [(row["user_id"], row["provider"], row["sealed"]) for row in rows]


async def replace_sealed(conn: Connection, user_id: UUID, provider: str, before: bytes, after: bytes) -> None:
    """The same key under another secret, unless it was exchanged or removed meanwhile."""
    await conn.execute(
        "UPDATE provider_keys SET sealed = $4 WHERE user_id = $1 AND provider = $2 AND sealed = $3",
        user_id,
        provider,
        before,
        after,
    )
