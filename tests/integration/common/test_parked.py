"""Parked messages on a real database and broker: kept whatever they hold, listed in stable pages, replayed once."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import aio_pika
import pytest
from common import parked, topology
from common.broker import Publisher
from common.consumer import Consumer
from common.db import Database
from common.delivery import Delivery
from common.events import AssetDeleted
from common.ids import uuid7
from common.outbox import Relay
from common.parked import Parked, QueueGone, Which
from common.subscriptions import Subscriptions

from tests.conftest import Databases

QUEUE = "chat.asset.deleted.v1"
NOT_TEXT = b"\xff\xfe\x00{not \xc3json"


@dataclass
class House:
    """The chat service's database and broker; ``park`` puts a row where the consumer would."""

    db: Database
    url: str

    async def park(self, body: bytes = b"{}", **changes: Any) -> UUID:
        values: dict[str, Any] = {
            "id": uuid7(),
            "queue": QUEUE,
            "message_id": uuid7(),
            "type": AssetDeleted.type,
            "asset_id": None,
            "reason": "KeyError: 'a bug'",
            "history": ["KeyError('a bug')"],
            "headers": {"cloudEvents_type": f"earshot.{AssetDeleted.type}", "traceparent": "t"},
            "body": body,
            "parked_at": datetime.now(UTC),
        }
        row = Parked(**values | changes)
        async with self.db.transaction() as conn:
            await parked.park(conn, [row])
        return row.id

    async def rows(self, which: Which | None = None, **paging: Any) -> list[parked.ParkedRow]:
        async with self.db.acquire() as conn:
            return await parked.list_parked(conn, which, **paging)

    async def read(self, parked_id: UUID) -> parked.ParkedInFull:
        async with self.db.acquire() as conn:
            found = await parked.read_parked(conn, parked_id)
        assert found is not None
        return found

    async def replay(self, parked_id: UUID) -> bool:
        async with self.db.transaction() as conn:
            return await parked.replay(conn, parked_id)

    async def outbox(self) -> list[Any]:
        async with self.db.acquire() as conn:
            return await conn.fetch("SELECT id, exchange, routing_key, headers, body FROM outbox ORDER BY seq")

    async def delivered(self) -> aio_pika.abc.AbstractIncomingMessage:
        """The next message of the queue, taken."""
        connection = await aio_pika.connect(self.url)
        async with connection, asyncio.timeout(30):
            queue = await (await connection.channel()).get_queue(QUEUE)
            while (message := await queue.get(fail=False, no_ack=True)) is None:
                await asyncio.sleep(0.05)
            return message


@pytest.fixture
async def house(core_database: Databases, rabbitmq_url: str) -> AsyncGenerator[House]:
    async with core_database.open("chat") as db:
        yield House(db, rabbitmq_url)


@pytest.fixture
async def relay(house: House) -> AsyncGenerator[Relay]:
    publisher = Publisher(house.url, "chat")
    relay = Relay(house.db, publisher, "chat", poll_seconds=0.05)
    task = asyncio.create_task(relay.run())
    yield relay
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await publisher.close()


@pytest.fixture
async def reader(house: House, relay: Relay) -> AsyncGenerator[Publisher]:
    """A chat service that can read no message of the tests; answers a publisher."""

    async def never(_fact: AssetDeleted, _delivery: Delivery) -> None:
        raise AssertionError("what cannot be read reaches no handler")

    publisher = Publisher(house.url, "chat")
    consumer = Consumer("chat", house.db, publisher, relay)
    consumer.register(AssetDeleted, never)
    subscriptions = Subscriptions(house.url, consumer)
    await subscriptions.start()
    yield publisher
    await subscriptions.stop(2)
    await publisher.close()


async def until(check: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while not await check():
            await asyncio.sleep(0.05)


async def test_replaying_at_the_same_time_sends_once(house: House) -> None:
    parked_id = await house.park()
    answers = await asyncio.gather(*(house.replay(parked_id) for _ in range(8)))
    assert sorted(answers) == [False] * 7 + [True]
    assert len(await house.outbox()) == 1
    assert await house.rows() == []


async def test_replaying_and_dropping_at_the_same_time_does_one_of_them(house: House) -> None:
    async def drop(parked_id: UUID) -> bool:
        async with house.db.transaction() as conn:
            return await parked.drop(conn, parked_id)

    for _ in range(10):
        parked_id = await house.park()
        before = len(await house.outbox())
        replayed, dropped = await asyncio.gather(house.replay(parked_id), drop(parked_id))
        assert replayed is not dropped
        assert len(await house.outbox()) - before == replayed


async def test_a_replay_carries_the_same_bytes_under_a_new_id_and_begins_anew(house: House, relay: Relay) -> None:
    headers = {
        "cloudEvents_id": str(uuid7()),
        "cloudEvents_type": f"earshot.{AssetDeleted.type}",
        "traceparent": "t",
        "x-attempt": 4,
        "x-errors": '["a"]',
        "count": 3,
        "flag": True,
    }
    parked_id = await house.park(NOT_TEXT, headers=headers)
    assert await house.replay(parked_id)
    message = await house.delivered()
    assert message.body == NOT_TEXT
    assert message.message_id == message.headers["cloudEvents_id"]
    assert UUID(str(message.message_id)) not in (parked_id, UUID(str(headers["cloudEvents_id"])))
    assert {name: message.headers[name] for name in ("cloudEvents_type", "traceparent", "count", "flag")} == {
        name: headers[name] for name in ("cloudEvents_type", "traceparent", "count", "flag")
    }
    assert not {"x-attempt", "x-errors"} & set(message.headers)


async def test_a_message_parked_again_tells_what_went_before(house: House, reader: Publisher) -> None:
    await reader.publish(topology.EVENTS_EXCHANGE, AssetDeleted.type, NOT_TEXT, {}, message_id="none")
    seen: list[UUID] = []
    for replays in range(3):
        await until(lambda: _parked_anew(house, seen))
        (row,) = await house.rows()
        seen.append(row.id)
        full = await house.read(row.id)
        assert (full.body, full.reason.startswith("not a valid")) == (NOT_TEXT, True)
        assert [line.startswith("not a valid") and "replayed" in line for line in full.history] == [True] * replays
        assert row.history_count == replays
        assert "earshot_history" not in full.headers
        assert await house.replay(row.id)
    assert len(set(seen)) == 3


async def _parked_anew(house: House, seen: list[UUID]) -> bool:
    return any(row.id not in seen for row in await house.rows())


async def test_history_does_not_grow_without_end(house: House) -> None:
    parked_id = await house.park(history=[f"error {number}" for number in range(40)])
    for _ in range(3):
        assert await house.replay(parked_id)
        headers = json.loads(json.dumps((await house.outbox())[-1]["headers"]))
        parked_id = await house.park(headers=headers, history=["the last"], reason="r" * 5000)
    full = await house.read(parked_id)
    assert len(full.history) == 20
    assert full.history[-1] == "the last"
    assert max(map(len, full.history)) <= 500


async def test_replaying_all_ends_though_everything_is_parked_again(house: House, reader: Publisher) -> None:
    """More than one batch, each message back before the replay is through: it must not chase them."""
    for number in range(230):
        await house.park(b"\xff%d" % number)
    before = {row.id for row in await house.rows(limit=1000)}
    assert await parked.replay_all(house.db, AssetDeleted.type) == 230
    await until(lambda: _all_back(house, 230))
    after = await house.rows(limit=1000)
    assert before.isdisjoint(row.id for row in after)
    assert {row.history_count for row in after} == {2}


async def _all_back(house: House, count: int) -> bool:
    return len(await house.rows(limit=1000)) == count and await house.outbox() == []


async def test_replaying_all_of_a_type_twice_at_once_sends_each_once_oldest_first(house: House) -> None:
    wanted = [await house.park(b"%d" % number) for number in range(250)]
    other = await house.park(type="part.planned.v1", queue="asr.part.planned.v1")
    counts = await asyncio.gather(*(parked.replay_all(house.db, AssetDeleted.type) for _ in range(2)))
    assert sum(counts) == len(wanted)
    bodies = [int(row["body"]) for row in await house.outbox()]
    assert sorted(bodies) == list(range(250))
    assert [row.id for row in await house.rows()] == [other]
    assert await parked.replay_all(house.db, AssetDeleted.type) == 0
    assert await parked.replay_all(house.db) == 1


async def test_one_replay_of_all_keeps_the_order(house: House) -> None:
    there = {await house.park(b"%d" % number): number for number in range(150)}
    assert await parked.replay_all(house.db) == 150
    assert [int(row["body"]) for row in await house.outbox()] == [there[parked_id] for parked_id in sorted(there)]


async def test_without_its_queue_a_message_stays_parked(house: House) -> None:
    stranded = await house.park(queue="chat.summary.wanted.v0")
    good = await house.park()
    with pytest.raises(QueueGone, match=r"chat\.summary\.wanted\.v0"):
        await house.replay(stranded)
    assert await parked.replay_all(house.db) == 1
    assert [row.id for row in await house.rows()] == [stranded]
    assert good != stranded
    async with house.db.acquire() as conn:
        assert await parked.count_stranded(conn) == 1
        assert await parked.count_stranded(conn, "another.type.v1") == 0
    assert [row["routing_key"] for row in await house.outbox()] == [QUEUE]


async def test_a_replay_waits_for_the_broker_in_the_outbox(house: House) -> None:
    nowhere = Publisher("amqp://guest:guest@127.0.0.1:1/", "chat")
    parked_id = await house.park(NOT_TEXT)
    assert await house.replay(parked_id)
    with pytest.raises(OSError):
        await Relay(house.db, nowhere, "chat").publish_batch()
    assert [row["body"] for row in await house.outbox()] == [NOT_TEXT]
    publisher = Publisher(house.url, "chat")
    assert await Relay(house.db, publisher, "chat").publish_batch() == 1
    assert (await house.delivered()).body == NOT_TEXT
    await publisher.close()


async def test_pages_stay_as_they_are_while_more_are_parked(house: House) -> None:
    there = [await house.park() for _ in range(30)]
    seen: list[UUID] = []
    for _ in range(5):
        page = await house.rows(before=seen[-1] if seen else None, limit=7)
        seen += [row.id for row in page]
        await asyncio.gather(*(house.park() for _ in range(3)))
    assert seen == sorted(there, reverse=True)


async def test_filters_and_counts(house: House) -> None:
    mine = await house.park(b"12345")
    nameless = await house.park(type=None, headers={})
    later = await house.park(type=None, headers={"cloudEvents_type": "earshot.summary.wanted.v2.bulk"})
    assert [row.id for row in await house.rows(Which(type=AssetDeleted.type))] == [mine]
    assert [(row.id, row.size_bytes) for row in await house.rows(Which(id=mine))] == [(mine, 5)]
    assert [row.id for row in await house.rows(Which(short_id=mine.hex[-8:]))] == [mine]
    assert [row.id for row in await house.rows(Which(short_id="00000000"))] == []
    assert [row.id for row in await house.rows(Which(type="summary.wanted.v2"))] == [later]
    assert (await house.read(nameless)).type is None
    async with house.db.acquire() as conn:
        assert await parked.count_parked(conn) == {AssetDeleted.type: 1, "summary.wanted.v2": 1, "unknown": 1}


async def test_only_the_beginning_of_a_body_without_limit_is_read(house: House) -> None:
    parked_id = await house.park(b"a" * 3_000_000)
    full = await house.read(parked_id)
    assert (len(full.body), full.size_bytes) == (1024 * 1024, 3_000_000)
    assert await house.replay(parked_id)
    assert [len(row["body"]) for row in await house.outbox()] == [3_000_000]


@pytest.mark.parametrize("odd", ["a\x00b", "half \ud800 a pair", "\x00"])
async def test_whatever_an_error_says_it_can_be_parked(house: House, odd: str) -> None:
    parked_id = await house.park(reason=odd, history=[odd], headers={"earshot_history": json.dumps([odd])})
    full = await house.read(parked_id)
    assert full.reason
    assert len(full.history) == 2


async def test_headers_that_cannot_be_sent_again_stop_neither_parking_nor_replay(
    house: House, reader: Publisher, relay: Relay
) -> None:
    """Whatever a stranger's client wrote there: it must not come back for ever, nor stop the outbox."""
    headers = {
        "nul": "a\x00b",
        "nul\x00key": "x",
        "bytes": bytearray(b"\xff\xfe"),
        "when": datetime.now(UTC),
        "nested": {"a": [1]},
        "fraction": 1.5,
        "long": "a" * 60_000,
        "earshot_history": "not a list",
        "good": "ü",
    }
    await reader.publish(topology.EVENTS_EXCHANGE, AssetDeleted.type, b"[", headers, message_id="none")
    await until(lambda: _parked_anew(house, []))
    (row,) = await house.rows()
    full = await house.read(row.id)
    assert full.headers.keys() >= {"good", "nul", "fraction", "cloudEvents_type"}
    assert not {"bytes", "when", "nested", "long"} & full.headers.keys()
    assert await house.replay(row.id)
    await until(lambda: _parked_anew(house, [row.id]))
    # It may be parked before the relay has heard that it arrived.
    await until(lambda: _all_back(house, 1))


async def test_the_largest_headers_there_can_be_are_published(house: House, relay: Relay) -> None:
    long = "\U0001f600" * 1000
    headers = {f"h{number}": long for number in range(20)} | {"big": 2**70, "huge": 1e300, "negative": -(2**63)}
    parked_id = await house.park(headers=headers, history=[long] * 40, reason=long)
    assert await house.replay(parked_id)
    assert (await house.delivered()).headers["h0"] == long


async def test_a_type_that_nobody_knows_yet_is_named_in_the_replay(house: House, reader: Publisher) -> None:
    """It came by a routing key; a replay comes by the queue's name, and a later version must still know it."""
    connection = await aio_pika.connect(house.url)
    async with connection:
        queue = await (await connection.channel()).get_queue(QUEUE)
        await queue.bind(topology.EVENTS_EXCHANGE, "asset.polished.v1")
        try:
            await reader.publish(topology.EVENTS_EXCHANGE, "asset.polished.v1", b"{}", {}, message_id="none")
            await until(lambda: _parked_anew(house, []))
        finally:
            await queue.unbind(topology.EVENTS_EXCHANGE, "asset.polished.v1")
    (row,) = await house.rows()
    assert (row.type, row.reason) == ("asset.polished.v1", "no known type")
    assert await house.replay(row.id)
    await until(lambda: _parked_anew(house, [row.id]))
    (again,) = await house.rows()
    assert (again.type, (await house.read(again.id)).headers["cloudEvents_type"]) == (
        "asset.polished.v1",
        "earshot.asset.polished.v1",
    )
