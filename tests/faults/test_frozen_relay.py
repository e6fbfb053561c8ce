"""A relay that freezes while it holds rows of the outbox: the database takes them back, and another publishes them."""

import asyncio
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import aio_pika
import asyncpg
from common.broker import Publisher
from common.db import Database
from common.outbox import Relay, saying
from common.topology import GATEWAY_QUEUE

from tests.conftest import Databases
from tests.integration.common.test_database import limit
from tests.integration.common.test_leaving import completed, house
from tests.integration.common.test_messaging import eventually
from tests.proxy import Proxy

FACTS = 5
OUTBOX = "SELECT count(*) FROM outbox"
FREE = "SELECT count(*) FROM (SELECT FROM outbox FOR UPDATE SKIP LOCKED) AS free"


async def say(db: Database, facts: int = 1) -> None:
    async with saying(db, "chat", None) as tx:
        await tx.say(*(completed("now") for _ in range(facts)))


async def count(db: Database, sql: str) -> int:
    async with db.acquire() as conn:
        return await conn.fetchval(sql)


async def published(url: str) -> int:
    """How many different facts have reached the queue that hears everything."""
    found: set[str] = set()
    async with await aio_pika.connect(url) as connection:
        queue = await (await connection.channel()).get_queue(GATEWAY_QUEUE)
        while (message := await queue.get(fail=False)) is not None:
            found.add(str(message.message_id))
    return len(found)


@asynccontextmanager
async def relaying(db: Database, url: str) -> AsyncGenerator[None]:
    publisher = Publisher(url, "chat")
    task = asyncio.create_task(Relay(db, publisher, "chat", poll_seconds=0.1).run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await publisher.close()


async def test_another_relay_publishes_what_a_frozen_one_holds(core_database: Databases, rabbitmq_url: str) -> None:
    admin = await asyncpg.connect(core_database.admin)
    # The limit itself is checked where the roles are made; here a shorter one will do.
    await limit(admin, "idle_in_transaction_session_timeout", "3s")
    await admin.close()
    port = urlsplit(rabbitmq_url).port
    assert port
    with Proxy(port) as proxy:
        async with house(core_database, proxy.through(rabbitmq_url)) as made:
            worker = await made.start()
            await _check(made.db, proxy, rabbitmq_url, worker.process)


async def _check(db: Database, proxy: Proxy, url: str, frozen: asyncio.subprocess.Process) -> None:
    await say(db)
    await eventually(lambda: _are(db, OUTBOX, 0))
    proxy.hole("down")
    await say(db, FACTS)
    # It has published them, waits for confirms inside its transaction, and stands still there.
    await eventually(lambda: _are(db, FREE, 0))
    frozen.send_signal(signal.SIGSTOP)
    assert await count(db, OUTBOX) == FACTS
    async with relaying(db, url):
        # What it does not hold passes it by.
        await say(db)
        await eventually(lambda: _are(db, OUTBOX, 0))
    assert await published(url) == FACTS + 2
    proxy.heal()
    frozen.send_signal(signal.SIGCONT)
    # It wakes to a transaction that has ended, and goes on with what is said from now on.
    await say(db)
    await eventually(lambda: _are(db, OUTBOX, 0), 60)
    assert frozen.returncode is None
    await eventually(lambda: _are(db, "SELECT count(*) FROM inbox", FACTS + 3), 60)
    assert await count(db, "SELECT count(*) FROM parked") == 0


async def _are(db: Database, sql: str, wanted: int) -> bool:
    return await count(db, sql) == wanted
