"""Embedding models: each has its own table of vectors."""

from common.db import Connection


async def register_model(conn: Connection, name: str, dimensions: int) -> int:
    """The model's id; its table is made the first time. Call inside a transaction."""
    await conn.execute("LOCK TABLE embedding_models IN SHARE ROW EXCLUSIVE MODE")
    known = await conn.fetchrow("SELECT id, dimensions FROM embedding_models WHERE name = $1", name)
    if known is not None:
        if known["dimensions"] != dimensions:
            raise ValueError(f"{name} has {dimensions} dimensions, its stored vectors {known['dimensions']}")
        return known["id"]
    model_id: int = await conn.fetchval(
        "INSERT INTO embedding_models (name, dimensions) VALUES ($1, $2) RETURNING id", name, dimensions
    )
    await conn.execute("SELECT create_embeddings_table($1, $2)", model_id, dimensions)
    return model_id


async def find_model(conn: Connection, name: str) -> int | None:
    return await conn.fetchval("SELECT id FROM embedding_models WHERE name = $1", name)


async def model_ids(conn: Connection) -> list[int]:
    return [row["id"] for row in await conn.fetch("SELECT id FROM embedding_models ORDER BY id")]
