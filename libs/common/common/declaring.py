"""The topology at the broker: declared as a whole, looked over, and declared again when some of it is missing."""

from aio_pika.abc import AbstractChannel, AbstractConnection

from common import definitions, metrics, topology
from common.depths import depths
from common.logs import get_logger

log = get_logger()


async def declare_topology(channel: AbstractChannel) -> None:
    """Declare everything that exists, whoever needs it: a fact published before a hearer's queue is lost to it."""
    for exchange in definitions.exchanges():
        await channel.declare_exchange(exchange.name, exchange.type, durable=True)
    for queue in definitions.queues():
        declared = await channel.declare_queue(queue.name, durable=True, arguments=dict(queue.arguments))
        for binding in queue.bindings:
            await declared.bind(binding.exchange, binding.key)


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
