"""Users, and the one-time tokens and sessions that stand for them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from common.db import Connection

_USER = "id, email, name, is_admin, created_at"

# Tables of tokens that are good for one use only.
SingleUse = Literal["sign_in_links", "ws_tickets"]


@dataclass(frozen=True)
class User:
    """Someone who may sign in; ``email`` is lower case."""

    id: UUID
    email: str
    name: str
    is_admin: bool
    created_at: datetime


async def add_user(conn: Connection, user_id: UUID, email: str, name: str, is_admin: bool) -> User | None:
    """None when the address is taken."""
    row = await conn.fetchrow(
        f"""
        INSERT INTO users (id, email, name, is_admin) VALUES ($1, $2, $3, $4)
        ON CONFLICT (email) DO NOTHING RETURNING {_USER}
        """,
        user_id,
        email,
        name,
        is_admin,
    )
    return User(**row) if row else None


async def user_by_id(conn: Connection, user_id: UUID) -> User | None:
    row = await conn.fetchrow(f"SELECT {_USER} FROM users WHERE id = $1", user_id)
    return User(**row) if row else None


async def hold_user(conn: Connection, user_id: UUID) -> User | None:
    """The same, and there until the transaction ends. Before any collection is locked."""
    row = await conn.fetchrow(f"SELECT {_USER} FROM users WHERE id = $1 FOR KEY SHARE", user_id)
    return User(**row) if row else None


async def lock_for_deletion(conn: Connection, user_id: UUID) -> tuple[bool, set[UUID]]:
    """Whether there is such a user, and every administrator; nothing refers to any of them until the transaction ends.

    All administrators, so that two who delete each other do not leave none.
    """
    rows = await conn.fetch("SELECT id, is_admin FROM users WHERE id = $1 OR is_admin ORDER BY id FOR UPDATE", user_id)
    return user_id in {row["id"] for row in rows}, {row["id"] for row in rows if row["is_admin"]}


async def delete_user(conn: Connection, user_id: UUID) -> None:
    """With keys, sessions and memberships; who added an asset of theirs is unknown from now on."""
    await conn.execute("DELETE FROM users WHERE id = $1", user_id)


async def user_by_email(conn: Connection, email: str) -> User | None:
    row = await conn.fetchrow(f"SELECT {_USER} FROM users WHERE email = $1", email)
    return User(**row) if row else None


async def users_before(conn: Connection, before: UUID | None, limit: int) -> list[User]:
    """Newest first."""
    rows = await conn.fetch(
        f"SELECT {_USER} FROM users WHERE $1::uuid IS NULL OR id < $1 ORDER BY id DESC LIMIT $2", before, limit
    )
    return [User(**row) for row in rows]


async def add_session(conn: Connection, token_hash: bytes, user_id: UUID, expires_at: datetime) -> None:
    await conn.execute(
        "INSERT INTO sessions (token_hash, user_id, expires_at) VALUES ($1, $2, $3)", token_hash, user_id, expires_at
    )


async def user_of_session(conn: Connection, token_hash: bytes) -> User | None:
    row = await conn.fetchrow(
        """
        SELECT u.id, u.email, u.name, u.is_admin, u.created_at
        FROM sessions AS s JOIN users AS u ON u.id = s.user_id
        WHERE s.token_hash = $1 AND s.expires_at > now()
        """,
        token_hash,
    )
    return User(**row) if row else None


async def end_session(conn: Connection, token_hash: bytes) -> None:
    await conn.execute("DELETE FROM sessions WHERE token_hash = $1", token_hash)


async def add_token(conn: Connection, table: SingleUse, token_hash: bytes, user_id: UUID, expires_at: datetime) -> None:
    await conn.execute(
        f"INSERT INTO {table} (token_hash, user_id, expires_at) VALUES ($1, $2, $3)", token_hash, user_id, expires_at
    )


async def take_token(conn: Connection, table: SingleUse, token_hash: bytes) -> UUID | None:
    """Whose token it was; it is gone afterwards, also when it had expired."""
    row = await conn.fetchrow(
        f"DELETE FROM {table} WHERE token_hash = $1 RETURNING user_id, expires_at > now() AS good", token_hash
    )
    return row["user_id"] if row and row["good"] else None


async def forget_expired(conn: Connection) -> None:
    """Sessions, links and tickets whose time is over."""
    for table in ("sessions", "sign_in_links", "ws_tickets"):
        await conn.execute(f"DELETE FROM {table} WHERE expires_at < now()")
