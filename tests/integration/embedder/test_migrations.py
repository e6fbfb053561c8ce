"""The schema: up, used, and down again without a trace."""

import asyncio

from common.migrations import downgrade, upgrade
from embedder.queries.models import list_models, model_ids, register_model

from tests.conftest import Databases
from tests.integration.embedder.test_indexing import TURNS
from tests.integration.embedder.world import World


async def test_down_removes_also_the_tables_made_for_models(world: World, fresh_database: Databases) -> None:
    async with world.db.transaction() as conn:
        await register_model(conn, "another", 8)
    url = fresh_database.urls["embedder"]
    await asyncio.to_thread(downgrade, "embedder", url)
    left = await world.admin.fetch("SELECT relname FROM pg_class WHERE relnamespace = 'embedder'::regnamespace")
    assert {row["relname"] for row in left} <= {"alembic_version", "alembic_version_pkc"}
    await asyncio.to_thread(upgrade, "embedder", url)
    assert await world.count("chunks") == 0


async def test_a_model_is_registered_once_by_many_at_once(world: World) -> None:
    async def register() -> int:
        async with world.db.transaction() as conn:
            return await register_model(conn, "m", 384)

    assert len(set(await asyncio.gather(*(register() for _ in range(5))))) == 1
    async with world.db.acquire() as conn:
        assert len(await model_ids(conn)) == 1
        column = await conn.fetchval(
            "SELECT format_type(atttypid, atttypmod) FROM pg_attribute "
            "WHERE attrelid = 'embeddings_1'::regclass AND attname = 'embedding'"
        )
    assert column == "halfvec(384)"


async def test_what_an_earlier_version_indexed_is_searched_as_before(world: World, fresh_database: Databases) -> None:
    """Down to where there was one model with its index at once, and up again, with a recording and a second model."""
    me = await world.user()
    await world.recording(await world.collection(me), TURNS)
    before = [found.passage.id for found in (await world.find(me, "money for the website")).found]
    async with world.db.transaction() as conn:
        assert await register_model(conn, "another", 8) == 2
    url = fresh_database.urls["embedder"]
    await asyncio.to_thread(downgrade, "embedder", url, "0002")
    columns = await world.admin.fetch(
        "SELECT attname FROM pg_attribute WHERE attrelid = 'embedder.embedding_models'::regclass AND attnum > 0 "
        "AND NOT attisdropped"
    )
    assert {row["attname"] for row in columns} == {"id", "name", "dimensions", "created_at"}
    assert [row["id"] for row in await world.admin.fetch("SELECT id FROM embedder.embedding_models")] == [1]
    assert await world.admin.fetchval("SELECT to_regclass('embedder.embeddings_1_embedding')") is not None
    await asyncio.to_thread(upgrade, "embedder", url)
    async with world.db.acquire() as conn:
        await conn.reload_schema_state()
        (row,) = await list_models(conn)
    assert (row.name, row.state, row.switched_at) == (world.embedder.name, "current", row.created_at)
    assert [found.passage.id for found in (await world.find(me, "money for the website")).found] == before
