"""The schema: up, used, and down again without a trace."""

import asyncio

from common.migrations import downgrade, upgrade
from embedder.queries.models import model_ids, register_model

from tests.conftest import Databases
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
        indexes = await conn.fetch("SELECT indexdef FROM pg_indexes WHERE tablename = 'embeddings_1'")
    assert any("halfvec_ip_ops" in row["indexdef"] and "ef_construction='64'" in row["indexdef"] for row in indexes)
