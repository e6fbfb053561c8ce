"""A worker of the chat service on a broker that misbehaves: its handlers, its readiness over HTTP, its metrics."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from uuid import UUID

import aio_pika
import httpx
from common import bootstrap, topology
from common.amqp import connect_once
from common.delivery import Delivery
from common.depths import depths
from common.events import AssetDeleted
from common.ids import uuid7
from common.service import Service
from common.settings import ServiceSettings
from prometheus_client import REGISTRY
from stack.testing import ThrowawayRabbit

from tests.conftest import Databases

QUEUE = "chat.asset.deleted.v1"
Handle = Callable[[AssetDeleted, Delivery], Awaitable[None]]


@dataclass
class Worker:
    """A running service that hears deletions and takes note of each; ``service`` is the real one."""

    service: Service
    rabbit: ThrowawayRabbit
    heard: list[UUID] = field(default_factory=list)

    async def hear(self, fact: AssetDeleted, delivery: Delivery) -> None:
        async with delivery.record(check=False):
            pass
        self.heard.append(fact.asset_id)

    async def say(self) -> UUID:
        """Say one deletion through the outbox."""
        fact = AssetDeleted(asset_id=uuid7(), run=1, collection_id=uuid7())
        async with self.service.transaction() as transaction:
            await transaction.say(fact)
        return fact.asset_id

    async def hears(self) -> None:
        """Returns when a fact said now, again and again until then, has been handled."""
        said: set[UUID] = set()
        async with asyncio.timeout(60):
            while not said & set(self.heard):
                said.add(await self.say())
                await asyncio.sleep(0.3)

    async def health(self) -> tuple[int, dict[str, bool]]:
        """What a probe of ``/health/ready`` gets."""
        transport = httpx.ASGITransport(app=self.service.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://worker") as client:
            answer = await client.get("/health/ready")
            return answer.status_code, answer.json()

    async def notices(self, *checks: str) -> float:
        """Seconds until exactly these checks fail."""
        begun = monotonic()
        await eventually(lambda: self._fails(set(checks)))
        return monotonic() - begun

    async def recovers(self) -> float:
        """Seconds until every check is good again."""
        return await self.notices()

    async def _fails(self, checks: set[str]) -> bool:
        status, answers = await self.health()
        return {name for name, good in answers.items() if not good} == checks and (status == 200) == (not checks)

    async def count(self, table: str) -> int:
        async with self.service.db.acquire() as conn:
            return await conn.fetchval(f"SELECT count(*) FROM {table}")

    async def depth(self, queue: str) -> int:
        """Messages that wait in the queue."""
        async with await connect_once(self.rabbit.url, "test") as connection:
            found = (await depths(connection, [queue]))[queue]
            return found.messages if found else 0

    def consumers(self, queue: str) -> int:
        """How many the broker itself counts."""
        lines = self.rabbit.control("list_consumers", "queue_name").splitlines()
        return lines.count(queue)


async def eventually(check: Callable[[], Awaitable[bool]], seconds: float = 60) -> None:
    """Wait until ``check`` holds; the limit only ends a test that would never end."""
    async with asyncio.timeout(seconds):
        while not await check():
            await asyncio.sleep(0.05)


def metric(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, {"service": "chat", **labels}) or 0.0


@asynccontextmanager
async def channel_of(rabbit: ThrowawayRabbit) -> AsyncGenerator[aio_pika.abc.AbstractChannel]:
    """A channel of somebody else."""
    async with await aio_pika.connect(rabbit.url) as connection:
        yield await connection.channel()


def settings(databases: Databases, url: str, folder: Path) -> ServiceSettings:
    return ServiceSettings(
        database_url=databases.urls["chat"],
        rabbitmq_url=url,
        object_store_url=f"file://{folder / 'objects'}",
        scratch_dir=folder / "scratch",
        role="worker",
        drain_seconds=2,
    )


@asynccontextmanager
async def working(
    databases: Databases,
    rabbit: ThrowawayRabbit,
    folder: Path,
    *,
    handle: Handle | None = None,
    url: str = "",
    name: topology.Service = "chat",
) -> AsyncGenerator[Worker]:
    """The worker, started; ``url`` when it is not the broker's own; as ``name`` on the same tables."""
    await bootstrap.prepare_store(f"file://{folder / 'objects'}")
    service = Service(name, settings(databases, url or rabbit.url, folder))
    worker = Worker(service, rabbit)
    service.hear(AssetDeleted, handle or worker.hear)
    await service.start()
    try:
        yield worker
    finally:
        await service.stop()
