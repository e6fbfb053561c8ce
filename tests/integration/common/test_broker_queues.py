"""Queues, exchanges and consumers that the broker loses while a worker runs: noticed, there again, traffic flows."""

import asyncio
from collections.abc import Generator
from pathlib import Path

import pytest
from aio_pika.exceptions import ChannelNotFoundEntity
from common import topology
from common.amqp import connect_once
from common.broker import Publisher, Unroutable
from common.declaring import declare_topology
from common.delivery import Delivery
from common.depths import depths
from common.envelope import Outgoing
from common.events import AssetDeleted
from common.ids import uuid7
from common.outbox import put
from stack.testing import ThrowawayRabbit

from tests.conftest import Databases
from tests.integration.common.surprised import QUEUE, Worker, channel_of, eventually, metric, working

ABSENT = "asr.part.planned.v1"


@pytest.fixture(scope="module")
def rabbit() -> Generator[ThrowawayRabbit]:
    """A node of this module's own, which its surprises disturb for nobody else."""
    with ThrowawayRabbit() as node:
        yield node


async def delete(rabbit: ThrowawayRabbit, *queues: str) -> None:
    async with channel_of(rabbit) as channel:
        for queue in queues:
            await (await channel.get_queue(queue)).delete(if_unused=False, if_empty=False)


async def exists(rabbit: ThrowawayRabbit, queue: str) -> bool:
    async with await connect_once(rabbit.url, "test") as connection:
        return (await depths(connection, [queue]))[queue] is not None


async def test_a_deleted_queue_is_back_with_its_bindings_and_heard_by_one_consumer(worker: Worker) -> None:
    recreated = metric("earshot_queues_recreated_total", queue=QUEUE)
    cancelled = metric("earshot_consumers_cancelled_total", queue=QUEUE)
    await delete(worker.rabbit, QUEUE)
    noticed = await worker.notices("consumers")
    assert metric("earshot_consumers_missing") == 1
    print(f"noticed after {noticed:.1f} s, well again after {await worker.recovers():.1f} s")
    await worker.hears()
    assert metric("earshot_queues_recreated_total", queue=QUEUE) > recreated
    assert metric("earshot_consumers_cancelled_total", queue=QUEUE) == cancelled + 1
    assert metric("earshot_consumers_missing") == 0
    assert worker.consumers(QUEUE) == 1


async def test_a_consumer_that_goes_with_its_queue_comes_back(worker: Worker) -> None:
    """Deleted and declared again at once, as an import of definitions may do: the broker need not tell the consumer."""
    async with channel_of(worker.rabbit) as channel:
        await (await channel.get_queue(QUEUE)).delete(if_unused=False, if_empty=False)
        await declare_topology(channel)
    await eventually(lambda: _is(worker.consumers(QUEUE), 1))
    await worker.hears()
    await worker.recovers()
    assert worker.consumers(QUEUE) == 1


async def _is(value: float, wanted: float) -> bool:
    return value == wanted


# The broker forgets the consumer and says nothing, as queues of a cluster have done after a change of leader.
FORGET = """
{ok, Q} = rabbit_amqqueue:lookup(rabbit_misc:r(<<"/">>, queue, <<"%s">>)),
Server = amqqueue:get_pid(Q),
[ra:process_command(Server, rabbit_fifo:make_checkout({element(3, C), element(1, C)}, cancel, #{}))
 || C <- [{Pid, x, Tag} || {Pid, Tag, _, _, _, _, _, _} <- rabbit_amqqueue:consumers(Q)]].
"""


async def test_a_consumer_that_the_broker_forgets_is_renewed(worker: Worker) -> None:
    await worker.hears()
    print(worker.rabbit.control("eval", FORGET % QUEUE))
    await worker.say()
    noticed = await worker.notices("consumers")
    print(f"noticed after {noticed:.1f} s, well again after {await worker.recovers():.1f} s")
    await worker.hears()
    assert worker.consumers(QUEUE) == 1


async def test_work_on_other_queues_goes_on_while_one_is_deleted(
    core_database: Databases, rabbit: ThrowawayRabbit, rabbitmq_url: str, tmp_path: Path
) -> None:
    assert rabbitmq_url == rabbit.url
    begun, release, finished = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def handle(_fact: AssetDeleted, delivery: Delivery) -> None:
        begun.set()
        await release.wait()
        async with delivery.record(check=False):
            pass
        finished.set()

    async with working(core_database, rabbit, tmp_path, handle=handle) as worker:
        await worker.recovers()
        await worker.say()
        await begun.wait()
        await delete(rabbit, topology.dead_queue("chat"))
        await worker.notices("consumers")
        await worker.recovers()
        release.set()
        await asyncio.wait_for(finished.wait(), 30)
        await eventually(lambda: _is(worker.service.consumer.active, 0))
        assert await worker.count("inbox") == 1


async def test_queues_of_services_that_do_not_run_are_declared_again_by_those_that_do(worker: Worker) -> None:
    recreated = metric("earshot_queues_recreated_total", queue=ABSENT)
    await delete(worker.rabbit, ABSENT, topology.delay_name(5))
    await eventually(lambda: _is(metric("earshot_queues_recreated_total", queue=ABSENT), recreated + 1))
    assert await exists(worker.rabbit, topology.delay_name(5))


async def test_a_message_that_comes_back_has_the_topology_declared_before_its_next_attempt(
    rabbit: ThrowawayRabbit, rabbitmq_url: str
) -> None:
    publisher = Publisher(rabbitmq_url, "chat")
    returned = metric("earshot_messages_returned_total")

    async def send() -> None:
        await publisher.publish(topology.delay_name(60), QUEUE, b"{}", {}, message_id=str(uuid7()))

    await send()
    await delete(rabbit, topology.delay_name(60))
    await asyncio.sleep(5.1)
    with pytest.raises(Unroutable):
        await send()
    assert metric("earshot_messages_returned_total") == returned + 1
    await send()
    await publisher.close()


async def test_a_row_that_comes_back_waits_by_itself_and_leaves_when_its_queue_is_there_again(worker: Worker) -> None:
    returned = metric("earshot_messages_returned_total")
    await asyncio.sleep(5.1)
    await delete(worker.rabbit, ABSENT)
    async with worker.service.db.transaction() as conn:
        await put(conn, [Outgoing(uuid7(), "", ABSENT, {}, b"{}")])
    worker.service.relay.wake()
    await eventually(lambda: _is(metric("earshot_messages_returned_total"), returned + 1))
    await worker.hears()
    await eventually(lambda: _left(worker, ABSENT))


async def _left(worker: Worker, queue: str) -> bool:
    return await worker.depth(queue) == 1 and await worker.count("outbox") == 0


async def test_a_deleted_exchange_is_back_before_the_next_message(rabbit: ThrowawayRabbit, rabbitmq_url: str) -> None:
    publisher = Publisher(rabbitmq_url, "chat")

    async def send() -> None:
        await publisher.publish(topology.EVENTS_EXCHANGE, AssetDeleted.type, b"{}", {}, message_id=str(uuid7()))

    await send()
    async with channel_of(rabbit) as channel:
        await channel.exchange_delete(topology.EVENTS_EXCHANGE)
    with pytest.raises(ChannelNotFoundEntity):
        await send()
    await eventually(lambda: _succeeds(send))
    await publisher.close()


async def _succeeds(send) -> bool:
    try:
        await send()
    except Exception:
        return False
    return True
