"""Collections and their members; what a user sees of them comes through the view ``access``."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from common.db import Connection
from common.events import KeepMedia

from gateway.domain.vocabulary import Vocabulary

_SEEN = """
    c.id, c.name, c.description, c.keep_media, c.key_terms, c.initial_prompt, c.retention_days,
    c.default_for IS NOT DISTINCT FROM a.user_id AS is_default, a.role, c.created_at, c.updated_at
    FROM collections AS c JOIN access AS a ON a.collection_id = c.id
"""


@dataclass(frozen=True)
class Collection:
    """A collection as one user sees it, with that user's role in it."""

    id: UUID
    name: str
    description: str | None
    keep_media: str
    key_terms: list[str]
    initial_prompt: str
    retention_days: int | None
    is_default: bool
    role: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class Member:
    """Someone who may enter a collection."""

    user_id: UUID
    email: str
    name: str
    role: str
    created_at: datetime


@dataclass(frozen=True)
class Share:
    """A user's part in a collection: whether nobody else may enter it, and whether nobody else owns it."""

    collection_id: UUID
    alone: bool
    only_owner: bool


async def add_collection(
    conn: Connection,
    collection_id: UUID,
    name: str,
    description: str | None,
    keep_media: str,
    vocabulary: Vocabulary,
    retention_days: int | None = None,
) -> None:
    await conn.execute(
        """
        INSERT INTO collections (id, name, description, keep_media, key_terms, initial_prompt, retention_days)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        """,
        collection_id,
        name,
        description,
        keep_media,
        list(vocabulary.key_terms),
        vocabulary.initial_prompt,
        retention_days,
    )


async def add_default_collection(conn: Connection, collection_id: UUID, user_id: UUID, name: str) -> bool:
    """False when the user has one already."""
    return bool(
        await conn.fetchval(
            """
            INSERT INTO collections (id, name, default_for) VALUES ($1, $2, $3)
            ON CONFLICT (default_for) DO NOTHING RETURNING true
            """,
            collection_id,
            name,
            user_id,
        )
    )


async def collection_for(conn: Connection, user_id: UUID, collection_id: UUID) -> Collection | None:
    """None when there is none that the user may see."""
    row = await conn.fetchrow(f"SELECT {_SEEN} WHERE a.user_id = $1 AND c.id = $2", user_id, collection_id)
    return Collection(**row) if row else None


async def default_collection(conn: Connection, user_id: UUID) -> Collection | None:
    row = await conn.fetchrow(f"SELECT {_SEEN} WHERE a.user_id = $1 AND c.default_for = $1", user_id)
    return Collection(**row) if row else None


async def collections_before(conn: Connection, user_id: UUID, before: UUID | None, limit: int) -> list[Collection]:
    """Newest first."""
    rows = await conn.fetch(
        f"SELECT {_SEEN} WHERE a.user_id = $1 AND ($2::uuid IS NULL OR c.id < $2) ORDER BY c.id DESC LIMIT $3",
        user_id,
        before,
        limit,
    )
    return [Collection(**row) for row in rows]


async def keep_media_of(conn: Connection, collection_id: UUID) -> KeepMedia | None:
    """The collection's choice, None when there is no such collection; for requests that no user makes."""
    return await conn.fetchval(
        "SELECT keep_media FROM collections WHERE id = $1 AND deleted_at IS NULL FOR SHARE", collection_id
    )


async def vocabulary_of(conn: Connection, collection_id: UUID) -> Vocabulary:
    row = await conn.fetchrow("SELECT key_terms, initial_prompt FROM collections WHERE id = $1", collection_id)
    return Vocabulary(**row) if row else Vocabulary()


async def change_collection(
    conn: Connection,
    collection_id: UUID,
    *,
    name: str | None,
    description: str | None,
    keep_media: str | None,
    key_terms: list[str] | None,
    initial_prompt: str | None,
) -> None:
    """None leaves as it is."""
    await conn.execute(
        """
        UPDATE collections SET name = coalesce($2, name), description = coalesce($3, description),
            keep_media = coalesce($4, keep_media), key_terms = coalesce($5, key_terms),
            initial_prompt = coalesce($6, initial_prompt), updated_at = now()
        WHERE id = $1
        """,
        collection_id,
        name,
        description,
        keep_media,
        key_terms,
        initial_prompt,
    )


async def set_retention(conn: Connection, collection_id: UUID, retention_days: int | None) -> None:
    """None keeps its assets for good."""
    await conn.execute(
        "UPDATE collections SET retention_days = $2, updated_at = now() WHERE id = $1", collection_id, retention_days
    )


async def mark_collection_deleted(conn: Connection, collection_id: UUID) -> None:
    await conn.execute("UPDATE collections SET deleted_at = coalesce(deleted_at, now()) WHERE id = $1", collection_id)


async def erase_empty_collections(conn: Connection) -> None:
    """Deleted ones whose last asset is gone."""
    await conn.execute(
        """
        DELETE FROM collections AS c
        WHERE c.deleted_at IS NOT NULL AND NOT EXISTS (SELECT 1 FROM assets AS a WHERE a.collection_id = c.id)
        """
    )


async def put_member(conn: Connection, collection_id: UUID, user_id: UUID, role: str) -> datetime:
    """Since when the user has been a member."""
    since = await conn.fetchval(
        """
        INSERT INTO members (collection_id, user_id, role) VALUES ($1, $2, $3)
        ON CONFLICT (collection_id, user_id) DO UPDATE SET role = excluded.role RETURNING created_at
        """,
        collection_id,
        user_id,
        role,
    )
    assert isinstance(since, datetime)
    return since


async def remove_member(conn: Connection, collection_id: UUID, user_id: UUID) -> bool:
    return bool(
        await conn.fetchval(
            "DELETE FROM members WHERE collection_id = $1 AND user_id = $2 RETURNING true", collection_id, user_id
        )
    )


async def lock_members(conn: Connection, collection_id: UUID) -> None:
    """Changes of membership go one after the other, so that the last owner cannot slip away twice."""
    await conn.fetchval("SELECT id FROM collections WHERE id = $1 FOR UPDATE", collection_id)


async def owners_of(conn: Connection, collection_id: UUID) -> list[UUID]:
    rows = await conn.fetch("SELECT user_id FROM members WHERE collection_id = $1 AND role = 'owner'", collection_id)
    return [row["user_id"] for row in rows]


async def lock_shares_of(conn: Connection, user_id: UUID) -> list[Share]:
    """Every collection that the user may enter; nobody is let in or removed until the transaction ends."""
    await conn.execute(
        """
        SELECT FROM collections AS c JOIN members AS m ON m.collection_id = c.id
        WHERE m.user_id = $1 AND c.deleted_at IS NULL ORDER BY c.id FOR NO KEY UPDATE OF c
        """,
        user_id,
    )
    # A statement of its own: what was committed while the locks were waited for counts.
    rows = await conn.fetch(
        """
        SELECT c.id AS collection_id, count(*) = 1 AS alone,
            bool_and((m.role = 'owner') = (m.user_id = $1)) AS only_owner
        FROM collections AS c JOIN members AS m ON m.collection_id = c.id
        WHERE c.deleted_at IS NULL AND c.id IN (SELECT own.collection_id FROM members AS own WHERE own.user_id = $1)
        GROUP BY c.id ORDER BY c.id
        """,
        user_id,
    )
    return [Share(**row) for row in rows]


async def members_after(conn: Connection, collection_id: UUID, after: UUID | None, limit: int) -> list[Member]:
    """In the order in which the users were made."""
    rows = await conn.fetch(
        """
        SELECT m.user_id, u.email, u.name, m.role, m.created_at
        FROM members AS m JOIN users AS u ON u.id = m.user_id
        WHERE m.collection_id = $1 AND ($2::uuid IS NULL OR m.user_id > $2) ORDER BY m.user_id LIMIT $3
        """,
        collection_id,
        after,
        limit,
    )
    return [Member(**row) for row in rows]
