"""What makes a creation happen once: idempotency keys of HTTP, request ids of published requests."""

from uuid import UUID

from common.db import Connection

# The table of keys, see ``common.once``.
KEYS = "idempotency_keys"


async def forget_keys(conn: Connection, hours: float) -> None:
    await conn.execute(
        "DELETE FROM idempotency_keys WHERE created_at < now() - make_interval(secs => $1)", hours * 3600
    )


async def claim_request(conn: Connection, collection_id: UUID, request_id: str, asset_id: UUID) -> bool:
    """False when the collection has seen the request before."""
    return bool(
        await conn.fetchval(
            """
            INSERT INTO ingestion_requests (collection_id, request_id, asset_id) VALUES ($1, $2, $3)
            ON CONFLICT DO NOTHING RETURNING true
            """,
            collection_id,
            request_id,
            asset_id,
        )
    )


async def forget_resource(conn: Connection, asset_id: UUID) -> None:
    """The keys stay taken; what they point at is gone."""
    await conn.execute("UPDATE idempotency_keys SET resource_id = NULL WHERE resource_id = $1", asset_id)
    await conn.execute("UPDATE ingestion_requests SET asset_id = NULL WHERE asset_id = $1", asset_id)
