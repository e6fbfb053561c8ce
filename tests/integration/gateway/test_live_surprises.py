"""The live feed when somebody deletes its queues: it listens again by itself, to progress and for its watchers."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any
from uuid import UUID

import pytest
from common import topology
from common.amqp import connect_once
from common.progress import Progress
from stack.testing import ThrowawayRabbit

from tests.integration.gateway.bus import Asset, Bus
from tests.integration.gateway.test_live import until_bound, watching

# A watcher's queue is closed to everybody but the connection that declared it, and to the broker itself.
DELETE_WATCHERS_QUEUES = """
[rabbit_amqqueue:delete(Q, false, false, <<"nobody">>)
 || Q <- rabbit_amqqueue:list(), amqqueue:get_exclusive_owner(Q) =/= none].
"""


@pytest.fixture
async def asr(rabbitmq_url: str) -> AsyncGenerator[Progress]:
    """Tells progress as the asr service does."""
    progress = Progress(rabbitmq_url, "asr")
    yield progress
    await progress.close()


async def test_progress_is_stored_again_when_its_queue_was_deleted(
    bus: Bus, rabbit: ThrowawayRabbit, asr: Progress
) -> None:
    asset = Asset(await bus.gateway.add())

    async def stored(fraction: float) -> bool:
        await asr.tell(UUID(asset.id), 1, "transcribe", fraction, "under way")
        status = (await bus.gateway.admin.http.get(f"/api/assets/{asset.id}/status")).json()
        return status["stages"][1]["progress"] == fraction

    await bus.until(lambda: stored(0.2))
    async with await connect_once(rabbit.url, "test") as connection:
        channel = await connection.channel()
        await (await channel.get_queue(topology.PROGRESS_QUEUE)).delete(if_unused=False, if_empty=False)
    await bus.until(lambda: stored(0.6))


async def test_a_watcher_hears_again_when_the_queue_of_its_gateway_was_deleted(
    bus: Bus, rabbit: ThrowawayRabbit, asr: Progress
) -> None:
    asset = Asset(await bus.gateway.add())
    async with watching(bus.gateway, bus.gateway.admin, f"asset:{asset.id}") as watcher:
        await until_bound(bus, asset.id, asr, watcher)
        assert "ok" in await asyncio.to_thread(rabbit.control, "eval", DELETE_WATCHERS_QUEUES)
        arriving = asyncio.create_task(_words(watcher, "afterwards"))
        async with asyncio.timeout(30):
            while not arriving.done():
                await asr.tell(UUID(asset.id), 1, "transcribe", 0.5, "afterwards")
                await asyncio.sleep(0.05)
        assert arriving.result()["words"] == "afterwards"


async def _words(watcher: Any, words: str) -> dict[str, Any]:
    while (message := await watcher.next_of("progress"))["words"] != words:
        pass
    return message
