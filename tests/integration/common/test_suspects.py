"""A message that kills its process is found and parked; innocents that died with it are handled, never parked."""

import asyncio
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel
from common import suspects
from common.broker import Publisher
from common.db import Database
from common.events import ProcessingFailed, TranscriptCompleted
from common.outbox import Relay, saying
from common.topology import DELIVERY_LIMIT, GATEWAY_QUEUE, dead_queue

from tests.conftest import Databases
from tests.integration.common import worker_process
from tests.integration.common.worker_process import QUEUE, completed

WORKER = Path(worker_process.__file__)


class Keeper:
    """Starts the worker again whenever it dies, as any supervisor does."""

    def __init__(self, database_url: str, rabbitmq_url: str) -> None:
        self._arguments = [sys.executable, str(WORKER), database_url, rabbitmq_url]
        self.exits: list[int] = []
        self._process: asyncio.subprocess.Process | None = None

    async def keep(self) -> None:
        while True:
            self._process = await asyncio.create_subprocess_exec(*self._arguments, stdout=asyncio.subprocess.DEVNULL)
            self.exits.append(await self._process.wait())

    async def end(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()


@asynccontextmanager
async def kept(database_url: str, rabbitmq_url: str) -> AsyncGenerator[Keeper]:
    keeper = Keeper(database_url, rabbitmq_url)
    task = asyncio.create_task(keeper.keep())
    try:
        yield keeper
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await keeper.end()


async def say(db: Database, rabbitmq_url: str, *facts: TranscriptCompleted) -> None:
    """Into the queue, before there is a worker."""
    publisher = Publisher(rabbitmq_url, "chat")
    async with saying(db, "chat", None) as transaction:
        await transaction.say(*facts)
    await Relay(db, publisher, "chat").publish_batch()
    await publisher.close()


async def until(db: Database, sql: str, wanted: object) -> None:
    async with asyncio.timeout(200):
        while True:
            async with db.acquire() as conn:
                if await conn.fetchval(sql) == wanted:
                    return
            await asyncio.sleep(0.1)


async def _holds(channel: AbstractChannel, queue: str, count: int) -> None:
    """Dead-lettering takes the broker a moment."""
    async with asyncio.timeout(60):
        while (await channel.declare_queue(queue, passive=True)).declaration_result.message_count != count:
            await asyncio.sleep(0.1)


async def failures(rabbitmq_url: str) -> list[UUID]:
    connection = await aio_pika.connect(rabbitmq_url)
    found: list[UUID] = []
    async with connection:
        channel = await connection.channel()
        queue = await channel.get_queue(GATEWAY_QUEUE)
        while (message := await queue.get(fail=False, no_ack=True)) is not None:
            if message.routing_key == ProcessingFailed.type:
                found.append(ProcessingFailed.parse(message.body).asset_id)
    return found


async def test_what_kills_its_process_is_parked_and_those_beside_it_are_handled(
    core_database: Databases, rabbitmq_url: str
) -> None:
    killer, innocents = completed("kill"), [completed("talk") for _ in range(30)]
    async with core_database.open("chat") as db:
        await say(db, rabbitmq_url, *innocents[:15], killer, *innocents[15:])
        async with kept(core_database.urls["chat"], rabbitmq_url) as keeper:
            await until(db, "SELECT count(*) FROM parked", 1)
            await until(db, "SELECT count(*) FROM inbox", len(innocents) + 1)
            await until(db, "SELECT count(*) FROM outbox", 0)
        async with db.acquire() as conn:
            row = await conn.fetchrow("SELECT asset_id, reason, type FROM parked")
            handled = {r["asset_id"] for r in await conn.fetch("SELECT asset_id FROM asset_states")}
            assert await conn.fetchval("SELECT count(*) FROM suspects") == 0
    assert row is not None
    assert row["asset_id"] == killer.asset_id
    assert row["type"] == TranscriptCompleted.type
    assert "kills its worker" in row["reason"]
    assert {fact.asset_id for fact in innocents} <= handled
    # It really killed: at first beside others, then as often as it takes to be sure.
    assert keeper.exits.count(-signal.SIGSEGV) == 2 + suspects.DEATHS
    assert await failures(rabbitmq_url) == [killer.asset_id]


async def test_innocents_that_reach_the_delivery_limit_with_others_are_never_parked(
    core_database: Databases, rabbitmq_url: str
) -> None:
    """A lost connection counts against all that it held: here so often that the broker gives them up."""
    slow = [completed("slow 0.3") for _ in range(6)]
    async with core_database.open("chat") as db:
        await say(db, rabbitmq_url, *slow)
        connection = await aio_pika.connect(rabbitmq_url)
        async with connection:
            for _ in range(DELIVERY_LIMIT + 1):
                channel = await connection.channel()
                queue = await channel.get_queue(QUEUE)
                for _ in slow:
                    await queue.get(fail=False, timeout=5)
                await channel.close()
            await _holds(await connection.channel(), dead_queue("chat"), len(slow))
        async with kept(core_database.urls["chat"], rabbitmq_url) as keeper:
            await until(db, "SELECT count(*) FROM inbox", len(slow))
        async with db.acquire() as conn:
            assert await conn.fetchval("SELECT count(*) FROM parked") == 0
    assert keeper.exits == []


@pytest.mark.parametrize("deaths", [0, suspects.DEATHS - 1])
async def test_a_suspect_that_comes_to_its_end_is_acquitted(
    core_database: Databases, rabbitmq_url: str, deaths: int
) -> None:
    fact = completed("talk")
    async with core_database.open("chat") as db:
        await say(db, rabbitmq_url, fact)
        connection = await aio_pika.connect(rabbitmq_url)
        async with connection:
            for _ in range(3):
                channel = await connection.channel()
                message = await (await channel.get_queue(QUEUE)).get(timeout=5)
                await channel.close()
        async with db.transaction() as conn:
            for _ in range(deaths):
                await suspects.begin(conn, QUEUE, UUID(message.message_id))
        async with kept(core_database.urls["chat"], rabbitmq_url):
            await until(db, "SELECT count(*) FROM inbox", 1)
            await until(db, "SELECT count(*) FROM suspects", 0)
        async with db.acquire() as conn:
            assert await conn.fetchval("SELECT count(*) FROM parked") == 0
