"""The database is killed, shut down or frozen under load: nobody knocks in a hot loop, and all goes on by itself."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID

import asyncpg
import httpx
import psutil
import pytest
from common import bootstrap, patience
from common.delivery import Delivery
from common.events import AssetDeleted
from common.ids import uuid7
from common.migrations import core_tables, suspects_table
from common.patience import OF_WORK, Patience
from common.service import Service
from common.settings import ServiceSettings
from fastapi import APIRouter
from stack import leash
from stack.testing import ThrowawayPostgres
from structlog.testing import capture_logs

from tests.integration.gateway.running import serving
from tests.proxy import Proxy

WAIT_SECONDS, ANSWER_SECONDS = 0.3, 0.5
# Longer than every patience of a request, and than a job's pause.
OUTAGE_SECONDS = 5.0


@dataclass
class World:
    """A whole service under load: requests say facts, which it hears itself and writes down."""

    service: Service
    url: str
    server: ThrowawayPostgres
    proxy: Proxy
    asked: list[UUID] = field(default_factory=list[UUID])
    accepted: list[UUID] = field(default_factory=list[UUID])
    answers: list[int] = field(default_factory=list[int])
    seen: dict[str, Patience] = field(default_factory=dict[str, Patience])

    async def ask(self, http: httpx.AsyncClient) -> None:
        asset_id = uuid7()
        self.asked.append(asset_id)
        answer = await http.post(f"/say/{asset_id}")
        self.answers.append(answer.status_code)
        if answer.status_code == 503:
            assert int(answer.headers["retry-after"]) > 0
        else:
            assert answer.status_code == 200
            self.accepted.append(asset_id)

    @asynccontextmanager
    async def load(self) -> AsyncGenerator[None]:
        client = httpx.AsyncClient(base_url=self.url, timeout=30, trust_env=False)
        async with client as http, asyncio.TaskGroup() as group:
            clock = group.create_task(self._load(http, group))
            yield
            clock.cancel()

    async def _load(self, http: httpx.AsyncClient, group: asyncio.TaskGroup) -> None:
        while True:
            group.create_task(self.ask(http))
            await asyncio.sleep(0.02)

    async def until_accepted(self, more: int) -> None:
        """The limit only ends a test that would never end."""
        wanted = len(self.accepted) + more
        async with asyncio.timeout(60):
            while len(self.accepted) < wanted:
                await asyncio.sleep(0.05)

    async def until_settled(self) -> set[UUID]:
        """Every fact that left has been handled; answers the assets whose effect is there."""
        async with asyncio.timeout(90):
            while True:
                async with self.service.db.acquire() as conn:
                    waiting = await conn.fetchval("SELECT count(*) FROM outbox")
                    found = [row["asset_id"] for row in await conn.fetch("SELECT asset_id FROM effects")]
                if not waiting and set(self.accepted) <= set(found):
                    assert len(found) == len(set(found))
                    return set(found)
                await asyncio.sleep(0.2)


@pytest.fixture(scope="module")
def server() -> Generator[ThrowawayPostgres]:
    with ThrowawayPostgres() as postgres:
        yield postgres


@pytest.fixture
async def chat_url(server: ThrowawayPostgres) -> AsyncGenerator[str]:
    admin = await asyncpg.connect(server.url)
    parts = urlsplit(server.url)
    url = urlunsplit(parts._replace(netloc=f"earshot_chat:secret@{parts.netloc.rpartition('@')[2]}"))
    await bootstrap.bootstrap(admin, {"chat": url})
    await admin.close()
    owner = await asyncpg.connect(url)
    await owner.execute(core_tables() + suspects_table() + "CREATE TABLE effects (asset_id uuid NOT NULL)")
    await owner.close()
    yield url
    admin = await asyncpg.connect(server.url)
    await admin.execute("DROP SCHEMA chat CASCADE")
    await admin.close()


@pytest.fixture
async def world(
    chat_url: str, server: ThrowawayPostgres, rabbitmq_url: str, store_url: str, tmp_path: Path
) -> AsyncGenerator[World]:
    with Proxy(server.server.port) as proxy:
        settings = ServiceSettings(
            database_url=proxy.through(chat_url),
            rabbitmq_url=rabbitmq_url,
            object_store_url=store_url,
            scratch_dir=tmp_path,
            database_wait_seconds=WAIT_SECONDS,
            database_answer_seconds=ANSWER_SECONDS,
            drain_seconds=5,
        )
        service = Service("chat", settings)
        world = World(service, "", server, proxy)
        _wire(world)
        async with serving(service.app) as url:
            world.url = url
            yield world


def _wire(world: World) -> None:
    router = APIRouter()

    async def say(asset_id: UUID) -> None:
        world.seen["request"] = patience.current()
        async with world.service.transaction() as tx:
            await tx.say(AssetDeleted(asset_id=asset_id, run=1, collection_id=asset_id))

    async def note(fact: AssetDeleted, delivery: Delivery) -> None:
        world.seen["handler"] = patience.current()
        async with delivery.record() as rec:
            await rec.conn.execute("INSERT INTO effects VALUES ($1)", fact.asset_id)

    async def tidy() -> None:
        world.seen["job"] = patience.current()
        async with world.service.db.acquire() as conn:
            await conn.execute("SELECT 1")

    router.post("/say/{asset_id}")(say)
    world.service.serve(router)
    world.service.hear(AssetDeleted, note)
    world.service.background(tidy, every_seconds=0.5)


async def begin(server: ThrowawayPostgres) -> None:
    # Started here, in the main thread: it would end with any other.
    server.server.start()
    await asyncio.to_thread(server.server.wait_ready)


@asynccontextmanager
async def killed(server: ThrowawayPostgres) -> AsyncGenerator[None]:
    before = server.server.pid
    server.kill()
    assert before is not None
    assert not psutil.pid_exists(before)
    yield
    await begin(server)


@asynccontextmanager
async def shut_down(server: ThrowawayPostgres) -> AsyncGenerator[None]:
    """Each connection is told before it ends."""
    await asyncio.to_thread(server.stop)
    assert server.server.pid is None
    yield
    await begin(server)


@asynccontextmanager
async def frozen(server: ThrowawayPostgres) -> AsyncGenerator[None]:
    assert server.server.pid is not None
    family = [psutil.Process(server.server.pid)]
    family += family[0].children(recursive=True)
    for process in family:
        process.suspend()
    assert leash.wait_until(lambda: family[0].status() == psutil.STATUS_STOPPED, 10)
    yield
    for process in family:
        if process.is_running():
            process.resume()


@pytest.mark.parametrize("fault", [killed, shut_down, frozen])
async def test_an_outage_under_load(world: World, fault: Any) -> None:
    async with world.load():
        await world.until_accepted(50)
        opened, begun = world.proxy.counts.opened, monotonic()
        with capture_logs() as logs:
            async with fault(world.server):
                await asyncio.sleep(OUTAGE_SECONDS)
                answered = len(world.answers)
                seconds = monotonic() - begun
                knocks = world.proxy.counts.opened - opened
        # The fault fired: requests were refused, and went on being answered.
        assert 503 in world.answers
        assert answered > 50
        _check_pace(knocks, logs, seconds)
        await world.until_accepted(50)
    done = await world.until_settled()
    assert done <= set(world.asked)
    await _check_pool(world)


def _check_pace(knocks: int, logs: Any, seconds: float) -> None:
    """Attempts to connect and lines logged while it was away, beside one or two lines per request."""
    pool = 4
    assert knocks <= 2 * seconds + 2 * pool
    told = [entry["event"] for entry in logs if entry["event"] not in ("request", "database_unavailable")]
    assert len(told) <= 4 * seconds + 20, {event: told.count(event) for event in set(told)}


async def _check_pool(world: World) -> None:
    """Every connection that the pool would give out answers."""
    db = world.service.db
    size = db.pool.get_max_size()

    async def use(barrier: asyncio.Barrier) -> int:
        async with db.acquire() as conn:
            await barrier.wait()
            return await conn.fetchval("SELECT 1")

    barrier = asyncio.Barrier(size)
    # Only requests may have them all; the relay and the job borrow one now and then, and give it back.
    with patience.having(Patience(30.0, 30.0)):
        assert await asyncio.gather(*(use(barrier) for _ in range(size))) == [1] * size


async def test_requests_are_in_haste_and_everything_else_has_time(world: World) -> None:
    async with world.load():
        await world.until_accepted(5)
    await world.until_settled()
    assert world.seen == {
        "request": Patience(WAIT_SECONDS, ANSWER_SECONDS),
        "handler": OF_WORK,
        "job": OF_WORK,
    }
