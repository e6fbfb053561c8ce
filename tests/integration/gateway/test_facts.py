"""Facts move assets and jobs forward through the real broker: twice, out of order, of an old run, never backward."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import aio_pika
import pytest
from common import events as e
from common import topology
from common.ids import uuid7

from tests.integration.gateway.bus import Asset, Bus
from tests.integration.gateway.running import Gateway

OWNERS = ("fetcher", "asr", "embedder", "chat")


async def read(gateway: Gateway, asset_id: str, what: str = "") -> Any:
    return (await gateway.admin.http.get(f"/api/assets/{asset_id}{what}")).json()


async def test_the_straight_road_every_fact_twice(bus: Bus):
    accepted = await bus.gateway.add()
    asset = Asset(accepted)
    await bus.say(asset.fetched())
    shown = await read(bus.gateway, asset.id)
    assert (shown["status"], shown["stage"], shown["title"]) == ("processing", "transcribe", "From the file")
    assert (shown["duration_seconds"], shown["media_facts"]) == (90.0, {"codec": "mp3"})
    await bus.say(e.PartPlanned(**asset.about, part_index=0))
    status = await read(bus.gateway, asset.id, "/status")
    assert [stage["status"] for stage in status["stages"]] == ["done", "processing", "pending"]
    await bus.say(e.TranscriptionRecognised(**asset.about), asset.transcribed(), asset.indexed())
    shown = await read(bus.gateway, asset.id)
    assert (shown["status"], shown["language"], shown["error"]) == ("ready", "en", None)
    status = await read(bus.gateway, asset.id, "/status")
    assert (status["progress"], status["eta_seconds"]) == (1.0, None)
    job = (await bus.gateway.admin.http.get(f"/api/jobs/{accepted['job']['id']}")).json()
    assert (job["status"], job["progress"]) == ("ready", 1.0)
    assert job["finished_at"]
    assert set(job["timings"]) == {"fetch", "transcribe", "index"}
    events = (await read(bus.gateway, asset.id, "/timeline"))["items"]
    assert [event["event"] for event in events] == [
        "asset.registered",
        "recording.fetched",
        "transcription.recognised",
        "transcript.completed",
        "asset.indexed",
    ]
    assert events[3]["details"]["warnings"] == ["This is a draft."]
    assert not any("uri" in key for event in events for key in event["details"])


async def test_a_correction_moves_no_job(bus: Bus):
    """Also while the recording is recognised again: what can be found is the corrected text of before."""
    accepted = await bus.gateway.add()
    asset = Asset(accepted)
    await bus.say(asset.fetched(), asset.transcribed(), asset.indexed())
    timeline = await read(bus.gateway, asset.id, "/timeline")
    await bus.gateway.admin.http.post(f"/api/assets/{asset.id}/retry", json={"from_stage": "transcribe"})
    again = Asset(accepted, run=2)
    revised = e.TranscriptRevised(**again.transcribed(revision=2).model_dump(), change="edited")
    indexed = again.indexed().model_copy(update={"revision": 2, "cause": "correction"})
    await bus.say(revised, indexed)
    shown = await read(bus.gateway, asset.id)
    assert (shown["status"], shown["stage"], shown["run"]) == ("processing", "transcribe", 2)
    row = await bus.gateway.service.db.pool.fetchrow("SELECT revision FROM assets WHERE id = $1", UUID(asset.id))
    assert row["revision"] == 2
    await bus.say(e.TranscriptRevised(**again.transcribed(revision=1).model_dump(), change="edited"))
    assert (
        await bus.gateway.service.db.pool.fetchval("SELECT revision FROM assets WHERE id = $1", UUID(asset.id))
    ) == 2
    events = [event["event"] for event in (await read(bus.gateway, asset.id, "/timeline"))["items"]]
    assert events == [event["event"] for event in timeline["items"]] + ["processing.restarted"]
    await bus.say(again.transcribed(revision=3), again.indexed())
    assert (await read(bus.gateway, asset.id))["status"] == "ready"


async def test_every_order_of_facts_ends_the_same(bus: Bus):
    for order in itertools.permutations(range(3)):
        asset = Asset(await bus.gateway.add())
        facts = [asset.fetched(), asset.transcribed(), asset.indexed()]
        for number in order:
            await bus.say(facts[number], times=1)
        shown = await read(bus.gateway, asset.id)
        assert (shown["status"], shown["stage"], shown["language"]) == ("ready", "index", "en")
        assert shown["duration_seconds"] == 90.0


async def test_a_title_that_was_given_stays(bus: Bus):
    asset = Asset(await bus.gateway.add(title="Mine"))
    await bus.say(asset.fetched())
    assert (await read(bus.gateway, asset.id))["title"] == "Mine"


async def test_without_recognition_fetching_is_all(bus: Bus):
    asset = Asset(await bus.gateway.add(transcribe=False))
    await bus.say(asset.fetched())
    assert (await read(bus.gateway, asset.id))["status"] == "ready"


async def test_a_failure_is_told_and_a_retry_goes_on_from_there(bus: Bus):
    accepted = await bus.gateway.add()
    asset = Asset(accepted)
    await bus.say(asset.fetched(), asset.failed())
    shown = await read(bus.gateway, asset.id)
    assert (shown["status"], shown["stage"]) == ("failed", "transcribe")
    assert shown["error"] == {
        "stage": "transcribe",
        "category": "damaged",
        "message": "It is damaged.",
        "advice": "Repair it.",
        "retryable": True,
    }
    events = (await read(bus.gateway, asset.id, "/timeline"))["items"]
    assert [(event["event"], event["message"]) for event in events][-1] == ("processing.failed", "It is damaged.")
    retried = (await bus.gateway.admin.http.post(f"/api/assets/{asset.id}/retry")).json()
    assert (retried["asset"]["run"], retried["asset"]["stage"], retried["asset"]["error"]) == (2, "transcribe", None)
    # The first run's late facts are of the past; the second's count.
    await bus.say(asset.transcribed(), asset.indexed(), asset.failed())
    shown = await read(bus.gateway, asset.id)
    assert (shown["status"], shown["stage"], shown["run"]) == ("processing", "transcribe", 2)
    again = Asset(accepted, run=2)
    await bus.say(again.transcribed(revision=2), again.indexed())
    assert (await read(bus.gateway, asset.id))["status"] == "ready"
    jobs = (await bus.gateway.admin.http.get("/api/jobs", params={"asset_id": asset.id})).json()["items"]
    assert [(job["run"], job["status"]) for job in jobs] == [(2, "ready"), (1, "failed")]


async def test_a_category_of_a_newer_service_is_shown_as_it_is(bus: Bus):
    accepted = await bus.gateway.add()
    asset = Asset(accepted)
    await bus.say(asset.fetched(), asset.failed().model_copy(update={"category": "out_of_tea", "retryable": False}))
    shown = await read(bus.gateway, asset.id)
    assert (shown["status"], shown["error"]["category"], shown["error"]["retryable"]) == ("failed", "out_of_tea", False)


async def test_what_is_true_of_the_asset_counts_though_its_run_is_over(bus: Bus):
    """The last fact came first, the job was ready, and the next run began before the others arrived."""
    accepted = await bus.gateway.add()
    asset = Asset(accepted)
    await bus.say(asset.indexed())
    assert (await read(bus.gateway, asset.id))["status"] == "ready"
    retried = await bus.gateway.admin.http.post(f"/api/assets/{asset.id}/retry", json={"from_stage": "index"})
    assert retried.json()["asset"]["run"] == 2
    await bus.say(asset.transcribed(), asset.fetched())
    shown = await read(bus.gateway, asset.id)
    assert (shown["status"], shown["stage"], shown["run"]) == ("processing", "index", 2)
    assert (shown["language"], shown["duration_seconds"], shown["media_facts"]) == ("en", 90.0, {"codec": "mp3"})
    newer = Asset(accepted, run=2).fetched().model_copy(update={"media_facts": {"codec": "flac"}})
    await bus.say(newer, asset.fetched())
    assert (await read(bus.gateway, asset.id))["media_facts"] == {"codec": "flac"}


async def test_a_parked_message_that_is_replayed_heals_the_job(bus: Bus):
    asset = Asset(await bus.gateway.add())
    await bus.say(asset.fetched(), asset.failed(), asset.transcribed())
    shown = await read(bus.gateway, asset.id)
    assert (shown["status"], shown["stage"], shown["error"]) == ("processing", "index", None)
    await bus.say(asset.failed("summarise"))
    assert (await read(bus.gateway, asset.id))["status"] == "processing"
    assert (await read(bus.gateway, asset.id, "/timeline"))["items"][-1]["stage"] == "summarise"


async def test_a_job_that_a_replay_completes_is_ready_and_ends_anew(bus: Bus):
    """The last stage failed, and its failure is told again after all: finishing beats failing."""
    accepted = await bus.gateway.add()
    asset = Asset(accepted)
    path = f"/api/jobs/{accepted['job']['id']}"
    await bus.say(asset.fetched(), asset.transcribed(), asset.failed("index"))
    failed = (await bus.gateway.admin.http.get(path)).json()
    assert failed["status"] == "failed"
    await bus.say(asset.indexed(), asset.failed("index"))
    ready = (await bus.gateway.admin.http.get(path)).json()
    assert (ready["status"], ready["error"], ready["progress"]) == ("ready", None, 1.0)
    assert ready["finished_at"] > failed["finished_at"]
    assert (await read(bus.gateway, asset.id))["status"] == "ready"


async def test_a_transcript_of_an_older_revision_changes_nothing(bus: Bus):
    asset = Asset(await bus.gateway.add())
    await bus.say(asset.transcribed(revision=3, words=30), asset.transcribed(revision=2, words=20))
    events = (await read(bus.gateway, asset.id, "/timeline"))["items"]
    assert [event["details"]["revision"] for event in events if event["event"] == "transcript.completed"] == [3]


async def test_what_arrives_after_cancelling_does_not_wake_the_job(bus: Bus):
    asset = Asset(await bus.gateway.add())
    await bus.gateway.admin.http.post(f"/api/assets/{asset.id}/cancel")
    await bus.say(asset.fetched(), asset.failed())
    shown = await read(bus.gateway, asset.id)
    assert (shown["status"], shown["error"]) == ("cancelled", None)
    retried = (await bus.gateway.admin.http.post(f"/api/assets/{asset.id}/retry")).json()
    # What was fetched all the same need not be fetched again.
    assert retried["asset"]["stage"] == "transcribe"


async def test_a_deletion_ends_when_every_owner_has_purged(bus: Bus):
    gateway = bus.gateway
    accepted = await gateway.add()
    asset = Asset(accepted)
    await gateway.admin.http.patch(f"/api/assets/{asset.id}", json={"tags": ["x"]})
    key = {"Idempotency-Key": "k"}
    await gateway.admin.http.post("/api/recordings", json={"url": "https://e.org/other"}, headers=key)
    await gateway.admin.http.delete(f"/api/assets/{asset.id}")
    await bus.say(asset.fetched(), asset.indexed())
    for service in OWNERS[:-1]:
        await bus.say(e.AssetPurged(**asset.about, service=service))
    assert await rows_about(gateway, asset.id) > 0
    await bus.say(e.AssetPurged(**asset.about, service=OWNERS[-1]))
    assert await rows_about(gateway, asset.id) == 0
    await bus.say(asset.transcribed(), e.AssetPurged(**asset.about, service="chat"))
    assert await rows_about(gateway, asset.id) == 0


async def rows_about(gateway: Gateway, asset_id: str) -> int:
    """Rows of the gateway that still name the asset, but for messages on their way and the tombstone."""
    async with gateway.db.acquire() as conn:
        columns = await conn.fetch(
            """
            SELECT table_name, column_name FROM information_schema.columns AS c
            JOIN information_schema.tables AS t USING (table_schema, table_name)
            WHERE c.table_schema = 'gateway' AND t.table_type = 'BASE TABLE' AND c.data_type = 'uuid'
                AND table_name NOT IN ('outbox', 'inbox', 'parked', 'asset_states')
            """
        )
        counts = [
            await conn.fetchval(
                f"SELECT count(*) FROM {row['table_name']} WHERE {row['column_name']} = $1", UUID(asset_id)
            )
            for row in columns
        ]
    return sum(counts)


async def test_ingestion_requested_by_anyone_makes_one_asset(bus: Bus):
    gateway = bus.gateway
    collection = (await gateway.admin.http.get("/api/collections")).json()["items"][0]["id"]
    request = e.IngestionRequested(
        request_id="r-1", collection_id=collection, url="https://e.org/Budget%20talk.mp3", options={"language": "de"}
    )
    await bus.say(request)
    # The same request again, under other message ids, with and without our headers.
    await bus.say(request, times=1)
    await bus.publish("ingestion.requested.v1", request.model_dump_json(exclude_none=True).encode())
    await bus.handled(uuid7())
    (asset,) = (await gateway.admin.http.get("/api/assets")).json()["items"]
    assert (asset["title"], asset["collection_id"]) == ("Budget talk", collection)
    other = request.model_copy(update={"request_id": "r-2"})
    await bus.say(other)
    assert len((await gateway.admin.http.get("/api/assets")).json()["items"]) == 2
    # Deleted, then asked for again: it stays deleted.
    await gateway.admin.http.delete(f"/api/assets/{asset['id']}")
    about = Asset({"asset": asset}).about
    for service in OWNERS:
        await bus.say(e.AssetPurged(**about, service=service))
    await bus.say(request)
    assert len((await gateway.admin.http.get("/api/assets")).json()["items"]) == 1


async def test_a_request_into_the_store_is_taken_with_its_wishes(bus: Bus, rabbitmq_url: str):
    gateway = bus.gateway
    made = await gateway.admin.http.post(
        "/api/collections", json={"name": "x", "keep_media": "none", "key_terms": ["Quorum"]}
    )
    heard = await listen(rabbitmq_url, "asset.registered.#")
    request = e.IngestionRequested(
        request_id="r", collection_id=made.json()["id"], object_uri="incoming/a.flac", title="Given", priority="bulk"
    )
    await bus.say(request)
    fact = e.AssetRegistered.parse((await heard(1))[0])
    assert isinstance(fact, e.AssetRegistered)
    assert fact.source == e.Source(type="object", object_uri="incoming/a.flac")
    assert (fact.title, fact.keep_media, fact.priority) == ("Given", "none", "bulk")
    assert fact.options.key_terms == ["Quorum"]


async def listen(url: str, key: str) -> Callable[[int], Awaitable[list[bytes]]]:
    """What is published under the key from now on."""
    connection = await aio_pika.connect(url)
    channel = await connection.channel()
    queue = await channel.declare_queue(exclusive=True)
    await queue.bind(topology.EVENTS_EXCHANGE, key)

    async def heard(count: int) -> list[bytes]:
        bodies: list[bytes] = []
        async with asyncio.timeout(30), queue.iterator() as messages:
            async for message in messages:
                await message.ack()
                bodies.append(message.body)
                if len(bodies) == count:
                    break
        await connection.close()
        return bodies

    return heard


@pytest.mark.parametrize(
    "body",
    [
        b"not json",
        b'{"request_id": "r"}',
        b'{"request_id": "r", "collection_id": "00000000-0000-7000-8000-000000000000", "object_uri": "secret/a"}',
        b'{"request_id": "r", "collection_id": "00000000-0000-7000-8000-000000000000", "url": "ftp://e.org/a"}',
    ],
)
async def test_a_request_that_cannot_be_read_is_parked_and_holds_nobody_up(bus: Bus, body: bytes):
    await bus.publish("ingestion.requested.v1", body)

    async def parked() -> int:
        async with bus.gateway.db.acquire() as conn:
            return await conn.fetchval("SELECT count(*) FROM parked")

    assert await bus.until(parked) == 1
    asset = Asset(await bus.gateway.add())
    await bus.say(asset.fetched())
    assert (await read(bus.gateway, asset.id))["stage"] == "transcribe"


async def test_a_request_for_an_unknown_collection_is_only_logged(bus: Bus):
    request = e.IngestionRequested(request_id="r", collection_id=uuid7(), url="https://e.org/a.mp3")
    await bus.say(request)
    async with bus.gateway.db.acquire() as conn:
        assert await conn.fetchval("SELECT count(*) FROM assets") == 0
        assert await conn.fetchval("SELECT count(*) FROM parked") == 0
        assert await conn.fetchval("SELECT count(*) FROM inbox") == 1


async def test_accepting_goes_on_without_the_broker_and_nothing_is_lost(
    make_gateway: Any, gateway: Gateway, rabbitmq_url: str
):
    accepted = await gateway.add()
    assert (await gateway.admin.http.get("/health/ready")).status_code == 200
    report = await gateway.admin.http.get("/api/health/ready")
    assert report.status_code == 503
    assert (report.json()["database"]["ready"], report.json()["broker"]["ready"]) == (True, False)
    heard = await listen(rabbitmq_url, "asset.registered.#")
    await make_gateway(rabbitmq_url=rabbitmq_url, role="api")
    fact = e.AssetRegistered.parse((await heard(1))[0])
    assert str(fact.asset_id) == accepted["asset"]["id"]  # type: ignore[attr-defined]
