"""Embedding models: each has its own table of vectors."""

from common.db import Connection


async def find_model(conn: Connection, name: str) -> int | None:
    return await conn.fetchval("SELECT id FROM embedding_models WHERE name = $1", name)


async def register_model(conn: Connection, name: str, dimensions: int) -> int:
    """The model's id; its row and table are made the first time. Call inside a transaction."""
    known = await find_model(conn, name)
    if known is not None:
        return known
    # Of two processes that start together one makes the table.
    await conn.execute("LOCK TABLE embedding_models IN SHARE ROW EXCLUSIVE MODE")
    known = await find_model(conn, name)
    if known is not None:
        return known
    model_id: int = await conn.fetchval(
        "INSERT INTO embedding_models (name, dimensions) VALUES ($1, $2) RETURNING id", name, dimensions
    )
    await conn.execute("SELECT create_embeddings_table($1, $2)", model_id, dimensions)
    return model_id


async def model_ids(conn: Connection) -> list[int]:
    return [row["id"] for row in await conn.fetch("SELECT id FROM embedding_models ORDER BY id")]
