"""``ASR_PARTS_AT_ONCE``: so many parts lie in a worker's hands, no more; and what a leaving worker does with them."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aio_pika
import pytest
from asr.main import build
from asr.settings import AsrSettings
from common.events import PartPlanned, TranscriptCompleted
from common.service import Service
from common.topology import hearing_of

from tests.integration.asr.conftest import SECOND, Bench
from tests.integration.asr.steady import Gated
from tests.integration.asr.test_workers import WAIT_SECONDS, hearing

QUEUE = hearing_of("asr", PartPlanned).queue
SECONDS = 60


@pytest.fixture
async def planned(settings: Callable[..., AsrSettings], to_flac: Callable[..., Path], bench: Bench) -> int:
    """A recording of so many parts, all said and none published."""
    service = build(settings(), installed=[Gated()])
    planner = Bench(service, bench.signer, bench.asset_id)
    await service.db.open()
    await planner.hand(await planner.fetched(to_flac(SECOND, SECONDS)))
    await service.stop()
    return sum(isinstance(fact, PartPlanned) for fact in await bench.said())


@pytest.fixture
def worker_of(settings: Callable[..., AsrSettings], rabbitmq_url: str) -> Callable[..., Service]:
    def make(engine: Gated, parts_at_once: int, **changes: Any) -> Service:
        own = settings(rabbitmq_url=rabbitmq_url, role="worker", parts_at_once=parts_at_once, **changes)
        return build(own, installed=[engine])

    return make


@asynccontextmanager
async def started(service: Service) -> AsyncGenerator[None]:
    await service.start()
    try:
        yield
    finally:
        await service.stop()


async def waiting(url: str) -> int:
    """Parts that lie in the queue and in nobody's hands."""
    connection = await aio_pika.connect(url)
    async with connection:
        queue = await (await connection.channel()).declare_queue(QUEUE, passive=True)
        return queue.declaration_result.message_count or 0


async def becomes(look: Callable[[], object], wanted: object) -> None:
    """``look`` may answer at once or be awaited."""
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            seen = look()
            if asyncio.iscoroutine(seen):
                seen = await seen
            if seen == wanted:
                return
            await asyncio.sleep(0.05)


async def recognised(bench: Bench) -> int:
    return (await bench.fetch("SELECT count(*) FROM parts WHERE words IS NOT NULL"))[0][0]


@pytest.mark.parametrize("parts_at_once", [1, 3])
async def test_so_many_parts_are_in_a_workers_hands(
    bench: Bench, worker_of: Callable[..., Service], rabbitmq_url: str, planned: int, parts_at_once: int
) -> None:
    assert planned > 2 * parts_at_once
    engine = Gated()
    worker = worker_of(engine, parts_at_once)
    assert worker.subscriptions.queues[QUEUE] == worker.subscriptions.queues[f"{QUEUE}.bulk"] == parts_at_once
    async with hearing(rabbitmq_url, "transcript.completed.v1") as completed, started(worker):
        await becomes(lambda: engine.at_once, parts_at_once)
        # What is in work is all that was taken.
        await becomes(lambda: waiting(rabbitmq_url), planned - parts_at_once)
        engine.open.set()
        assert TranscriptCompleted.model_validate(await completed()).revision == 1
    assert engine.most_at_once == parts_at_once
    assert await recognised(bench) == planned


@pytest.mark.parametrize("finish", [False, True], ids=["nothing is finished", "all can be finished"])
async def test_a_leaving_worker_finishes_or_hands_back_what_it_holds(
    bench: Bench, worker_of: Callable[..., Service], rabbitmq_url: str, planned: int, finish: bool
) -> None:
    engine, held = Gated(), 3
    # The gate opens in time, or never.
    worker = worker_of(engine, held, drain_seconds=60.0 if finish else 0.5)
    await worker.start()
    await becomes(lambda: engine.at_once, held)
    leaving = asyncio.create_task(worker.stop())
    if finish:
        await becomes(lambda: worker.consumer.turns.leaving, True)
        engine.open.set()
    await leaving
    done = await recognised(bench)
    assert done == (held if finish else 0)
    await becomes(lambda: waiting(rabbitmq_url), planned - done)
    await becomes(lambda: engine.at_once, 0)
    successor = Gated()
    successor.open.set()
    async with hearing(rabbitmq_url, "transcript.completed.v1") as completed, started(worker_of(successor, held)):
        fact = TranscriptCompleted.model_validate(await completed())
    assert await recognised(bench) == planned
    assert fact.word_count == await words(bench)
    assert successor.taken == planned - done


async def words(bench: Bench) -> int:
    return (await bench.fetch("SELECT sum(jsonb_array_length(words)) FROM parts"))[0][0]
