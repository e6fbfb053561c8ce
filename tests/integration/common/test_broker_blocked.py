"""A broker that is low on disk or memory: seen at once, accepted work waits in its rows, and flows when it is over."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from uuid import UUID

import pytest
from common.broker import Blocked
from common.delivery import Delivery
from common.errors import TryAgain
from common.events import AssetDeleted
from common.ids import uuid7
from stack.testing import ThrowawayRabbit

from tests.conftest import Databases
from tests.integration.common.surprised import Worker, eventually, metric, working

ALARMS = {
    "disk": (("set_disk_free_limit", "100000GB"), ("set_disk_free_limit", "50MB")),
    "memory": (("set_vm_memory_high_watermark", "absolute", "1MB"), ("set_vm_memory_high_watermark", "0.4")),
}


@pytest.fixture(scope="module")
def rabbit() -> Generator[ThrowawayRabbit]:
    """A node of this module's own: its alarms stop every publisher."""
    with ThrowawayRabbit() as node:
        yield node


@asynccontextmanager
async def alarm(rabbit: ThrowawayRabbit, kind: str) -> AsyncGenerator[None]:
    """The broker really raises it, and takes it back at the end."""
    raising, ending = ALARMS[kind]
    await asyncio.to_thread(rabbit.control, *raising)
    try:
        await eventually(lambda: _alarmed(rabbit, kind))
        yield
    finally:
        await asyncio.to_thread(rabbit.control, *ending)


async def _alarmed(rabbit: ThrowawayRabbit, kind: str) -> bool:
    return f"resource_limit,{kind}" in await asyncio.to_thread(rabbit.control, "eval", "rabbit_alarm:get_alarms().")


@pytest.mark.parametrize("kind", ALARMS)
async def test_an_alarm_is_seen_work_waits_and_flows_when_it_is_over(worker: Worker, kind: str) -> None:
    async with alarm(worker.rabbit, kind):
        noticed = await worker.notices("broker")
        assert metric("earshot_broker_blocked") == 1
        assert metric("earshot_broker_connected", connection="publish") == 1
        said = await worker.say()
        assert await worker.count("outbox") == 1
    begun = monotonic()
    await eventually(lambda: _heard(worker, said))
    print(
        f"{kind}: noticed {noticed:.1f} s after the broker's own alarm, flows {monotonic() - begun:.1f} s after its end"
    )
    await worker.recovers()
    assert metric("earshot_broker_blocked") == 0
    assert worker.heard == [said]


async def _heard(worker: Worker, asset_id: UUID) -> bool:
    return asset_id in worker.heard and await worker.count("outbox") == 0


async def test_nothing_is_written_to_a_blocked_connection_and_progress_does_not_slow_work(worker: Worker) -> None:
    publisher = worker.service.publisher
    await worker.service.progress.tell(uuid7(), 1, "fetch", 0.1, "begun")
    async with alarm(worker.rabbit, "disk"):
        await worker.notices("broker")
        # Refused before anything is written: what is written now would be published later, though it was refused.
        with pytest.raises(Blocked):
            await publisher.publish("", "chat.dead", b"{}", {}, message_id=str(uuid7()))
        async with asyncio.timeout(10):
            for step in range(1000):
                await worker.service.progress.tell(uuid7(), 1, "fetch", step / 1000, "under way")


async def test_a_retry_waits_for_the_end_of_the_alarm_and_its_handler_runs_no_more_often(
    core_database: Databases, rabbit: ThrowawayRabbit, rabbitmq_url: str, tmp_path: Path
) -> None:
    assert rabbitmq_url == rabbit.url
    attempts: list[int] = []
    begun, release = asyncio.Event(), asyncio.Event()

    async def handle(_fact: AssetDeleted, delivery: Delivery) -> None:
        attempts.append(delivery.attempt)
        begun.set()
        await release.wait()
        if delivery.attempt == 1:
            raise TryAgain("not yet")
        async with delivery.record(check=False):
            pass

    async with working(core_database, rabbit, tmp_path, handle=handle) as worker:
        await worker.recovers()
        await worker.say()
        await begun.wait()
        async with alarm(rabbit, "disk"):
            await worker.notices("broker")
            release.set()
            await asyncio.sleep(5)
            assert attempts == [1]
        await eventually(lambda: _counts(worker, "inbox", 1))
    assert attempts == [1, 2]


async def _counts(worker: Worker, table: str, wanted: int) -> bool:
    return await worker.count(table) == wanted


async def test_a_gateway_stays_ready_and_accepts(
    core_database: Databases, rabbit: ThrowawayRabbit, rabbitmq_url: str, tmp_path: Path
) -> None:
    assert rabbitmq_url == rabbit.url
    async with working(core_database, rabbit, tmp_path) as worker:
        worker.service.ready_without_broker = True
        async with alarm(rabbit, "disk"):
            await eventually(lambda: _is_blocked())
            assert await worker.health() == (200, {"database": True})
            said = [await worker.say() for _ in range(20)]
            assert await worker.count("outbox") == 20
        # They are handled beside each other: the last said need not be the last heard.
        for each in said:
            await eventually(lambda each=each: _heard(worker, each))
        assert set(worker.heard) == set(said)


async def _is_blocked() -> bool:
    return metric("earshot_broker_blocked") == 1
