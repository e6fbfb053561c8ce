"""Messages that nobody here ever sent, put straight into a queue: each ends as a row for people, none stays behind."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aio_pika
from common import topology
from common.events import AssetUpdated
from common.ids import uuid7
from stack.testing import ThrowawayRabbit

from tests.conftest import Databases
from tests.integration.common.surprised import QUEUE, Worker, channel_of, eventually, working

TYPE = "cloudEvents_type"
STRANGE_HEADERS: dict[str, dict[str, Any]] = {
    "none": {},
    "unknown type": {TYPE: "earshot.cake.baked.v1"},
    "type of a later version": {TYPE: "earshot.asset.deleted.v2"},
    "type that is a number": {TYPE: 5},
    "type that is bytes": {TYPE: bytearray(b"\xff\xfe")},
    "type that is a table": {TYPE: {"of": ["contents"]}},
    "deaths that are words": {"x-death": "of a salesman"},
    "deaths that are numbers": {"x-death": [1, 2]},
    "deaths without keys": {"x-death": [{"count": 1, "routing-keys": 7}]},
    "trace that is bytes": {"traceparent": bytearray(b"\xff")},
    "attempt that is a word": {"x-attempt": "many"},
    "attempt that is a table": {"x-attempt": {"a": 1}},
    "errors that are not JSON": {"x-errors": "{"},
    "errors that are a number": {"x-errors": 4},
    "a text that Postgres refuses": {"title": "a\x00b"},
    "a date": {"when": datetime(2026, 1, 1, tzinfo=UTC)},
}


BODY = b"\x00\xff not JSON of "


async def put(rabbit: ThrowawayRabbit, exchange: str, key: str, *messages: aio_pika.Message) -> None:
    """As anybody may who reaches the broker."""
    async with channel_of(rabbit) as channel:
        target = await channel.get_exchange(exchange) if exchange else channel.default_exchange
        for message in messages:
            await target.publish(message, key, mandatory=True)


async def _settled(worker: Worker, rows: int) -> bool:
    return await worker.count("parked") == rows and worker.service.consumer.active == 0


async def _reasons(worker: Worker) -> dict[bytes, str]:
    async with worker.service.db.acquire() as conn:
        return {row["body"]: row["reason"] for row in await conn.fetch("SELECT body, reason FROM parked")}


async def test_whatever_the_headers_say_it_is_parked_with_its_body_and_nothing_stays_behind(
    core_database: Databases, rabbit: ThrowawayRabbit, rabbitmq_url: str, tmp_path: Path
) -> None:
    assert rabbitmq_url == rabbit.url
    strange = {BODY + name.encode(): headers for name, headers in STRANGE_HEADERS.items()}
    async with working(core_database, rabbit, tmp_path) as worker:
        await put(rabbit, "", QUEUE, *(aio_pika.Message(body, headers=held) for body, held in strange.items()))
        await eventually(lambda: _settled(worker, len(strange)))
        assert set(await _reasons(worker)) == set(strange)
        await worker.hears()
        counts = rabbit.control("list_queues", "name", "messages_unacknowledged").splitlines()
        assert f"{QUEUE}\t0" in counts


async def test_a_type_that_this_service_does_not_hear_is_parked_by_it(
    core_database: Databases, rabbit: ThrowawayRabbit, rabbitmq_url: str, tmp_path: Path
) -> None:
    assert rabbitmq_url == rabbit.url
    fact = AssetUpdated(asset_id=uuid7(), run=1, collection_id=uuid7(), title="A title", version=1)
    message = aio_pika.Message(fact.model_dump_json().encode(), headers={TYPE: f"earshot.{fact.type}"})
    async with working(core_database, rabbit, tmp_path) as worker:
        await put(rabbit, "", QUEUE, message)
        await eventually(lambda: _settled(worker, 1))
        assert await _reasons(worker) == {message.body: "chat has no handler for asset.updated.v1"}


async def test_the_queue_that_hears_everything_parks_what_it_does_not_know_and_ignores_what_it_does(
    core_database: Databases, rabbit: ThrowawayRabbit, rabbitmq_url: str, tmp_path: Path
) -> None:
    assert rabbitmq_url == rabbit.url
    async with working(core_database, rabbit, tmp_path, name="gateway") as worker:
        fact = AssetUpdated(asset_id=uuid7(), run=1, collection_id=uuid7(), title="A title", version=1)
        known = aio_pika.Message(fact.model_dump_json().encode())
        await put(rabbit, topology.EVENTS_EXCHANGE, fact.type, known)
        await put(rabbit, topology.EVENTS_EXCHANGE, "cake.baked.v1", aio_pika.Message(b"{}"))
        await put(rabbit, "", topology.GATEWAY_QUEUE, aio_pika.Message(b"directly"))
        await eventually(lambda: _settled(worker, 2))
        assert await _reasons(worker) == {b"{}": "no known type", b"directly": "no known type"}
        assert await worker.depth(topology.GATEWAY_QUEUE) == 0
