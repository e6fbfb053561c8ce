"""Figures of the speakers over HTTP, of transcripts as they are stored."""

from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from asr.queries import transcripts
from common.transcript import Segment, Speaker, Transcript

from tests.integration.asr.conftest import COLLECTION, Bench
from tests.integration.asr.test_api import client as client  # a fixture

ANNA, BOB = Speaker(id="speaker_1", label="Speaker 1", name="Anna"), Speaker(id="speaker_2", label="Speaker 2")


async def store(bench: Bench, revision: int, *said: tuple[Speaker, float, float, str]) -> None:
    """A finished transcript of two speakers, stored as the join stores it."""
    segments = [
        Segment(id=f"s{at}", start=start, end=end, speaker=speaker.id, text=text, words=[])
        for at, (speaker, start, end, text) in enumerate(said)
    ]
    made = Transcript(
        asset_id=bench.asset_id,
        revision=revision,
        complete=True,
        language="en",
        engine="pocketsphinx",
        duration_seconds=30.0,
        speakers=[ANNA, BOB],
        segments=segments,
    )
    async with bench.service.db.transaction() as conn:
        await conn.execute(
            "INSERT INTO asset_states (asset_id, collection_id, run) VALUES ($1, $2, 1) ON CONFLICT DO NOTHING",
            bench.asset_id,
            COLLECTION,
        )
        await transcripts.save_transcript(conn, made, 1, sum(len(s.text.split()) for s in segments), "transcript/x")
        await transcripts.save_segments(conn, made)


async def ask(client: httpx.AsyncClient, bench: Bench, method: str = "GET", path: str = "") -> httpx.Response:
    url = f"/api/recordings/{bench.asset_id}/analytics{path}"
    return await client.request(method, url, headers=bench.identity())


async def test_the_newest_revision_counts(client: httpx.AsyncClient, bench: Bench) -> None:
    await store(bench, 1, (ANNA, 0, 20, "only I speak"))
    first = (await ask(client, bench)).json()
    assert (first["revision"], first["speakers"][0]["share"]) == (1, 1.0)
    await store(bench, 2, (ANNA, 0, 9, "I speak first"), (BOB, 8, 20, "and I cut her off and speak"))
    found = (await ask(client, bench)).json()
    assert (found["revision"], found["speaker_count"], found["word_count"]) == (2, 2, 10)
    assert (found["silence_seconds"], found["overlap_seconds"]) == (10, 1)
    anna, bob = found["speakers"]
    assert (anna["name"], bob["label"], bob["name"]) == ("Anna", "Speaker 2", None)
    assert (bob["interruption_count"], anna["interrupted_count"], bob["words_per_minute"]) == (1, 1, 35)
    refreshed = await ask(client, bench, "POST", "/refresh")
    assert (refreshed.status_code, refreshed.json()) == (200, found)


async def test_before_the_transcript_is_finished_there_are_no_figures(
    client: httpx.AsyncClient, bench: Bench, silence: Path
) -> None:
    await bench.hand(await bench.fetched(silence))
    missing = await ask(client, bench)
    assert (missing.status_code, missing.json()["error_type"]) == (404, "not_found")
    await bench.go_on()
    found: dict[str, Any] = (await ask(client, bench)).json()
    assert (found["speakers"], found["silence_seconds"], found["duration_seconds"]) == ([], 20, 20)


async def test_nobody_reads_those_of_another_asset(client: httpx.AsyncClient, bench: Bench) -> None:
    await store(bench, 1, (ANNA, 0, 1, "mine"))
    url = f"/api/recordings/{bench.asset_id}/analytics"
    for method, path in (("GET", url), ("POST", f"{url}/refresh")):
        assert (await client.request(method, path)).status_code == 401
        assert (await client.request(method, path, headers=bench.identity(uuid4()))).status_code == 404
