"""Embedding models: each has its own table of vectors, and a state that says what the table is good for."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from common.db import Connection

State = Literal["preparing", "ready", "current", "dropping"]
# Advisory lock: held together by all who write vectors, and alone by who changes which models there are. So a writer
# sees every model to write to, and nobody calls a model complete while a chunk is on its way past it.
_MODELS = 0x45415256
_COLUMNS = (
    "id, name, dimensions, state, quantised, switch_when_ready, error, created_at, switched_at, index_rows, "
    "index_deletions"
)


@dataclass(frozen=True)
class ModelRow:
    """``index_rows`` and ``index_deletions``: the table's rows and deletions when its vector index was built; no rows
    while it has none. ``error``: why vectors could not be made at the last attempt."""

    id: int
    name: str
    dimensions: int
    state: State
    quantised: bool
    switch_when_ready: bool
    error: dict[str, Any] | None
    created_at: datetime
    switched_at: datetime | None
    index_rows: int
    index_deletions: int

    @property
    def table(self) -> str:
        return embeddings_table(self.id)

    @property
    def live(self) -> bool:
        """Whether every new chunk gets a vector of it."""
        return self.state != "dropping"


def embeddings_table(model_id: int) -> str:
    return f"embeddings_{model_id:d}"


async def list_models(conn: Connection) -> list[ModelRow]:
    """In the order in which they were made."""
    return [ModelRow(**row) for row in await conn.fetch(f"SELECT {_COLUMNS} FROM embedding_models ORDER BY id")]


async def read_model(conn: Connection, model_id: int) -> ModelRow | None:
    row = await conn.fetchrow(f"SELECT {_COLUMNS} FROM embedding_models WHERE id = $1", model_id)
    return ModelRow(**row) if row else None


async def find_model(conn: Connection, name: str) -> ModelRow | None:
    row = await conn.fetchrow(f"SELECT {_COLUMNS} FROM embedding_models WHERE name = $1", name)
    return ModelRow(**row) if row else None


async def read_current(conn: Connection) -> ModelRow | None:
    """The one that search uses; None before anything was indexed."""
    row = await conn.fetchrow(f"SELECT {_COLUMNS} FROM embedding_models WHERE state = 'current'")
    return ModelRow(**row) if row else None


async def read_live(conn: Connection) -> list[ModelRow]:
    """Those to write to, the current one first."""
    rows = await conn.fetch(
        f"SELECT {_COLUMNS} FROM embedding_models WHERE state <> 'dropping' ORDER BY state <> 'current', id"
    )
    return [ModelRow(**row) for row in rows]


async def hold_live(conn: Connection) -> list[ModelRow]:
    """Those to write to, the current one first; which they are does not change before the transaction ends."""
    await conn.execute("SELECT pg_advisory_xact_lock_shared($1)", _MODELS)
    return await read_live(conn)


async def take_registry(conn: Connection) -> None:
    """Wait until nobody writes vectors; nobody does before the transaction ends. For short transactions."""
    await conn.execute("SELECT pg_advisory_xact_lock($1)", _MODELS)


async def register_model(conn: Connection, name: str, dimensions: int, *, quantised: bool = False) -> int:
    """The model's id; its row and table are made the first time. The first of all is current at once, others are to be
    prepared. Call inside a transaction."""
    await take_registry(conn)
    known = await find_model(conn, name)
    if known is not None:
        return known.id
    model_id: int = await conn.fetchval(
        """
        INSERT INTO embedding_models (name, dimensions, quantised, state, switched_at)
        SELECT $1, $2, $3, CASE WHEN first THEN 'current' ELSE 'preparing' END, CASE WHEN first THEN now() END
        FROM (SELECT NOT EXISTS (SELECT FROM embedding_models WHERE state = 'current') AS first) AS f
        RETURNING id
        """,
        name,
        dimensions,
        quantised,
    )
    await conn.execute("SELECT create_embeddings_table($1, $2)", model_id, dimensions)
    return model_id


async def model_ids(conn: Connection) -> list[int]:
    """Of all that are not on their way out."""
    return [row.id for row in await read_live(conn)]


async def set_state(conn: Connection, model_id: int, state: State) -> None:
    await conn.execute("UPDATE embedding_models SET state = $2 WHERE id = $1", model_id, state)


async def wish_switch(conn: Connection, model_id: int, *, wished: bool) -> None:
    """Whether the model becomes current as soon as it is ready; of several only the last one asked for does."""
    await conn.execute(
        "UPDATE embedding_models SET switch_when_ready = (id = $1 AND $2) WHERE state <> 'dropping'", model_id, wished
    )


async def switch(conn: Connection, model_id: int) -> None:
    """From the moment of the commit every search uses it, and every collection's index has changed."""
    await conn.execute("UPDATE embedding_models SET state = 'ready' WHERE state = 'current'")
    await conn.execute(
        "UPDATE embedding_models SET state = 'current', switch_when_ready = false, switched_at = now() WHERE id = $1",
        model_id,
    )
    await conn.execute(
        """
        UPDATE index_generations AS g SET generation = g.generation + 1
        FROM (SELECT collection_id FROM index_generations ORDER BY collection_id FOR UPDATE) AS o
        WHERE o.collection_id = g.collection_id
        """
    )


async def note_error(conn: Connection, model_id: int, error: dict[str, Any] | None) -> None:
    await conn.execute(
        "UPDATE embedding_models SET error = $2 WHERE id = $1 AND error IS DISTINCT FROM $2", model_id, error
    )


async def give_up(conn: Connection, model_id: int) -> None:
    """Nothing is written to it any more; its table stays a while for those who search in it just now."""
    await conn.execute(
        "UPDATE embedding_models SET state = 'dropping', switch_when_ready = false, dropped_at = now() WHERE id = $1",
        model_id,
    )
    await conn.execute("DELETE FROM backfill_batches WHERE model_id = $1", model_id)


async def given_up(conn: Connection, seconds: float) -> list[int]:
    """Ids of those that were given up at least so long ago."""
    rows = await conn.fetch(
        "SELECT id FROM embedding_models WHERE state = 'dropping' AND dropped_at <= now() - make_interval(secs => $1)",
        seconds,
    )
    return [row["id"] for row in rows]


async def drop_model(conn: Connection, model_id: int) -> None:
    """Table and row, for good."""
    await conn.execute(f"DROP TABLE IF EXISTS {embeddings_table(model_id)}")
    await conn.execute("DELETE FROM embedding_models WHERE id = $1", model_id)
