"""The schema goes up, down and up again."""

import asyncio

import asyncpg
from common.migrations import downgrade, upgrade


async def tables(url: str) -> set[str]:
    connection = await asyncpg.connect(url)
    rows = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'fetcher'")
    await connection.close()
    return {row["tablename"] for row in rows} - {"alembic_version"}


async def test_down_and_up(fetcher_database: str) -> None:
    whole = await tables(fetcher_database)
    assert {"fetches", "recordings", "uploads", "checkpoints", "outbox", "asset_states"} <= whole
    await asyncio.to_thread(downgrade, "fetcher", fetcher_database)
    assert await tables(fetcher_database) == set()
    await asyncio.to_thread(upgrade, "fetcher", fetcher_database)
    assert await tables(fetcher_database) == whole
