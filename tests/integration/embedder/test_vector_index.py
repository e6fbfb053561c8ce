"""The vector index: there when it pays, built beside reading and writing, exact enough, also over single bits."""

import asyncio
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from common.db import Connection
from common.ids import uuid7
from embedder.domain import copying
from embedder.legs import Reach
from embedder.providers.embedder import Vectors
from embedder.queries import chunks, legs, models, vector_indexes
from embedder.queries.models import ModelRow
from embedder.queries.nearest import Nearest
from embedder.queries.scope import Filters
from embedder.vector_index import VectorIndexes

from tests.integration.embedder.world import World

ROWS = 1500
DIMENSIONS = 128


def unit(vectors: np.ndarray) -> Vectors:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


async def table(world: World, *, quantised: bool = False, rows: int = ROWS) -> tuple[UUID, ModelRow, Vectors]:
    """A model with vectors of one readable asset, whose chunks say nothing."""
    me = await world.user()
    asset = await world.asset(await world.collection(me))
    await world.admin.execute(
        "INSERT INTO embedder.indexed_assets (asset_id, collection_id, kind, title, registered_at, chunk_count) "
        "VALUES ($1, $2, 'recording', 'Talk', now(), $3)",
        asset,
        world.collections[asset],
        rows,
    )
    await world.admin.execute(
        """
        INSERT INTO embedder.chunks
            (id, number, asset_id, chunk_index, content, locator, speakers, words, lines, phrase, term_ids)
        SELECT gen_random_uuid(), n, $1, n, '', '{}', '{}', '[]', '[]', '', '{}' FROM generate_series(1, $2) AS n
        """,
        asset,
        rows,
    )
    async with world.db.transaction() as conn:
        model_id = await models.register_model(conn, f"m{uuid7()}", DIMENSIONS, quantised=quantised)
        row = await models.read_model(conn, model_id)
    assert row is not None
    vectors = unit(np.random.default_rng(5).standard_normal((rows, DIMENSIONS)))
    await put(world, row, 1, vectors)
    await world.admin.execute(f"ANALYZE embedder.{row.table}")
    return me, row, vectors


async def put(world: World, row: ModelRow, first: int, vectors: Vectors) -> None:
    async with world.db.transaction() as conn:
        asset = await conn.fetchval("SELECT number FROM indexed_assets LIMIT 1")
        data = copying.embeddings(range(first, first + len(vectors)), asset, vectors)
        await chunks.copy_embeddings(conn, row.id, data)


async def index_state(world: World, row: ModelRow) -> list[tuple[str, bool]]:
    found = await world.admin.fetch(
        """
        SELECT pg_get_indexdef(i.indexrelid) AS definition, i.indisvalid FROM pg_index i
        WHERE i.indrelid = ('embedder.' || $1)::regclass AND pg_get_indexdef(i.indexrelid) LIKE '%hnsw%'
        """,
        row.table,
    )
    return [(one["definition"], one["indisvalid"]) for one in found]


def indexes(world: World, from_rows: int = 1000) -> VectorIndexes:
    return VectorIndexes(world.db, from_rows=from_rows, memory_mb=32)


async def test_small_tables_have_none_and_large_ones_get_theirs(world: World) -> None:
    _, row, _ = await table(world)
    assert await indexes(world, ROWS + 1).prepare(row)
    assert await index_state(world, row) == []
    assert await indexes(world, ROWS).prepare(row)
    ((definition, valid),) = await index_state(world, row)
    assert valid
    assert "halfvec_ip_ops" in definition
    assert "m='16', ef_construction='128'" in definition
    assert await indexes(world, ROWS).prepare(row)
    async with world.db.acquire() as conn:
        again = await models.read_model(conn, row.id)
        facts = await vector_indexes.read_facts(conn, row)
    assert again is not None
    assert again.index_rows == ROWS
    assert facts.built


async def test_tending_waits_while_a_table_grows_and_then_builds(world: World) -> None:
    _, row, vectors = await table(world)
    keeper = indexes(world)

    async def settled(rows: int) -> None:
        """The server counts rows some moments after they came."""
        async with world.db.acquire() as conn:
            while (await vector_indexes.read_facts(conn, row)).rows < rows:
                await asyncio.sleep(0.1)

    await settled(ROWS)
    await keeper.tend()
    assert await index_state(world, row) == []
    await put(world, row, ROWS + 1, vectors)
    await settled(2 * ROWS)
    await keeper.tend()
    assert await index_state(world, row) == []
    await keeper.tend()
    ((_, valid),) = await index_state(world, row)
    assert valid


async def test_what_a_broken_attempt_left_is_removed_and_rebuilding_keeps_one(world: World) -> None:
    _, row, _ = await table(world)
    name = vector_indexes.index_name(row)
    assert await indexes(world).prepare(row)
    await world.admin.execute(f"UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'embedder.{name}'::regclass")
    assert await indexes(world).prepare(row)
    ((_, valid),) = await index_state(world, row)
    assert valid
    await world.admin.execute(f"ALTER INDEX embedder.{name} SET (ef_construction = 64)")
    assert await indexes(world).work(row, "rebuild")
    ((definition, _),) = await index_state(world, row)
    assert "ef_construction='128'" in definition


async def test_of_two_who_would_build_one_does_and_writing_goes_on(world: World) -> None:
    _, row, vectors = await table(world)
    built, _, *_ = await asyncio.gather(
        indexes(world).prepare(row),
        put(world, row, ROWS + 1, vectors),
        *(put(world, row, 10_000 + i, vectors[i : i + 1]) for i in range(20)),
    )
    assert built
    async with world.db.alone() as conn:
        assert await vector_indexes.claim_building(conn, row)
        assert not await indexes(world).work(row, "rebuild")
    assert await indexes(world).work(row, "rebuild")


SETTINGS = {**Reach(100, 0).settings(planned_anew=True), "enable_seqscan": "off", "enable_sort": "off"}


async def nearest(
    conn: Connection, me: UUID, row: ModelRow, vector: Vectors, limit: int, *, by_index: bool
) -> list[tuple[int, float]]:
    """(number, cosine) of the nearest chunks, by the statement that search uses."""
    wanted = Nearest(row.id, vector, row.dimensions if row.quantised else None)
    query = legs.Query(None, wanted, limit, limit, 0 if by_index else 1_000_000)
    found = await legs.find_candidates(conn, me, Filters(), query)
    scored = [(chunk.number, chunk.semantic) for chunk in found.chunks if chunk.semantic is not None]
    return sorted(scored, key=lambda one: -one[1])


@pytest.mark.parametrize("quantised", [False, True])
async def test_neighbours_by_index_are_nearly_those_of_looking_at_all(world: World, *, quantised: bool) -> None:
    me, row, vectors = await table(world, quantised=quantised)
    assert await indexes(world).prepare(row)
    ((definition, _),) = await index_state(world, row)
    assert ("bit_hamming_ops" in definition) == quantised
    random = np.random.default_rng(6)
    wanted = unit(vectors[random.integers(0, ROWS, 20)] + 0.1 * random.standard_normal((20, DIMENSIONS)))
    met = 0
    for query in wanted:
        async with world.db.snapshot(SETTINGS) as conn:
            found = await nearest(conn, me, row, query, 100, by_index=True)
            exact = await nearest(conn, me, row, query, 100, by_index=False)
        assert len(found) == len(exact) == 100
        met += len({number for number, _ in sorted(found, key=lambda one: -one[1])[:10]} & {n for n, _ in exact[:10]})
        # Whatever is found has its true cosine, not one by bits.
        scores = dict(exact)
        assert all(abs(score - scores[number]) < 1e-6 for number, score in found if number in scores)
    assert met >= (0.85 if quantised else 0.95) * 200


@pytest.mark.parametrize("quantised", [False, True])
async def test_the_planner_uses_the_index(world: World, *, quantised: bool) -> None:
    """Also beside the filter of who may read."""
    me, row, vectors = await table(world, quantised=quantised)
    assert await indexes(world).prepare(row)
    statements: list[tuple[str, tuple[object, ...]]] = []
    async with world.db.transaction() as conn:
        await conn.execute("SET LOCAL enable_seqscan = off")

        def note(record: Any) -> None:
            statements.append((record.query, record.args))

        conn.add_query_logger(note)
        await nearest(conn, me, row, vectors[0], 10, by_index=True)
        await asyncio.sleep(0.01)
        conn.remove_query_logger(note)
        ((query, arguments),) = [one for one in statements if row.table in one[0]]
        plan = [line["QUERY PLAN"] for line in await conn.fetch("EXPLAIN " + query, *arguments)]
    assert any(f"Index Scan using {vector_indexes.index_name(row)}" in line for line in plan), "\n".join(plan)
