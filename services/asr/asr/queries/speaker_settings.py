"""SQL of how sure one must be in a collection to name speakers without asking."""

from uuid import UUID

from common.db import Connection

from asr.domain.matching import Rules


async def read_rules(conn: Connection, collection_id: UUID, least: float) -> Rules:
    """The collection's own, else the usual ones."""
    row = await conn.fetchrow(
        "SELECT automatic, owner_threshold, guest_threshold FROM speaker_settings WHERE collection_id = $1",
        collection_id,
    )
    if row is None:
        return Rules(least=least)
    return Rules(least, row["automatic"], row["owner_threshold"], row["guest_threshold"])


async def rules_where(conn: Connection, asset_id: UUID, least: float) -> Rules:
    """Those of the collection in which the asset is at this moment."""
    collection_id = await conn.fetchval("SELECT collection_id FROM gateway.asset_scope WHERE asset_id = $1", asset_id)
    return await read_rules(conn, collection_id, least)


async def save_rules(conn: Connection, collection_id: UUID, rules: Rules) -> None:
    await conn.execute(
        """
        INSERT INTO speaker_settings AS s (collection_id, automatic, owner_threshold, guest_threshold)
        VALUES ($1, $2, $3, $4)
        ON CONFLICT (collection_id) DO UPDATE SET automatic = excluded.automatic,
            owner_threshold = excluded.owner_threshold, guest_threshold = excluded.guest_threshold, updated_at = now()
        """,
        collection_id,
        rules.automatic,
        rules.owner,
        rules.guest,
    )
