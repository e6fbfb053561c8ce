"""The topology at the broker: declared as a whole, looked over, and declared again when some of it is missing."""

from typing import Any

from aio_pika.abc import AbstractChannel, AbstractConnection

from common import metrics, topology
from common.depths import depths
from common.logs import get_logger

log = get_logger()


async def declare_topology(channel: AbstractChannel) -> None:
    """Declare everything that exists, whoever needs it: a fact published before a hearer's queue is lost to it."""
    events = await channel.declare_exchange(topology.EVENTS_EXCHANGE, "topic", durable=True)
    live = await channel.declare_exchange(topology.LIVE_EXCHANGE, "topic", durable=True)
    dead = await channel.declare_exchange(topology.DEAD_EXCHANGE, "direct", durable=True)
    for service in topology.SERVICES:
        queue = await channel.declare_queue(
            topology.dead_queue(service),
            durable=True,
            arguments={"x-queue-type": "quorum", "x-delivery-limit": 1_000_000},
        )
        await queue.bind(dead, service)
    for name, keys in topology.work_queues().items():
        queue = await channel.declare_queue(name, durable=True, arguments=_work_arguments(name))
        for key in keys:
            await queue.bind(events, key)
    for seconds in topology.DELAYS:
        await _declare_delay(channel, seconds)
    progress = await channel.declare_queue(
        topology.PROGRESS_QUEUE, durable=True, arguments={"x-max-length": 10_000, "x-overflow": "drop-head"}
    )
    await progress.bind(live, "progress.#")


def _work_arguments(queue: str) -> dict[str, Any]:
    return {
        "x-queue-type": "quorum",
        "x-delivery-limit": topology.DELIVERY_LIMIT,
        "x-dead-letter-exchange": topology.DEAD_EXCHANGE,
        "x-dead-letter-routing-key": topology.service_of_queue(queue),
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }


async def _declare_delay(channel: AbstractChannel, seconds: int) -> None:
    # A fanout in front and no dead-letter routing key: the message keeps its routing key, which names the
    # queue to return to. Through the default exchange it would be dead-lettered to the delay queue itself.
    name = topology.delay_name(seconds)
    exchange = await channel.declare_exchange(name, "fanout", durable=True)
    queue = await channel.declare_queue(
        name,
        durable=True,
        arguments={
            "x-queue-type": "quorum",
            "x-message-ttl": seconds * 1000,
            "x-dead-letter-exchange": "",
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
        },
    )
    await queue.bind(exchange)


async def declare_on(connection: AbstractConnection) -> None:
    channel = await connection.channel()
    try:
        await declare_topology(channel)
    finally:
        await channel.close()


async def restore_on(connection: AbstractConnection, service: str) -> None:
    """Declare everything again; count and report the queues that were missing."""
    found = await depths(connection, topology.all_queues())
    missing = [queue for queue, depth in found.items() if depth is None]
    await declare_on(connection)
    for queue in missing:
        metrics.recreated.labels(service, queue).inc()
    if missing:
        log.error(
            "queues_recreated",
            queues=missing,
            lost="what was in them, and what was published to them while they were missing",
            advice="find what stands still with `earshot jobs`; `earshot cancel ID`, then `earshot retry ID` for each",
        )
