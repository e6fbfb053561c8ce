"""Frozen workers: in the middle of a download, of a part, of a transaction, of an index.

Others redo their work; when they wake, they find that it is theirs no more, and write nothing.
"""

import asyncio
import hashlib
import subprocess
import threading
from collections.abc import AsyncGenerator, Generator, Sequence
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from uuid import UUID

import aio_pika
import asyncpg
import pytest
from common import topology
from common.db import Pool
from common.envelope import seal
from common.events import AssetRegistered, Fact, RecordingFetched, Source, TranscriptCompleted
from common.ids import uuid7

from tests.conftest import Databases
from tests.faults.frozen import Ear, Worker, everything, until
from tests.integration.common.test_database import limit
from tests.integration.embedder.world import transcript_of
from tests.media_server import MediaServer, plainly

SERVICES = ("fetcher", "asr", "embedder")
INDEXED = "asset.indexed.v1"
COLLECTION = uuid7()
SPEECH = Path(__file__).parents[1] / "data" / "second.opus"


class Half:
    """Serves the first request to the middle, then waits to be let on; every other one to the end."""

    def __init__(self) -> None:
        self.reached, self.opened = threading.Event(), threading.Event()

    def __call__(self, request: BaseHTTPRequestHandler, data: bytes) -> None:
        if self.reached.is_set():
            plainly(request, data)
            return
        request.send_response(200)
        request.send_header("ETag", '"the-one"')
        request.send_header("Accept-Ranges", "bytes")
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        request.wfile.write(data[: len(data) // 2])
        request.wfile.flush()
        self.reached.set()
        self.opened.wait()
        request.wfile.write(data[len(data) // 2 :])


class House:
    """Three services on one database, one broker and one store, each with as many workers as a test starts."""

    def __init__(
        self, databases: Databases, admin: Pool, rabbitmq_url: str, store_url: str, folder: Path, ear: Ear
    ) -> None:
        self.admin, self.ear = admin, ear
        self.objects = Path(store_url.removeprefix("file://"))
        self._folder = folder
        self._workers: list[Worker] = []
        self._environ = {
            **{f"{name.upper()}_DATABASE_URL": databases.urls[name] for name in SERVICES},
            "EARSHOT_RABBITMQ_URL": rabbitmq_url,
            "EARSHOT_OBJECT_STORE_URL": store_url,
            "EARSHOT_ALLOW_PRIVATE_HOSTS": "true",
            "ASR_PART_SECONDS": "5",
            "ASR_PROCESSES": "1",
            "EMBEDDER_BATCH_CHUNKS": "1",
            "EMBEDDER_THREADS": "1",
        }

    def start(self, service: str) -> Worker:
        worker = Worker(service, self._environ, self._folder / f"worker-{len(self._workers)}")
        self._workers.append(worker)
        return worker.start()

    async def started(self, service: str) -> Worker:
        """Once it listens: whoever is frozen before that has no consumers to lose."""
        worker = self.start(service)
        await until(lambda: asyncio.sleep(0, worker.consuming), f"the {service} consuming")
        return worker

    def stop(self) -> None:
        for worker in self._workers:
            worker.stop()

    async def publish(self, fact: Fact) -> UUID:
        sealed = seal(fact, "test", topology.EVENTS_EXCHANGE)
        exchange = await self.ear.channel.get_exchange(topology.EVENTS_EXCHANGE)
        message = aio_pika.Message(sealed.body, headers=sealed.headers, message_id=str(sealed.id), delivery_mode=2)
        await exchange.publish(message, sealed.routing_key)
        return fact.asset_id

    async def put(self, key: str, data: bytes) -> str:
        """Into the store; answers the SHA-256."""
        path = self.objects / key
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        return hashlib.sha256(data).hexdigest()

    async def fetched(self, sound: Path, name: str) -> UUID:
        digest = await self.put(f"audio/{name}.flac", sound.read_bytes())
        return await self.publish(
            RecordingFetched(
                asset_id=uuid7(),
                run=1,
                collection_id=COLLECTION,
                audio_uri=f"audio/{name}.flac",
                audio_sha256=digest,
                audio_bytes=sound.stat().st_size,
                duration_seconds=30.0,
                title=name,
            )
        )

    async def heard(self, service: str, kind: str) -> bool:
        """Whether the service has handled every fact of this type that was said so far."""
        said = {message_id for told, _, message_id in await self.ear.listen() if told == kind}
        noted = await self.admin.fetch(
            f"SELECT message_id::text FROM {service}.inbox WHERE consumer = $1", f"{service}.{kind}"
        )
        return said <= {row["message_id"] for row in noted}

    async def quiet(self) -> bool:
        """Nothing waits in a queue, in an outbox or to be folded, and no transaction is open."""
        outboxes = " + ".join(f"(SELECT count(*) FROM {name}.outbox)" for name in SERVICES)
        deltas = "(SELECT count(*) FROM embedder.term_deltas) + (SELECT count(*) FROM embedder.corpus_deltas)"
        return (
            not await self.ear.waiting(SERVICES)
            and not await self.admin.fetchval(f"SELECT {outboxes} + {deltas}")
            and not await backends(self.admin, SERVICES, "xact_start IS NOT NULL")
        )


def speech(folder: Path, seconds: int) -> Path:
    """The beginning of a recording as 16 kHz mono FLAC."""
    path = folder / f"speech-{seconds}.flac"
    shape = ["-t", str(seconds), "-ar", "16000", "-ac", "1", "-sample_fmt", "s16"]
    subprocess.run(["ffmpeg", "-v", "error", "-i", SPEECH, *shape, path], check=True, timeout=60)
    return path


@pytest.fixture
def web() -> Generator[MediaServer]:
    with MediaServer() as server:
        yield server


@pytest.fixture
async def house(fresh_database: Databases, rabbitmq_url: str, store_url: str, tmp_path: Path) -> AsyncGenerator[House]:
    admin = await asyncpg.create_pool(fresh_database.admin, min_size=0, max_size=3)
    # As long as a worker may leave a transaction open, which a test need not wait for. One that is frozen between
    # preparing a statement and running it is not idle to Postgres: then only the longer limit counts.
    for name in SERVICES:
        await limit(admin, "idle_in_transaction_session_timeout", "5s", name)
        await limit(admin, "transaction_timeout", "20s", name)
    connection = await aio_pika.connect(rabbitmq_url)
    async with connection:
        ear = await Ear.listening(await connection.channel())
        made = House(fresh_database, admin, rabbitmq_url, store_url, tmp_path, ear)
        yield made
        made.stop()
    await admin.close()


async def freeze_in_a_download(house: House, web: MediaServer, sound: Path) -> tuple[Worker, UUID, Half]:
    half = Half()
    url = web.serve("talk.flac", sound.read_bytes(), half)
    worker = await house.started("fetcher")
    # In the middle of nothing else.
    await until(lambda: house.heard("fetcher", TranscriptCompleted.type), "the transcripts so far")
    asset_id = await house.publish(
        AssetRegistered(
            asset_id=uuid7(),
            run=1,
            collection_id=COLLECTION,
            kind="recording",
            title="download",
            source=Source(type="url", url=url),
        )
    )
    await until(lambda: asyncio.sleep(0, half.reached.is_set()), "the download")
    worker.freeze()
    return worker, asset_id, half


async def freeze_in_a_part(house: House, sound: Path) -> tuple[Worker, UUID]:
    worker = await house.started("asr")
    asset_id = await house.fetched(sound, "part")
    await until(lambda: house.ear.tells(asset_id, "Recognising speech"), "the first words of a part")
    worker.freeze()
    unfinished = "SELECT count(*) FROM asr.parts WHERE asset_id = $1 AND words IS NULL"
    assert await house.admin.fetchval(unfinished, asset_id) >= 1
    return worker, asset_id


async def freeze_in_a_transaction(house: House, sound: Path) -> tuple[Worker, UUID]:
    """It holds the asset's lock, has taken the message in and saved the part; only the commit is missing."""
    worker = await house.started("asr")
    asset_id = await house.fetched(sound, "transaction")
    planned = "SELECT count(*) FROM asr.parts WHERE asset_id = $1"
    await until(lambda: house.admin.fetchval(planned, asset_id), "the plan")
    async with house.admin.acquire() as gate, gate.transaction():
        await gate.execute("SELECT FROM asr.parts WHERE asset_id = $1 FOR UPDATE", asset_id)
        await until(lambda: backends(house.admin, ["asr"], "wait_event_type = 'Lock'"), "a part to be saved")
        worker.freeze()
    await until(lambda: backends(house.admin, ["asr"], "state = 'idle in transaction'"), "the open transaction")
    return worker, asset_id


async def backends(admin: Pool, services: Sequence[str], which: str) -> int:
    ours = "datname = current_database() AND usename = ANY($1)"
    roles = [f"earshot_{service}" for service in services]
    return await admin.fetchval(f"SELECT count(*) FROM pg_stat_activity WHERE {ours} AND {which}", roles)


async def freeze_in_an_index(house: House) -> tuple[Worker, UUID]:
    worker = await house.started("embedder")
    turns = [("Anna", f"Sentence {n} of a long talk about the harbour and its {n} ships. " * 6) for n in range(60)]
    transcript = transcript_of(turns, asset_id=uuid7())
    digest = await house.put("transcript/long.json", transcript.model_dump_json().encode())
    asset_id = await house.publish(
        TranscriptCompleted(
            asset_id=transcript.asset_id,
            run=1,
            collection_id=COLLECTION,
            revision=1,
            transcript_uri="transcript/long.json",
            transcript_sha256=digest,
            title="index",
            language="en",
            engine="test",
            duration_seconds=transcript.duration_seconds,
            segment_count=len(transcript.segments),
            word_count=0,
        )
    )
    await until(lambda: house.ear.tells(asset_id, "Embedding passage"), "the first passage")
    worker.freeze()
    assert await house.admin.fetchval("SELECT count(*) FROM embedder.chunks WHERE asset_id = $1", asset_id) == 0
    return worker, asset_id


async def test_frozen_workers_write_nothing_when_they_wake(house: House, web: MediaServer, tmp_path: Path) -> None:
    indexing, indexed = await freeze_in_an_index(house)
    saving, saved = await freeze_in_a_transaction(house, speech(tmp_path, 6))
    recognising, recognised = await freeze_in_a_part(house, speech(tmp_path, 12))
    loading, loaded, half = await freeze_in_a_download(house, web, speech(tmp_path, 5))
    frozen = {loading: loaded, recognising: recognised, saving: saved, indexing: indexed}

    for service in SERVICES:
        house.start(service)
    await until(lambda: _all_indexed(house, set(frozen.values())), "the work of the others")
    await until(house.quiet, "quiet")
    before, said = await everything(house.admin, SERVICES, house.objects), list(await house.ear.listen())
    assert all(worker.stopped for worker in frozen)

    half.opened.set()
    for worker in frozen:
        before_waking = worker.comebacks
        worker.wake()
        await until(lambda worker=worker, known=before_waking: _is_back(worker, known), f"the {worker.service} awake")
    await until(house.quiet, "quiet")
    assert await house.ear.listen() == said
    after = await everything(house.admin, SERVICES, house.objects)
    assert {name: set(rows) ^ set(before[name]) for name, rows in after.items() if rows != before[name]} == {}


async def _all_indexed(house: House, wanted: set[UUID]) -> bool:
    heard = await house.ear.listen()
    return {str(asset_id) for asset_id in wanted} <= {subject for kind, subject, _ in heard if kind == INDEXED}


async def _is_back(worker: Worker, known: int) -> bool:
    """It found its connection lost, with it what it was working on, and listens again."""
    return worker.comebacks > known
