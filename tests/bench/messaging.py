"""Publish-to-handled through Earshot's outbox, relay and consumer, against raw aio-pika with the same SQL.

The peer does by hand what any service would have to do: insert into an outbox, publish with confirms, delete the
row; on receipt lock the asset's row, insert the inbox row, commit, acknowledge. Same database, same broker, same
quorum queue arguments, same prefetch; the runs alternate, and the figures are medians over them.
"""

import asyncio
import statistics
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import perf_counter
from uuid import UUID

import aio_pika
from aio_pika.abc import AbstractIncomingMessage
from common import assets, envelope, inbox, topology
from common.broker import Publisher, connect, declare_on
from common.consumer import Consumer
from common.db import Database
from common.delivery import Delivery
from common.events import AssetDeleted
from common.ids import uuid7
from common.outbox import Relay, put, saying
from common.subscriptions import Subscriptions

QUEUE = "chat.asset.deleted.v1"
MESSAGES = 2000
SINGLES = 200


@dataclass(frozen=True)
class Figures:
    """Messages per second when many wait, and milliseconds from commit to handled when one comes alone."""

    per_second: float
    milliseconds_p50: float
    milliseconds_p95: float


def facts(count: int) -> list[AssetDeleted]:
    return [AssetDeleted(asset_id=uuid7(), run=1, collection_id=uuid7()) for _ in range(count)]


class Handled:
    """Notes when each asset's message has committed."""

    def __init__(self) -> None:
        self.at: dict[UUID, float] = {}
        self._more = asyncio.Event()

    def note(self, asset_id: UUID) -> None:
        self.at[asset_id] = perf_counter()
        self._more.set()

    async def until(self, wanted: list[AssetDeleted]) -> None:
        while any(fact.asset_id not in self.at for fact in wanted):
            self._more.clear()
            await self._more.wait()


Say = Callable[[list[AssetDeleted]], Awaitable[None]]


async def measure(say: Say, handled: Handled) -> Figures:
    many = facts(MESSAGES)
    begun = perf_counter()
    for start in range(0, MESSAGES, 50):
        await say(many[start : start + 50])
    await handled.until(many)
    per_second = MESSAGES / (perf_counter() - begun)
    waits: list[float] = []
    for fact in facts(SINGLES):
        begun = perf_counter()
        await say([fact])
        await handled.until([fact])
        waits.append((handled.at[fact.asset_id] - begun) * 1000)
    waits.sort()
    return Figures(per_second, statistics.median(waits), waits[int(len(waits) * 0.95)])


async def ours(db: Database, url: str) -> Figures:
    handled = Handled()
    publisher = Publisher(url, "bench")
    relay = Relay(db, publisher, "chat")
    consumer = Consumer("chat", db, publisher, relay)

    async def handle(fact: AssetDeleted, delivery: Delivery) -> None:
        async with delivery.record():
            pass
        handled.note(fact.asset_id)

    async def say(batch: list[AssetDeleted]) -> None:
        async with saying(db, "chat", relay) as transaction:
            await transaction.say(*batch)

    consumer.register(AssetDeleted, handle)
    subscriptions = Subscriptions(url, consumer)
    await subscriptions.start()
    task = asyncio.create_task(relay.run())
    try:
        return await measure(say, handled)
    finally:
        await subscriptions.stop(5)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await publisher.close()


async def raw(db: Database, url: str) -> Figures:
    handled = Handled()
    connection = await aio_pika.connect_robust(url)
    channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
    exchange = await channel.get_exchange(topology.EVENTS_EXCHANGE)
    receiving = await connection.channel()
    await receiving.set_qos(50)

    async def receive(message: AbstractIncomingMessage) -> None:
        fact = AssetDeleted.parse(message.body)
        async with db.transaction() as conn:
            await assets.lock_asset(conn, fact.asset_id, fact.collection_id, fact.run)
            await inbox.take_in(conn, QUEUE, UUID(message.message_id))
        handled.note(fact.asset_id)
        await message.ack()

    async def say(batch: list[AssetDeleted]) -> None:
        sealed = [envelope.seal(fact, "chat", topology.EVENTS_EXCHANGE) for fact in batch]
        async with db.transaction() as conn:
            for outgoing in sealed:
                await put(conn, outgoing)
        async with db.transaction() as conn:
            rows = await conn.fetch("SELECT seq, id, routing_key, headers, body FROM outbox FOR UPDATE SKIP LOCKED")
            await asyncio.gather(*(publish(row) for row in rows))
            await conn.execute("DELETE FROM outbox WHERE seq = ANY($1::bigint[])", [row["seq"] for row in rows])

    async def publish(row: dict[str, object]) -> None:
        message = aio_pika.Message(
            row["body"],
            headers=row["headers"],
            message_id=str(row["id"]),
            content_type="application/json",
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        )
        await exchange.publish(message, str(row["routing_key"]), mandatory=True)

    queue = await receiving.get_queue(QUEUE)
    await queue.consume(receive)
    try:
        return await measure(say, handled)
    finally:
        await connection.close()


async def run(database_url: str, rabbitmq_url: str, rounds: int = 5) -> list[tuple[str, str, str, str]]:
    """Rows of (what, ours, raw aio-pika, ratio). ``database_url`` is a role with the core tables."""
    connection = await connect(rabbitmq_url, "bench")
    async with connection:
        await declare_on(connection)
    db = Database(database_url, size=8)
    await db.open()
    results: dict[str, list[Figures]] = {"ours": [], "raw": []}
    try:
        for _ in range(rounds):
            results["ours"].append(await ours(db, rabbitmq_url))
            results["raw"].append(await raw(db, rabbitmq_url))
    finally:
        await db.close()
    return [
        _row("throughput, messages/s", results, lambda f: f.per_second),
        _row("latency p50, ms", results, lambda f: f.milliseconds_p50),
        _row("latency p95, ms", results, lambda f: f.milliseconds_p95),
    ]


def _row(what: str, results: dict[str, list[Figures]], of: Callable[[Figures], float]) -> tuple[str, str, str, str]:
    mine, peer = (statistics.median(of(figures) for figures in results[key]) for key in ("ours", "raw"))
    return what, f"{mine:.1f}", f"{peer:.1f}", f"{mine / peer:.2f}"
