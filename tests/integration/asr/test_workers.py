"""Whole workers on a real broker: sharing the parts of a recording, and dying in the middle of one."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import aio_pika
import asyncpg
from asr.main import build
from asr.settings import AsrSettings
from common import envelope, topology
from common.broker import Publisher
from common.events import Fact, PartPlanned, TranscriptCompleted
from common.service import Service

from tests.integration.asr.conftest import SECOND, Bench

WAIT_SECONDS = 120


async def publish(url: str, fact: Fact) -> None:
    publisher = Publisher(url, "fetcher")
    sealed = envelope.seal(fact, "fetcher", topology.EVENTS_EXCHANGE)
    await publisher.publish(sealed.exchange, sealed.routing_key, sealed.body, sealed.headers, message_id=str(sealed.id))
    await publisher.close()


@asynccontextmanager
async def hearing(
    url: str, key: str, seconds: float = WAIT_SECONDS
) -> AsyncGenerator[Callable[[], Awaitable[dict[str, Any]]]]:
    """Whatever is said under ``key`` while the block lasts, one after the other."""
    connection = await aio_pika.connect(url)
    async with connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(exclusive=True)
        exchange = topology.LIVE_EXCHANGE if key.startswith("progress.") else topology.EVENTS_EXCHANGE
        await queue.bind(exchange, key)
        async with queue.iterator() as messages:

            async def following() -> dict[str, Any]:
                async with asyncio.timeout(seconds):
                    message = await anext(messages)
                    await message.ack()
                    return json.loads(message.body)

            yield following


def counting(service: Service, taken: list[int]) -> None:
    """Note the parts that this worker takes."""
    handle = service.consumer.handlers[PartPlanned.type]

    async def noted(fact: PartPlanned, delivery: Any) -> None:
        taken.append(fact.part_index)
        await handle(fact, delivery)

    service.consumer.handlers[PartPlanned.type] = noted


async def test_two_workers_share_the_parts(
    bench: Bench, settings: Callable[..., AsrSettings], rabbitmq_url: str, to_flac: Callable[..., Path]
) -> None:
    taken: list[list[int]] = [[], []]
    workers = [build(settings(rabbitmq_url=rabbitmq_url, role="worker", processes=1)) for _ in taken]
    for worker, own in zip(workers, taken, strict=True):
        counting(worker, own)
        await worker.start()
    try:
        async with (
            hearing(rabbitmq_url, "transcript.completed.v1") as completed,
            hearing(rabbitmq_url, f"progress.{bench.asset_id}") as progress,
        ):
            await publish(rabbitmq_url, await bench.fetched(to_flac(SECOND, 40)))
            fact = TranscriptCompleted.model_validate(await completed())
            told = [await progress() for _ in range(5)]
    finally:
        for worker in workers:
            await worker.stop()
    assert fact.revision == 1
    assert all(taken)
    assert sorted(taken[0] + taken[1]) == list(range(len(taken[0]) + len(taken[1])))
    rows = await bench.fetch("SELECT words FROM parts ORDER BY part_index")
    assert sum(len(row["words"]) for row in rows) == fact.word_count
    assert any(line["text"] for tale in told for line in tale.get("lines", []))
    assert all(0 <= tale["progress"] <= 1 and tale["stage"] == "transcribe" for tale in told)


def start_worker(settings: AsrSettings, module: str = "asr.main") -> subprocess.Popen[bytes]:
    """As an operator starts it."""
    environment = {
        "ASR_DATABASE_URL": settings.database_url,
        "ASR_PORT": "0",
        "ASR_PART_SECONDS": "5",
        "ASR_PROCESSES": "1",
        "EARSHOT_RABBITMQ_URL": settings.rabbitmq_url,
        "EARSHOT_OBJECT_STORE_URL": settings.object_store_url,
        "EARSHOT_SCRATCH_DIR": str(settings.scratch_dir),
        "EARSHOT_ROLE": "worker",
    }
    return subprocess.Popen(
        [sys.executable, "-m", module], env={**os.environ, **environment}, stdout=subprocess.DEVNULL
    )


async def recognised(bench: Bench) -> int:
    rows = await bench.fetch("SELECT count(*) FROM parts WHERE words IS NOT NULL")
    return rows[0][0]


async def reaches(bench: Bench, parts: int) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while await recognised(bench) < parts:
            await asyncio.sleep(0.05)


async def test_a_killed_worker_costs_one_part(
    bench: Bench, settings: Callable[..., AsrSettings], rabbitmq_url: str, to_flac: Callable[..., Path]
) -> None:
    ours = settings(rabbitmq_url=rabbitmq_url)
    async with hearing(rabbitmq_url, "transcript.completed.v1") as completed:
        worker = start_worker(ours)
        try:
            await publish(rabbitmq_url, await bench.fetched(to_flac(SECOND, 60)))
            await reaches(bench, 1)
        finally:
            worker.send_signal(signal.SIGKILL)
            worker.wait()
        before = await done_parts(bench)
        total = (await bench.fetch("SELECT count(*) FROM parts"))[0][0]
        assert len(before) < total, "the worker was to be killed in the middle"
        worker = start_worker(ours)
        try:
            fact = TranscriptCompleted.model_validate(await completed())
        finally:
            worker.send_signal(signal.SIGTERM)
            assert worker.wait() == 0
    after = await done_parts(bench)
    assert len(after) == total
    assert {part: after[part] for part in before} == before, "finished parts are not recognised again"
    assert fact.asset_id == UUID(str(bench.asset_id))
    assert [path for path in ours.scratch_dir.rglob("*") if path.is_file()] == []


async def done_parts(bench: Bench) -> dict[int, Any]:
    rows: list[asyncpg.Record] = await bench.fetch(
        "SELECT part_index, recognised_at FROM parts WHERE recognised_at IS NOT NULL"
    )
    return {row["part_index"]: row["recognised_at"] for row in rows}
