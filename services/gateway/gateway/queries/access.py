"""Who may do what, asked of the two views that also the other services read."""

from dataclasses import dataclass
from uuid import UUID

from common.db import Connection

from gateway.domain.scopes import Role


@dataclass(frozen=True)
class AssetAccess:
    """An asset that the user may see, and as what."""

    asset_id: UUID
    collection_id: UUID
    role: Role


@dataclass(frozen=True)
class Readers:
    """Who may read an asset, where it is, and whether it is being deleted: its deletion is still theirs to hear."""

    collection_id: UUID
    deleted: bool
    users: frozenset[UUID]


async def asset_access(conn: Connection, user_id: UUID, asset_id: UUID) -> AssetAccess | None:
    """None when there is no such asset for this user: unknown, deleted, or somebody else's."""
    row = await conn.fetchrow(
        """
        SELECT s.asset_id, s.collection_id, a.role
        FROM asset_scope AS s JOIN access AS a ON a.collection_id = s.collection_id
        WHERE s.asset_id = $2 AND NOT s.deleted AND a.user_id = $1
        """,
        user_id,
        asset_id,
    )
    return AssetAccess(**row) if row else None


async def short_id_access(conn: Connection, user_id: UUID, short_id: str) -> list[AssetAccess]:
    """At most two of the assets with this short id that the user may see: two mean that it is ambiguous."""
    rows = await conn.fetch(
        """
        SELECT s.asset_id, s.collection_id, a.role
        FROM assets AS named
        JOIN asset_scope AS s ON s.asset_id = named.id
        JOIN access AS a ON a.collection_id = s.collection_id
        WHERE named.short_id = $2 AND NOT s.deleted AND a.user_id = $1 LIMIT 2
        """,
        user_id,
        short_id,
    )
    return [AssetAccess(**row) for row in rows]


async def collection_role(conn: Connection, user_id: UUID, collection_id: UUID) -> Role | None:
    return await conn.fetchval(
        "SELECT role FROM access WHERE user_id = $1 AND collection_id = $2", user_id, collection_id
    )


async def readers_among(conn: Connection, asset_id: UUID, user_ids: list[UUID]) -> Readers | None:
    """Those of the users who may read the asset at this moment; None when its row is gone."""
    row = await conn.fetchrow(
        """
        SELECT s.collection_id, s.deleted,
            ARRAY(
                SELECT a.user_id FROM access AS a
                WHERE a.collection_id = s.collection_id AND a.user_id = ANY($2::uuid[])
            ) AS users
        FROM asset_scope AS s WHERE s.asset_id = $1
        """,
        asset_id,
        user_ids,
    )
    return Readers(row["collection_id"], row["deleted"], frozenset(row["users"])) if row else None
