"""The fetcher as a process on a real broker: killed outright, started again, asked for the impossible."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aio_pika
import asyncpg
import pytest
from common import envelope
from common.events import Fact, ProcessingFailed, RecordingFetched
from common.ids import uuid7
from common.topology import EVENTS_EXCHANGE, hearings

PATIENCE_SECONDS = 90


class Broker:
    """Publishes as the gateway would, and hears everything."""

    def __init__(self, channel: Any, exchange: Any, heard: Any) -> None:
        self._channel = channel
        self._exchange = exchange
        self._heard = heard

    async def publish(self, fact: Fact) -> None:
        message_id = uuid7()
        headers = envelope.headers_for(fact, "gateway", message_id)
        message = aio_pika.Message(fact.model_dump_json().encode(), headers=headers, message_id=str(message_id))
        await self._exchange.publish(message, fact.routing_key)

    async def hear(self, kind: type[Fact]) -> dict[str, Any]:
        """The next fact of this kind."""
        async with asyncio.timeout(PATIENCE_SECONDS), self._heard.iterator() as messages:
            async for message in messages:
                async with message.process():
                    if message.routing_key == kind.type:
                        return json.loads(message.body)
        raise AssertionError("unreachable")

    async def waiting(self) -> dict[str, int]:
        """Messages that wait in the fetcher's queues."""
        counts: dict[str, int] = {}
        for hearing in hearings("fetcher"):
            for name in hearing.queues:
                queue = await self._channel.get_queue(name)
                counts[name] = queue.declaration_result.message_count or 0
        return {name: count for name, count in counts.items() if count}


@pytest.fixture
async def broker(rabbitmq_url: str) -> AsyncGenerator[Broker]:
    connection = await aio_pika.connect(rabbitmq_url)
    async with connection:
        channel = await connection.channel()
        exchange = await channel.get_exchange(EVENTS_EXCHANGE)
        heard = await channel.declare_queue(exclusive=True)
        await heard.bind(exchange, "#")
        yield Broker(channel, exchange, heard)


Run = Callable[[], Any]


@pytest.fixture
def run_fetcher(rabbitmq_url: str, fetcher_database: str, store_url: str, tmp_path: Path) -> Run:
    variables = {
        "FETCHER_DATABASE_URL": fetcher_database,
        "FETCHER_ALLOWED_NETWORKS": "127.0.0.1/32",
        "FETCHER_STALL_SECONDS": "1",
        "FETCHER_PORT": "0",
        "EARSHOT_RABBITMQ_URL": rabbitmq_url,
        "EARSHOT_OBJECT_STORE_URL": store_url,
        "EARSHOT_SCRATCH_DIR": str(tmp_path / "scratch"),
        "EARSHOT_DRAIN_SECONDS": "3",
    }

    @asynccontextmanager
    async def run() -> AsyncGenerator[asyncio.subprocess.Process]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "fetcher.main", env=os.environ | variables, stdout=asyncio.subprocess.DEVNULL
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.terminate()
                await asyncio.wait_for(process.wait(), 20)

    return run


async def test_killed_in_the_middle_of_a_download(
    run_fetcher: Run, broker: Broker, web: Any, studio: Any, register: Any, tmp_path: Path, fetcher_database: str
) -> None:
    body = studio.noise().read_bytes()
    half, opened = asyncio.Event(), asyncio.Event()

    async def serve(request: Any, reply: Any) -> None:
        start = request.first_byte()
        await reply.head(
            "206 Partial Content" if start else "200 OK", Content_Length=len(body) - start, ETag='"v1"',
            Content_Range=f"bytes {start}-{len(body) - 1}/{len(body)}", Accept_Ranges="bytes",
        )  # fmt: skip
        if not start:
            await reply.raw(body[: len(body) // 2])
            half.set()
            await opened.wait()
        await reply.raw(body[start or len(body) // 2 :])

    web.routes["/a"] = serve
    asset = register({"type": "url", "url": web.url("/a")})
    received = tmp_path / "scratch" / "fetcher" / str(asset.asset_id) / "source"
    async with run_fetcher() as process:
        await broker.publish(asset)
        await asyncio.wait_for(half.wait(), PATIENCE_SECONDS)
        while not (received.exists() and received.stat().st_size > 100_000):
            await asyncio.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
        await process.wait()
    held = received.stat().st_size
    async with run_fetcher():
        fact = await broker.hear(RecordingFetched)
        assert fact["asset_id"] == str(asset.asset_id)
        assert web.requests[-1].first_byte() == held
        await settled(broker, fetcher_database, tmp_path)
    connection = await asyncpg.connect(fetcher_database)
    assert await connection.fetchval("SELECT count(*) FROM recordings") == 1
    assert await connection.fetchval("SELECT count(*) FROM object_refs") == 2
    await connection.close()


async def test_bad_input_ends_in_a_failure_that_says_what_to_do(
    run_fetcher: Run, broker: Broker, web: Any, studio: Any, register: Any, tmp_path: Path, fetcher_database: str
) -> None:
    async def stall(_: Any, reply: Any) -> None:
        await reply.stall()

    web.routes["/stall"] = stall
    links = {
        web.file("/picture.mp3", studio.picture().read_bytes()): "not_media",
        web.url("/nothing"): "not_found",
        web.url("/stall"): "timeout",
        "http://169.254.169.254/latest/meta-data": "forbidden_address",
        "gopher://example.org/1": "unsupported_url",
    }
    async with run_fetcher():
        for link, category in links.items():
            asset = register({"type": "url", "url": link})
            await broker.publish(asset)
            failed = await broker.hear(ProcessingFailed)
            assert failed["asset_id"] == str(asset.asset_id)
            assert (failed["stage"], failed["category"]) == ("fetch", category)
            assert failed["message"]
            assert failed["advice"]
        await settled(broker, fetcher_database, tmp_path)


async def settled(broker: Broker, database: str, tmp_path: Path) -> None:
    """Wait until queues, outbox, scratch and temporary keys are empty."""
    connection = await asyncpg.connect(database)
    left: list[Any] = ["not looked yet"]
    try:
        async with asyncio.timeout(30):
            while left:
                await asyncio.sleep(0.1)
                left = [*await broker.waiting(), *await connection.fetch("SELECT routing_key FROM outbox")]
                for folder in ("scratch/fetcher", "objects/uploads", "objects/temporary"):
                    left += (tmp_path / folder).rglob("*")
    except TimeoutError:
        pytest.fail(f"still there: {left}")
    finally:
        await connection.close()
