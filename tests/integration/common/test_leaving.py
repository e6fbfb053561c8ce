"""SIGTERM: what has not begun goes to other workers at once, what has begun finishes, and nothing is done twice."""

import asyncio
import signal
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import aio_pika
from common.broker import Publisher
from common.db import Database
from common.events import TranscriptCompleted
from common.outbox import Relay, saying
from common.topology import hearing_of

from tests.conftest import Databases
from tests.integration.common import worker_process
from tests.integration.common.worker_process import QUEUE, completed

WORKER = Path(worker_process.__file__)
PREFETCH = hearing_of("chat", TranscriptCompleted).prefetch


class Worker:
    """One worker process and what it printed."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.begun: list[UUID] = []
        self.done: list[UUID] = []
        self.ready = asyncio.Event()
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            word, _, asset_id = line.decode().strip().partition(" ")
            if word == "ready":
                self.ready.set()
            if word in ("begun", "done"):
                (self.begun if word == "begun" else self.done).append(UUID(asset_id))

    async def leave(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        code = await self.process.wait()
        await self._reading
        return code

    async def kill(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
            await self.process.wait()
        await self._reading


class House:
    """Starts workers on one database and broker."""

    def __init__(self, databases: Databases, db: Database, rabbitmq_url: str) -> None:
        self._arguments = [databases.urls["chat"], rabbitmq_url]
        self.db = db
        self._rabbitmq_url = rabbitmq_url
        self.workers: list[Worker] = []

    async def start(self) -> Worker:
        command = [sys.executable, str(WORKER), *self._arguments]
        worker = Worker(await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE))
        self.workers.append(worker)
        await asyncio.wait_for(worker.ready.wait(), 60)
        return worker

    async def say(self, *facts: TranscriptCompleted) -> None:
        publisher = Publisher(self._rabbitmq_url, "chat")
        async with saying(self.db, "chat", None) as transaction:
            await transaction.say(*facts)
        relay = Relay(self.db, publisher, "chat")
        while await relay.publish_batch():
            pass
        await publisher.close()

    async def waiting(self) -> int:
        connection = await aio_pika.connect(self._rabbitmq_url)
        async with connection:
            channel = await connection.channel()
            queue = await channel.declare_queue(QUEUE, passive=True)
            return queue.declaration_result.message_count or 0

    async def handled(self) -> int:
        async with self.db.acquire() as conn:
            return await conn.fetchval("SELECT count(*) FROM inbox")


@asynccontextmanager
async def house(databases: Databases, rabbitmq_url: str) -> AsyncGenerator[House]:
    async with databases.open("chat") as db:
        made = House(databases, db, rabbitmq_url)
        try:
            yield made
        finally:
            for worker in made.workers:
                await worker.kill()


async def until(check: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(100):
        while not await check():
            await asyncio.sleep(0.05)


async def test_what_has_not_begun_goes_back_while_what_has_begun_finishes(
    core_database: Databases, rabbitmq_url: str
) -> None:
    facts = [completed("long 2") for _ in range(PREFETCH)]
    async with house(core_database, rabbitmq_url) as made:
        worker = await made.start()
        await made.say(*facts)

        async def some_begun() -> bool:
            return len(worker.begun) > 0

        await until(some_begun)
        # All were delivered to it, and more than it handles at once wait inside it.
        assert await made.waiting() == 0
        worker.process.send_signal(signal.SIGTERM)

        async def handed_back() -> bool:
            return await made.waiting() == len(facts) - len(worker.begun)

        await until(handed_back)
        # It still works on what it began when the others are back already.
        assert worker.process.returncode is None
        assert worker.done == []
        assert len(worker.begun) < len(facts)
        assert await worker.leave() == 0
        assert sorted(worker.done) == sorted(worker.begun)
        assert await made.handled() == len(worker.done)


async def test_long_work_is_handed_back_at_its_next_step(core_database: Databases, rabbitmq_url: str) -> None:
    async with house(core_database, rabbitmq_url) as made:
        worker = await made.start()
        await made.say(completed("slow 500"))

        async def begun() -> bool:
            return len(worker.begun) == 1

        await until(begun)
        assert await worker.leave() == 0
        assert worker.done == []
        assert await made.waiting() == 1
        assert await made.handled() == 0


async def test_a_rolling_restart_under_load_does_nothing_twice(core_database: Databases, rabbitmq_url: str) -> None:
    async with house(core_database, rabbitmq_url) as made:
        said: list[UUID] = []
        saying_on = asyncio.create_task(_say_on(made, said))
        workers = [await made.start(), await made.start()]
        for turn in range(4):
            new, leaving = await made.start(), workers[turn % 2]
            workers[turn % 2] = new

            async def both_work(new: Worker = new, leaving: Worker = leaving) -> bool:
                return bool(new.begun and leaving.begun)

            await until(both_work)
            assert await leaving.leave() == 0
        saying_on.cancel()
        await asyncio.gather(saying_on, return_exceptions=True)

        async def all_handled() -> bool:
            return await made.handled() == len(said)

        await until(all_handled)
        for worker in workers:
            assert await worker.leave() == 0
        begun = [asset_id for worker in made.workers for asset_id in worker.begun]
        assert sorted(begun) == sorted(said)
        assert await made.waiting() == 0


async def _say_on(made: House, said: list[UUID]) -> None:
    """A steady load, until cancelled between two sayings."""
    while True:
        facts = [completed("long 0.01") for _ in range(20)]
        said += [fact.asset_id for fact in facts]
        await asyncio.shield(made.say(*facts))
        await asyncio.sleep(0.1)
