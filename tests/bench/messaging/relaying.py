"""The relay beside raw publishing: both confirmed, persistent and mandatory, both with a hundred in flight."""

import asyncio
from time import perf_counter

import aio_pika
from bench.lines import ROUNDS, Line, at_least, middle
from bench.messaging.ground import POOL_SIZE, SERVICE, Ground, sealed
from common import topology
from common.broker import Publisher
from common.db import Database
from common.envelope import Outgoing
from common.outbox import Relay

MESSAGES = 5000
IN_FLIGHT = 100
GOAL = 0.5


async def through_relay(ground: Ground, messages: list[Outgoing]) -> float:
    """Messages per second from a filled outbox to an empty one."""
    await ground.fill_outbox(messages)
    db = Database(ground.database_url, size=POOL_SIZE)
    await db.open()
    publisher = Publisher(ground.rabbit.url, "bench")
    await publisher.open()
    relay = Relay(db, publisher, SERVICE)
    begun = perf_counter()
    while await relay.publish_batch():
        pass
    per_second = len(messages) / (perf_counter() - begun)
    await publisher.close()
    await db.close()
    return per_second


async def by_hand(ground: Ground, messages: list[Outgoing]) -> float:
    """Messages per second from memory to the broker."""
    connection = await aio_pika.connect(ground.rabbit.url)
    async with connection:
        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        exchange = await channel.get_exchange(topology.EVENTS_EXCHANGE, ensure=False)
        begun = perf_counter()
        for start in range(0, len(messages), IN_FLIGHT):
            some = messages[start : start + IN_FLIGHT]
            await asyncio.gather(*(exchange.publish(_message(each), each.routing_key, mandatory=True) for each in some))
        return len(messages) / (perf_counter() - begun)


def _message(outgoing: Outgoing) -> aio_pika.Message:
    return aio_pika.Message(
        outgoing.body,
        headers=outgoing.headers,
        message_id=str(outgoing.id),
        content_type="application/json",
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
    )


async def run(ground: Ground) -> list[Line]:
    relayed: list[float] = []
    raw: list[float] = []
    messages = sealed(MESSAGES)
    for _ in range(ROUNDS):
        for side, rates in ((through_relay, relayed), (by_hand, raw)):
            await ground.clear()
            rates.append(await side(ground, messages))
            # Confirmed is not all: each must lie in the queue.
            assert await ground.waiting() == MESSAGES
    return [at_least("relayed from the outbox", middle(float, relayed), middle(float, raw), "raw publishing", GOAL)]
