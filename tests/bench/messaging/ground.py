"""What every side stands on: one durable Postgres with a table of effects, one RabbitMQ, one quorum queue."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit, urlunsplit

import aio_pika
import asyncpg
import psutil
from common import bootstrap, envelope, topology
from common.broker import Publisher
from common.events import AssetIndexed
from common.ids import uuid7
from stack import leash
from stack.testing import ThrowawayPostgres, ThrowawayRabbit

# The gateway's: of all queues the one that a fact can reach without reaching others too.
SERVICE = "gateway"
QUEUE = topology.GATEWAY_QUEUE
PREFETCH = 50
POOL_SIZE = 4
# The work of a handler in every measurement. Its row says when: after the statement, before the commit.
EFFECT = "INSERT INTO effects (asset_id) VALUES ($1)"
_TABLE = """
CREATE TABLE effects (
    n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    asset_id uuid NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
)
"""
_PUT = """
INSERT INTO outbox (id, exchange, routing_key, headers, body)
SELECT id, exchange, routing_key, headers::jsonb, body
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bytea[]) AS o (id, exchange, routing_key, headers, body)
"""
_TABLES = "effects, inbox, outbox, asset_states, parked"


def fact(model: str = "minilm") -> AssetIndexed:
    """One that only the gateway hears."""
    return AssetIndexed(
        asset_id=uuid7(), run=1, collection_id=uuid7(), revision=1, chunk_count=40, generation=1, model=model
    )


def sealed(count: int) -> list[envelope.Outgoing]:
    return [envelope.seal(fact(), "embedder", topology.EVENTS_EXCHANGE) for _ in range(count)]


@dataclass
class Ground:
    """The servers, and a connection of the gateway's role for filling, watching and clearing."""

    postgres: ThrowawayPostgres
    rabbit: ThrowawayRabbit
    database_url: str
    folder: Path
    conn: "asyncpg.Connection[asyncpg.Record]"

    async def fill_queue(self, messages: Sequence[envelope.Outgoing]) -> None:
        """Straight into the queue, past outbox and exchange."""
        publisher = Publisher(self.rabbit.url, "bench")
        for start in range(0, len(messages), 200):
            await asyncio.gather(
                *(
                    publisher.publish("", QUEUE, each.body, each.headers, message_id=str(each.id))
                    for each in messages[start : start + 200]
                )
            )
        await publisher.close()

    async def fill_outbox(self, messages: Sequence[envelope.Outgoing]) -> None:
        for start in range(0, len(messages), 1000):
            some = messages[start : start + 1000]
            columns = [(m.id, m.exchange, m.routing_key, envelope.json.dumps(m.headers), m.body) for m in some]
            await self.conn.execute(_PUT, *map(list, zip(*columns, strict=True)))

    async def waiting(self) -> int:
        """Messages that lie in the queue."""
        connection = await aio_pika.connect(self.rabbit.url)
        async with connection:
            queue = await (await connection.channel()).declare_queue(QUEUE, passive=True)
            return queue.declaration_result.message_count or 0

    async def effects(self) -> int:
        return int(await self.conn.fetchval("SELECT count(*) FROM effects") or 0)

    async def clear(self, *queues: str) -> None:
        """Empty tables and queues, for the next side or round."""
        await self.conn.execute(f"TRUNCATE {_TABLES} RESTART IDENTITY")
        await self.purge(*queues)

    async def purge(self, *queues: str) -> None:
        connection = await aio_pika.connect(self.rabbit.url)
        async with connection:
            channel = await connection.channel()
            for name in (QUEUE, *queues):
                await (await channel.get_queue(name, ensure=False)).purge()

    @contextmanager
    def process(self, *words: str) -> Iterator[psutil.Process]:
        """``python -m <words>`` for as long as the block lasts; what it prints is kept in the folder."""
        with (self.folder / "processes.log").open("ab") as log:
            process = subprocess.Popen(
                [*leash.tied(signal.SIGTERM), sys.executable, "-m", *words],
                env=os.environ | self._environment(),
                stdout=log,
                stderr=log,
                cwd=self.folder,
            )
        try:
            yield psutil.Process(process.pid)
        finally:
            process.terminate()
            process.wait(timeout=60)

    def log_tail(self) -> str:
        return (self.folder / "processes.log").read_text(errors="replace")[-2000:]

    def _environment(self) -> dict[str, str]:
        return {
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "BENCH_DATABASE_URL": self.database_url,
            "BENCH_RABBITMQ_URL": self.rabbit.url,
            "BENCH_FOLDER": str(self.folder),
        }


@asynccontextmanager
async def prepared() -> AsyncGenerator[Ground]:
    with ThrowawayPostgres(durable=True) as postgres, ThrowawayRabbit() as rabbit, TemporaryDirectory() as folder:
        parts = urlsplit(postgres.url)
        place = parts.netloc.rpartition("@")[2]
        url = urlunsplit(parts._replace(netloc=f"earshot_gateway:secret@{place}"))
        await bootstrap.migrate(postgres.url, {SERVICE: url})
        await bootstrap.prepare_store(f"file://{folder}")
        await bootstrap.prepare_broker(rabbit.url)
        conn = await asyncpg.connect(url)
        await conn.execute(_TABLE)
        try:
            yield Ground(postgres, rabbit, url, Path(folder), conn)
        finally:
            await conn.close()
