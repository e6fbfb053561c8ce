"""A delivery held longer than the broker allows: the channel is closed and reopened, and the work is done once."""

import asyncio
from collections.abc import Generator
from pathlib import Path

import pytest
from common.delivery import Delivery
from common.events import AssetDeleted
from stack.testing import ThrowawayRabbit

from tests.conftest import Databases
from tests.integration.common.surprised import QUEUE, Worker, eventually, metric, working

IMPATIENT = (
    "application:set_env(rabbit, consumer_timeout, 2000), application:set_env(rabbit, channel_tick_interval, 500)."
)


@pytest.fixture(scope="module")
def rabbit() -> Generator[ThrowawayRabbit]:
    """A node that lets nobody hold a delivery for more than two seconds."""
    with ThrowawayRabbit() as node:
        node.control("eval", IMPATIENT)
        yield node


async def _once_handled(worker: Worker) -> None:
    await eventually(lambda: _settled(worker))
    assert await worker.count("inbox") == 1
    await worker.recovers()
    assert worker.consumers(QUEUE) == 1


async def _settled(worker: Worker) -> bool:
    return await worker.count("inbox") == 1 and worker.service.consumer.active == 0


async def test_work_that_is_not_done_is_given_up_and_delivered_again(
    core_database: Databases, rabbit: ThrowawayRabbit, rabbitmq_url: str, tmp_path: Path
) -> None:
    assert rabbitmq_url == rabbit.url
    attempts = 0

    async def handle(_fact: AssetDeleted, delivery: Delivery) -> None:
        nonlocal attempts
        attempts += 1
        if attempts == 1:
            await asyncio.sleep(60)
        async with delivery.record(check=False):
            pass

    closed = metric("earshot_channels_closed_total", queue=QUEUE)
    async with working(core_database, rabbit, tmp_path, handle=handle) as worker:
        await worker.say()
        await _once_handled(worker)
        assert attempts == 2
    assert metric("earshot_channels_closed_total", queue=QUEUE) == closed + 1


@pytest.mark.parametrize("shielded", [False, True])
async def test_work_that_was_done_but_not_acknowledged_is_not_done_again(
    core_database: Databases, rabbit: ThrowawayRabbit, rabbitmq_url: str, tmp_path: Path, shielded: bool
) -> None:
    """``shielded`` outlives the channel, and acknowledges on one that is no more."""
    assert rabbitmq_url == rabbit.url
    effects = outlived = 0

    async def act(delivery: Delivery) -> None:
        nonlocal effects, outlived
        async with delivery.record(check=False):
            effects += 1
        await asyncio.sleep(4)
        outlived += 1

    async def handle(_fact: AssetDeleted, delivery: Delivery) -> None:
        if not shielded:
            await act(delivery)
            return
        task = asyncio.create_task(act(delivery))
        while not task.done():
            try:
                await asyncio.shield(task)
            except asyncio.CancelledError:
                continue
        await task

    closed = metric("earshot_channels_closed_total", queue=QUEUE)
    duplicates = metric("earshot_messages_handled_total", type=AssetDeleted.type, outcome="duplicate")
    async with working(core_database, rabbit, tmp_path, handle=handle) as worker:
        await worker.say()
        await eventually(lambda: _more(duplicates))
        await _once_handled(worker)
    assert effects == 1
    assert outlived == (1 if shielded else 0)
    assert metric("earshot_channels_closed_total", queue=QUEUE) > closed


async def _more(duplicates: float) -> bool:
    return metric("earshot_messages_handled_total", type=AssetDeleted.type, outcome="duplicate") > duplicates
