"""The connection is lost while it commits: whatever became of it, each effect is there once, each fact said once."""

import asyncio
import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from urllib.parse import urlsplit
from uuid import UUID

import aio_pika
import pytest
from common import topology
from common.broker import Publisher
from common.consumer import Consumer
from common.db import Database
from common.delivery import Delivery
from common.errors import CannotProcess
from common.events import AssetDeleted, AssetPurged, Fact, ProcessingFailed
from common.ids import uuid7
from common.outbox import Relay, saying
from common.subscriptions import Subscriptions

from tests.conftest import Databases
from tests.integration.common.test_messaging import QUEUE, eventually
from tests.proxy import CutAtAnswer, Proxy

BEFORE_OR_AFTER = pytest.mark.parametrize("before", [True, False], ids=["not committed", "committed"])


@dataclass
class World:
    """A consumer whose database is reached through the proxy; everything else goes straight."""

    db: Database
    proxied: Database
    proxy: Proxy
    consumer: Consumer
    subscriptions: Subscriptions
    url: str
    attempts: list[int] = field(default_factory=list[int])

    async def listen(self) -> None:
        """There is one message: the first COMMIT on the proxied database is its handler's."""
        self.consumer.register(AssetDeleted, self._handle)
        await self.subscriptions.start()

    async def _handle(self, fact: AssetDeleted, delivery: Delivery) -> None:
        self.attempts.append(delivery.attempt)
        if fact.run == 2:
            raise CannotProcess("This is a picture.", category="not_media", advice="Give a recording.")
        async with delivery.record(check=False) as rec:
            await rec.conn.execute("INSERT INTO effects VALUES ($1)", fact.asset_id)
            await rec.say(
                AssetPurged(asset_id=fact.asset_id, run=fact.run, collection_id=fact.collection_id, service="chat")
            )

    async def count(self, table: str) -> int:
        async with self.db.acquire() as conn:
            return await conn.fetchval(f"SELECT count(*) FROM {table}")

    async def settled(self, handled: str) -> None:
        """Something was handled, and nothing waits; for a while, as a message on its way is in no queue."""
        quiet = 0

        async def check() -> bool:
            nonlocal quiet
            names = [QUEUE, *(topology.delay_name(seconds) for seconds in topology.DELAYS)]
            waiting = sum([await self._depth(name) for name in names]) + self.consumer.active
            quiet = quiet + 1 if await self.count(handled) > 0 and not waiting else 0
            return quiet > 10

        await eventually(check, 60)
        await eventually(self._outbox_is_empty)

    async def _outbox_is_empty(self) -> bool:
        return await self.count("outbox") == 0

    async def _depth(self, name: str) -> int:
        async with await aio_pika.connect(self.url) as connection:
            channel = await connection.channel()
            return (await channel.declare_queue(name, passive=True)).declaration_result.message_count or 0

    async def said(self, type_: str) -> list[UUID]:
        """The assets that facts of this type were published about, as the gateway would hear them."""
        found: list[UUID] = []
        async with await aio_pika.connect(self.url) as connection:
            queue = await (await connection.channel()).get_queue(topology.GATEWAY_QUEUE)
            while (message := await queue.get(fail=False, no_ack=True)) is not None:
                if message.routing_key == type_:
                    found.append(Fact.parse(message.body).asset_id)
        return found


@pytest.fixture
async def world(core_database: Databases, rabbitmq_url: str) -> AsyncGenerator[World]:
    url = core_database.urls["chat"]
    port = urlsplit(url).port
    assert port
    with Proxy(port) as proxy:
        async with core_database.open("chat") as db:
            async with db.acquire() as conn:
                await conn.execute("CREATE TABLE effects (asset_id uuid NOT NULL)")
            proxied = Database(proxy.through(url), size=2)
            await proxied.open()
            publisher = Publisher(rabbitmq_url, "chat")
            relay = Relay(db, publisher, "chat", poll_seconds=0.1)
            consumer = Consumer("chat", proxied, publisher, relay)
            subscriptions = Subscriptions(rabbitmq_url, consumer)
            relaying = asyncio.create_task(relay.run())
            yield World(db, proxied, proxy, consumer, subscriptions, rabbitmq_url)
            await subscriptions.stop(2)
            relaying.cancel()
            await asyncio.gather(relaying, return_exceptions=True)
            await publisher.close()
            await proxied.close()


async def say(world: World, run: int = 1) -> UUID:
    fact = AssetDeleted(asset_id=uuid7(), run=run, collection_id=uuid7())
    async with saying(world.db, "chat", world.consumer.settler.relay) as tx:
        await tx.say(fact)
    return fact.asset_id


@BEFORE_OR_AFTER
async def test_a_handler_s_effect_is_there_once(world: World, before: bool) -> None:
    world.proxy.watch = cutter = CutAtAnswer(b"COMMIT;", before=before)
    asset_id = await say(world)
    await world.listen()
    await world.settled("inbox")
    assert cutter.fired.is_set()
    async with world.db.acquire() as conn:
        assert [row["asset_id"] for row in await conn.fetch("SELECT asset_id FROM effects")] == [asset_id]
    assert await world.said(AssetPurged.type) == [asset_id]
    # It came twice, and the loss was nobody's mistake: it does not count as an attempt.
    assert world.attempts == [1, 1]
    assert await world.count("parked") == 0


@BEFORE_OR_AFTER
async def test_a_failure_is_told_once(world: World, before: bool) -> None:
    world.proxy.watch = cutter = CutAtAnswer(b"COMMIT;", before=before)
    asset_id = await say(world, run=2)
    await world.listen()
    await world.settled("inbox")
    assert cutter.fired.is_set()
    assert await world.said(ProcessingFailed.type) == [asset_id]
    assert world.attempts == [1, 1]
    assert await world.count("parked") == 0


@BEFORE_OR_AFTER
async def test_a_message_is_parked_once(world: World, before: bool) -> None:
    world.proxy.watch = cutter = CutAtAnswer(b"COMMIT;", before=before)
    asset_id = uuid7()
    # There is no such priority.
    body = json.dumps({"asset_id": str(asset_id), "run": 1, "collection_id": str(uuid7()), "priority": "none"})
    await world.consumer.settler.publisher.publish(
        topology.EVENTS_EXCHANGE, AssetDeleted.type, body.encode(), {}, message_id=str(uuid7())
    )
    await world.listen()
    await world.settled("parked")
    assert cutter.fired.is_set()
    assert await world.count("parked") == 1
    assert world.attempts == []
