"""kill -9 of any one process while a recording is on its way: it completes, once, and no fact is lost."""

import asyncio
from typing import Any

import asyncpg
import pytest
from stack.testing import ThrowawayStack

from tests.e2e.api import DEMO, Api
from tests.e2e.test_road import orphans, wait_idle

VICTIMS = ("gateway", "fetcher", "asr", "embedder", "chat", "rabbitmq", "postgres")
# When each of them is in the middle of its own work; the others die while speech is being recognised.
MOMENTS = {"fetcher": "fetch", "embedder": "index"}


@pytest.mark.parametrize("victim", VICTIMS)
def test_the_recording_completes_though_one_was_killed(stack: ThrowawayStack, victim: str) -> None:
    api = Api(stack.url, stack.key)
    asset = api.upload(DEMO, collection_id=api.collection(f"kill {victim}"))
    moment = MOMENTS.get(victim, "transcribe")
    api.until(asset["id"], lambda now: now["stage"] == moment or now["status"] == "ready")
    before = stack.process(victim)
    assert before is not None
    stack.kill(victim)
    # The fault really fired: that very process is gone.
    assert not before.is_running()
    done = api.wait(asset["id"])
    assert done["status"] == "ready", done
    wait_idle(stack)
    asyncio.run(check_exactly_once(stack, asset["id"]))
    assert asyncio.run(orphans(stack)) == {}
    answer = api.ask("What did the burglars steal?", collection_id=asset["collection_id"])
    assert answer["answered"] is True
    after = stack.process(victim)
    assert after is not None
    assert after.pid != before.pid


async def check_exactly_once(stack: ThrowawayStack, asset_id: str) -> None:
    connection = await asyncpg.connect(stack.state.database_url)
    try:
        assert await _value(connection, "SELECT count(*) - count(DISTINCT chunk_index) FROM embedder.chunks WHERE asset_id = $1", asset_id) == 0
        chunks = await _value(connection, "SELECT count(*) FROM embedder.chunks WHERE asset_id = $1", asset_id)
        assert chunks > 0
        models = await connection.fetch("SELECT table_name FROM information_schema.tables WHERE table_schema = 'embedder' AND table_name LIKE 'embeddings\\_%'")
        vectors = sum([await _value(connection, f"SELECT count(*) FROM embedder.{row[0]} v JOIN embedder.chunks c ON c.id = v.chunk_id WHERE c.asset_id = $1", asset_id) for row in models])
        assert vectors == chunks
        revisions = await _value(connection, "SELECT revision FROM asr.asset_states WHERE asset_id = $1", asset_id)
        assert revisions == 1
        for schema in ("gateway", "fetcher", "asr", "embedder", "chat"):
            assert await _value(connection, f"SELECT count(*) FROM {schema}.parked WHERE asset_id = $1", asset_id) == 0
    finally:
        await connection.close()


async def _value(connection: Any, sql: str, *arguments: Any) -> int:
    import uuid

    return await connection.fetchval(sql, *(uuid.UUID(value) for value in arguments))
