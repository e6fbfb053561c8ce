"""Transcripts over HTTP: while they grow, when they are complete, and to whom they are shown."""

from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from common.events import PartPlanned
from common.ids import short_id

from tests.integration.asr.conftest import SECOND, Bench


@pytest.fixture
async def client(bench: Bench) -> AsyncGenerator[httpx.AsyncClient]:
    """The service without the gateway before it."""
    transport = httpx.ASGITransport(app=bench.service.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://asr") as made:
        yield made


@pytest.fixture
def clip(to_flac: Callable[..., Path]) -> Path:
    return to_flac(SECOND, 11.6)


async def read(client: httpx.AsyncClient, bench: Bench, path: str = "/transcript", **query: Any) -> httpx.Response:
    return await client.get(f"/api/recordings/{bench.asset_id}{path}", params=query, headers=bench.identity())


async def test_lines_appear_part_by_part(client: httpx.AsyncClient, bench: Bench, clip: Path) -> None:
    await bench.hand(await bench.fetched(clip))
    missing = await read(client, bench)
    assert (missing.status_code, missing.json()["error_type"]) == (404, "not_found")
    assert missing.json()["advice"]
    seen = 0
    parts = [part for part in await bench.take() if isinstance(part, PartPlanned)]
    for part in parts:
        await bench.hand(part)
        growing = (await read(client, bench)).json()
        assert (growing["complete"], growing["revision"]) == (False, 0)
        assert growing["warnings"][0].startswith("draft:")
        words = sum(len(segment["words"]) for segment in growing["segments"])
        assert words > seen
        seen = words
    assert "Cache-Control" in (await read(client, bench)).headers
    await bench.go_on()
    done = await read(client, bench)
    assert (done.json()["complete"], done.json()["revision"], done.headers["ETag"]) == (True, 1, '"1"')
    assert done.json()["segments"] == growing["segments"]
    assert sum(len(segment["words"]) for segment in done.json()["segments"]) == seen


async def test_every_format(client: httpx.AsyncClient, bench: Bench, clip: Path) -> None:
    await bench.hand(await bench.fetched(clip))
    await bench.go_on()
    first = (await read(client, bench)).json()["segments"][0]
    assert set(first["words"][0]) == {"word", "start", "end", "probability"}
    plain = (await read(client, bench, words=False)).json()["segments"][0]
    assert plain == {key: value for key, value in first.items() if key != "words"}
    types = {"srt": "application/x-subrip", "vtt": "text/vtt", "txt": "text/plain", "md": "text/markdown"}
    for extension, kind in types.items():
        answer = await read(client, bench, format=extension)
        assert answer.headers["content-type"].startswith(kind)
        assert f'filename="transcript-{short_id(bench.asset_id)}.{extension}"' in answer.headers["content-disposition"]
        assert first["text"].split()[0] in answer.text
    assert "<v Speaker 1>" in (await read(client, bench, format="vtt")).text
    podcast = await read(client, bench, format="podcast")
    assert podcast.headers["content-type"] == "application/json"
    assert podcast.headers["content-disposition"].endswith('.json"')
    assert (podcast.json()["segments"][0]["body"], podcast.json()["version"]) == (first["text"], "1.0.0")
    assert (await read(client, bench, format="docx")).status_code == 422


async def test_revisions_and_speakers(client: httpx.AsyncClient, bench: Bench, clip: Path) -> None:
    for run in (1, 2, 3):
        await bench.hand(await bench.fetched(clip, run, key_terms=["Martin"] * (run > 1)))
        await bench.go_on()
    page = (await read(client, bench, "/transcript/revisions", limit=2)).json()
    assert [item["revision"] for item in page["items"]] == [3, 2]
    rest = (await read(client, bench, "/transcript/revisions", limit=2, cursor=page["next_cursor"])).json()
    assert [item["revision"] for item in rest["items"]] == [1]
    assert rest["next_cursor"] is None
    texts = [(await read(client, bench, revision=number)).json()["segments"][0]["text"] for number in (1, 3)]
    assert [("martin" in text, "Martin" in text) for text in texts] == [(True, False), (False, True)]
    assert (await read(client, bench, revision=4)).status_code == 404
    (speaker,) = (await read(client, bench, "/speakers")).json()["items"]
    assert (speaker["id"], speaker["label"], speaker["name"]) == ("speaker_1", "Speaker 1", None)
    assert 5 < speaker["speech_seconds"] < 12


async def test_silence_is_an_empty_transcript(client: httpx.AsyncClient, bench: Bench, silence: Path) -> None:
    await bench.hand(await bench.fetched(silence))
    await bench.go_on()
    answer = (await read(client, bench)).json()
    assert (answer["complete"], answer["segments"], answer["speakers"]) == (True, [], [])
    assert answer["warnings"][0].startswith("no_speech:")
    assert (await read(client, bench, format="vtt")).text == "WEBVTT\n"


async def test_nobody_reads_another_asset_or_without_the_gateway(
    client: httpx.AsyncClient, bench: Bench, silence: Path
) -> None:
    await bench.hand(await bench.fetched(silence))
    await bench.go_on()
    for path in ("/transcript", "/transcript/revisions", "/speakers"):
        url = f"/api/recordings/{bench.asset_id}{path}"
        assert (await client.get(url)).status_code == 401
        assert (await client.get(url, headers=bench.identity(uuid4()))).status_code == 404
        assert (await client.get(url, headers=bench.identity())).status_code == 200
