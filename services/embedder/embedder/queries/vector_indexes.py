"""The vector index of a model's table: built beside reading and writing, on a connection of its own."""

from dataclasses import dataclass

from common.db import Connection

from embedder.domain.tending import TableFacts
from embedder.queries.models import ModelRow

# Of HNSW: neighbours of a node, and how many candidates are weighed for them. Weighing 64, as pgvector does by default,
# takes two thirds of the time; but of 200,000 vectors in clusters 0.90 of the nearest ten were found then, now 0.99.
M, EF_CONSTRUCTION = 16, 128
# Advisory lock of whoever builds, with the model's id.
_BUILDING = 0x45415249
_LIMITS = ("statement_timeout", "lock_timeout", "transaction_timeout", "idle_in_transaction_session_timeout")


@dataclass(frozen=True)
class Sizes:
    """Rows are estimated; bytes are exact."""

    rows: int
    table_bytes: int
    index_bytes: int


def index_name(row: ModelRow) -> str:
    return f"{row.table}_embedding"


def indexed_value(row: ModelRow) -> str:
    """SQL of what the index is over, and its class of operators."""
    if row.quantised:
        return f"(binary_quantize(embedding)::bit({row.dimensions:d})) bit_hamming_ops"
    return "embedding halfvec_ip_ops"


async def read_facts(conn: Connection, row: ModelRow) -> TableFacts:
    """Rows by the server's running statistics, which are some seconds late."""
    found = await conn.fetchrow(
        """
        SELECT s.n_live_tup AS rows, s.n_tup_del AS deletions,
            coalesce((SELECT i.indisvalid FROM pg_index AS i WHERE i.indexrelid = to_regclass($2)), false) AS built
        FROM pg_stat_all_tables AS s WHERE s.relid = to_regclass($1)
        """,
        row.table,
        index_name(row),
    )
    if found is None:
        return TableFacts(0, 0, built=False)
    # After a crash the server begins to count anew.
    deleted = max(0, found["deletions"] - row.index_deletions)
    return TableFacts(found["rows"], deleted, found["built"])


async def has_rows(conn: Connection, row: ModelRow, count: int) -> bool:
    """Whether the table has at least so many; exact, for counts that are quickly counted."""
    return await conn.fetchval(f"SELECT count(*) = $1 FROM (SELECT FROM {row.table} LIMIT $1) AS r", count)


async def read_sizes(conn: Connection, row: ModelRow) -> Sizes:
    found = await conn.fetchrow(
        """
        SELECT greatest(c.reltuples, (SELECT s.n_live_tup FROM pg_stat_all_tables AS s WHERE s.relid = c.oid))::bigint
                AS rows,
            pg_table_size(c.oid) AS table_bytes,
            coalesce(pg_relation_size(to_regclass($2)), 0) AS index_bytes
        FROM pg_class AS c WHERE c.oid = to_regclass($1)
        """,
        row.table,
        index_name(row),
    )
    return Sizes(**found) if found else Sizes(0, 0, 0)


async def claim_building(conn: Connection, row: ModelRow) -> bool:
    """Of several processes one builds; it lets go when its connection ends, however it ends."""
    return await conn.fetchval("SELECT pg_try_advisory_lock($1, $2)", _BUILDING, row.id)


async def lift_limits(conn: Connection, memory_mb: int) -> None:
    """For this connection, which is nobody else's: building takes as long as it takes."""
    await conn.execute(
        """
        SELECT set_config(name, CASE name WHEN 'maintenance_work_mem' THEN $2 ELSE '0' END, false)
        FROM pg_settings WHERE name = ANY($1)
        """,
        [*_LIMITS, "maintenance_work_mem"],
        f"{memory_mb}MB",
    )


async def drop_unfinished(conn: Connection, row: ModelRow) -> None:
    """What an earlier attempt that was broken off has left behind."""
    left = await conn.fetch(
        """
        SELECT c.relname FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
        WHERE i.indrelid = to_regclass($1) AND NOT i.indisvalid
        """,
        row.table,
    )
    for one in left:
        await conn.execute(f'DROP INDEX CONCURRENTLY IF EXISTS "{one["relname"]}"')


async def build(conn: Connection, row: ModelRow) -> None:
    """Outside any transaction; a no-op where the index is there."""
    await conn.execute(
        f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {index_name(row)} ON {row.table} "
        f"USING hnsw ({indexed_value(row)}) WITH (m = {M}, ef_construction = {EF_CONSTRUCTION})"
    )


async def rebuild(conn: Connection, row: ModelRow) -> None:
    """Outside any transaction; the old one serves until the new one is there."""
    # One of an earlier version was built with less care.
    await conn.execute(f"ALTER INDEX {index_name(row)} SET (m = {M}, ef_construction = {EF_CONSTRUCTION})")
    await conn.execute(f"REINDEX INDEX CONCURRENTLY {index_name(row)}")


async def note_built(conn: Connection, row: ModelRow) -> None:
    """And let the planner know what the table holds by now."""
    await conn.execute(f"ANALYZE {row.table}")
    await conn.execute(
        """
        UPDATE embedding_models SET index_rows = (SELECT reltuples::bigint FROM pg_class WHERE oid = to_regclass($2)),
            index_deletions = (SELECT n_tup_del FROM pg_stat_all_tables WHERE relid = to_regclass($2))
        WHERE id = $1
        """,
        row.id,
        row.table,
    )
