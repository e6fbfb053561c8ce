"""`POST /v1/audio/transcriptions`: OpenAI's own client, unmodified, against the real service on a real port."""

import asyncio
import json
import subprocess
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import openai
import pytest
import uvicorn
from asr.main import build
from asr.providers.engine import EngineFailed
from asr.settings import AsrSettings
from common.errors import CannotProcess
from common.identity import IDENTITY_HEADER, Caller, Signer, new_key_pair

from tests.integration.asr.conftest import SECOND
from tests.integration.asr.steady import Gated
from tests.integration.asr.test_speakers import SECONDS, TURNS, Ear, Reader

TIMEOUT = 60


@asynccontextmanager
async def served(settings: AsrSettings, signer: Signer, **parts: Any) -> AsyncGenerator[openai.AsyncOpenAI]:
    """The service behind a port of its own, and a client that the gateway vouches for."""
    service = build(settings, **parts)
    await service.db.open()
    server = uvicorn.Server(uvicorn.Config(service.app, port=0, log_config=None, lifespan="off"))
    running = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    headers = {IDENTITY_HEADER: signer.user_token(Caller(uuid4()))}
    try:
        async with openai.AsyncOpenAI(
            api_key="ek",
            base_url=f"http://127.0.0.1:{port}/v1",
            default_headers=headers,
            max_retries=0,
            timeout=TIMEOUT,
        ) as client:
            yield client
    finally:
        server.should_exit = True
        await running
        await service.stop()


@pytest.fixture
def keys() -> tuple[Signer, str]:
    private, public = new_key_pair()
    return Signer("gateway", private), f"gateway={public}"


@pytest.fixture
async def client(settings: Callable[..., AsrSettings], keys: tuple[Signer, str]) -> AsyncGenerator[openai.AsyncOpenAI]:
    made = settings(identity_public_keys=keys[1], request_seconds=60, request_bytes=2_000_000, role="api")
    async with served(made, keys[0]) as client:
        yield client


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve seconds as a browser would record them."""
    path = tmp_path_factory.mktemp("speech") / "clip.webm"
    subprocess.run(["ffmpeg", "-v", "error", "-i", SECOND, "-t", "12", "-c:a", "libopus", path], check=True)
    return path


def left_over(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "scratch").rglob("*") if path.is_file() and path.name != "in-use"]


async def nothing_is_left(tmp_path: Path) -> None:
    """The answer's last bytes may be here a moment before its room is gone."""
    async with asyncio.timeout(TIMEOUT):
        while left_over(tmp_path):
            await asyncio.sleep(0.01)


async def test_every_format(client: openai.AsyncOpenAI, clip: Path, tmp_path: Path) -> None:
    ask = client.audio.transcriptions.create
    plain = await ask(file=clip, model="whisper-1", prompt="Martin, Peter")
    assert "Martin" in plain.text
    assert plain.usage is not None
    assert (await ask(file=clip, model="default", response_format="text", prompt="Martin, Peter")) == f"{plain.text}\n"
    srt = await ask(file=clip, model="pocketsphinx", response_format="srt")
    assert srt.startswith("1\n00:00:0")
    vtt = await ask(file=clip, model="whisper-1", response_format="vtt")
    assert vtt.startswith("WEBVTT\n\n00:00:0")
    assert "<v" not in vtt
    await nothing_is_left(tmp_path)


async def test_verbose_json_with_the_times_that_are_asked_for(client: openai.AsyncOpenAI, clip: Path) -> None:
    ask = client.audio.transcriptions.create
    found = await ask(file=clip, model="whisper-1", response_format="verbose_json")
    assert (found.language, found.words) == ("english", None)
    assert found.duration == pytest.approx(12, abs=0.1)
    assert found.segments
    assert " ".join(segment.text for segment in found.segments) == found.text
    assert all(0 <= segment.start < segment.end <= 12.1 for segment in found.segments)
    assert all(segment.avg_logprob < 0 for segment in found.segments)
    words = await ask(
        file=clip, model="whisper-1", response_format="verbose_json", timestamp_granularities=["word"], language="en"
    )
    assert words.segments is None
    assert words.words
    assert " ".join(word.word for word in words.words) == words.text
    both = await ask(
        file=clip, model="whisper-1", response_format="verbose_json", timestamp_granularities=["word", "segment"]
    )
    assert both.segments == found.segments
    assert both.words == words.words


async def test_diarized_json(client: openai.AsyncOpenAI, clip: Path) -> None:
    found = await client.audio.transcriptions.create(
        file=clip, model="gpt-4o-transcribe-diarize", response_format="diarized_json", chunking_strategy="auto"
    )
    assert {segment.speaker for segment in found.segments} == {"A"}
    assert " ".join(segment.text for segment in found.segments) == found.text


@pytest.fixture
async def telling_apart(
    settings: Callable[..., AsrSettings], keys: tuple[Signer, str]
) -> AsyncGenerator[tuple[openai.AsyncOpenAI, Ear]]:
    """With an ear that knows who speaks, and a reader of what they say."""
    ear = Ear()
    made = settings(identity_public_keys=keys[1], role="api")
    async with served(made, keys[0], installed=[Reader()], diarizer=ear) as client:
        yield client, ear


def who_says_what(segments: Any) -> list[tuple[str, str]]:
    """Turns, as letter and words."""
    turns: list[tuple[str, str]] = []
    for segment in segments:
        before = turns.pop()[1] + " " if turns and turns[-1][0] == segment.speaker else ""
        turns.append((segment.speaker, before + segment.text))
    return turns


async def test_diarized_json_tells_the_voices_apart(
    telling_apart: tuple[openai.AsyncOpenAI, Ear], to_flac: Callable[..., Path]
) -> None:
    client, ear = telling_apart
    sound, model = to_flac(SECOND, SECONDS), "gpt-4o-transcribe-diarize"
    ask = client.audio.transcriptions.create
    letters = dict(zip(dict.fromkeys(turn["speaker"] for turn in TURNS), "AB", strict=True))
    wanted = [
        (letters[turn["speaker"]], " ".join(sentence["text"] for sentence in turn["sentences"])) for turn in TURNS
    ]
    whole = await ask(file=sound, model=model, response_format="diarized_json", chunking_strategy="auto")
    assert who_says_what(whole.segments) == wanted
    assert len(ear.asked) == 1
    told = [event async for event in await ask(file=sound, model=model, response_format="diarized_json", stream=True)]
    assert who_says_what([event for event in told if event.type == "transcript.text.segment"]) == wanted
    srt = await ask(file=sound, model="default", response_format="srt")
    assert ("Speaker 1" in str(srt), len(ear.asked)) == (False, 2)


async def test_voices_that_cannot_be_told_apart_cost_no_words(
    telling_apart: tuple[openai.AsyncOpenAI, Ear], to_flac: Callable[..., Path]
) -> None:
    client, ear = telling_apart
    ear.fails = lambda stretch: True
    ask = client.audio.transcriptions.create
    sound, model = to_flac(SECOND, SECONDS), "gpt-4o-transcribe-diarize"
    found = await ask(file=sound, model=model, response_format="diarized_json")
    assert {segment.speaker for segment in found.segments} == {"A"}
    assert found.text == (await ask(file=sound, model=model)).text
    (warning,) = found.model_extra["warnings"]
    assert warning.startswith("speakers_failed: ")
    assert "The ear is deaf." in warning
    assert len(ear.asked) == 2
    told = [event async for event in await ask(file=sound, model=model, response_format="diarized_json", stream=True)]
    assert told[-1].model_extra["warnings"] == [warning]


async def test_a_stream_tells_the_text_as_it_comes(client: openai.AsyncOpenAI, clip: Path, tmp_path: Path) -> None:
    ask = client.audio.transcriptions.create
    whole = await ask(file=clip, model="gpt-4o-transcribe")
    events = [event async for event in await ask(file=clip, model="gpt-4o-transcribe", stream=True)]
    assert [event.type for event in events[:-1]] == ["transcript.text.delta"] * (len(events) - 1)
    assert len(events) > 3
    done = events[-1]
    assert done.type == "transcript.text.done"
    assert done.text == whole.text == "".join(event.delta for event in events if event.type == "transcript.text.delta")
    diarized = await ask(file=clip, model="gpt-4o-transcribe-diarize", response_format="diarized_json", stream=True)
    told = [event async for event in diarized]
    assert " ".join(event.text for event in told if event.type == "transcript.text.segment") == whole.text
    await nothing_is_left(tmp_path)


async def refused(client: openai.AsyncOpenAI, file: Any, **fields: Any) -> openai.APIStatusError:
    with pytest.raises(openai.APIStatusError) as caught:
        await client.audio.transcriptions.create(**{"file": file, "model": "whisper-1", **fields})
    assert caught.value.type in ("invalid_request_error", "server_error")
    assert isinstance(caught.value.body, dict)
    assert caught.value.body["message"]
    return caught.value


async def test_refusals_are_read_by_the_client(client: openai.AsyncOpenAI, clip: Path, tmp_path: Path) -> None:
    for fields, param in (
        ({"response_format": "docx"}, "response_format"),
        ({"temperature": 7}, "temperature"),
        ({"timestamp_granularities": ["word"]}, "timestamp_granularities"),
        ({"response_format": "srt", "stream": True}, "stream"),
        ({"model": ""}, "model"),
    ):
        error = await refused(client, clip, **fields)
        assert (error.status_code, error.param) == (400, param)
    unknown = await refused(client, clip, model="grandmother")
    assert (type(unknown), unknown.code) == (openai.NotFoundError, "model_not_found")
    german = await refused(client, clip, language="de")
    assert (german.status_code, german.code) == (400, "unsupported")
    for content, code in ((b"", "empty"), (b"<!doctype html>", "not_media"), (clip.read_bytes()[:300], "damaged")):
        bad = await refused(client, ("x.mp3", content))
        assert (bad.status_code, bad.code, bad.param) == (400, code, "file")
    large = await refused(client, ("x.wav", bytes(4_000_000)))
    assert (large.status_code, large.code) == (413, "too_large")
    long = tmp_path / "long.mp3"
    subprocess.run(
        ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "anullsrc", "-t", "90", "-b:a", "32k", long], check=True
    )
    assert (await refused(client, long)).code == "too_long"
    await nothing_is_left(tmp_path)


async def test_a_playlist_opens_no_other_file(client: openai.AsyncOpenAI, clip: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.wav"
    subprocess.run(["ffmpeg", "-v", "error", "-i", SECOND, "-t", "3", secret], check=True)
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\nfile://{secret}\n#EXT-X-ENDLIST\n"
    assert (await refused(client, ("x.m3u8", playlist.encode()))).code == "not_media"
    concat = f"ffconcat version 1.0\nfile '{secret}'\n"
    assert (await refused(client, ("x.txt", concat.encode()))).code == "not_media"


async def test_only_the_gateway_is_let_in_and_other_forms_are_refused(client: openai.AsyncOpenAI, clip: Path) -> None:
    url = f"{client.base_url}audio/transcriptions"
    headers = {IDENTITY_HEADER: client.default_headers[IDENTITY_HEADER]}
    async with httpx.AsyncClient(timeout=TIMEOUT) as http:
        stranger = await http.post(url, files={"file": clip.read_bytes()}, data={"model": "whisper-1"})
        assert (stranger.status_code, stranger.json()["error"]["code"]) == (401, "invalid_api_key")
        for body in ({"json": {"model": "whisper-1"}}, {"data": {"model": "whisper-1"}}, {"files": {"other": b"x"}}):
            assert (await http.post(url, headers=headers, **body)).status_code == 400
        two = [("file", b"a"), ("file", b"b")]
        assert (await http.post(url, headers=headers, files=two)).status_code == 400


async def test_who_leaves_stops_the_work(
    settings: Callable[..., AsrSettings], keys: tuple[Signer, str], clip: Path, tmp_path: Path
) -> None:
    for stream in (False, True):
        engine = Gated()
        made = settings(identity_public_keys=keys[1], role="api")
        async with served(made, keys[0], installed=[engine]) as client:
            asking = asyncio.create_task(
                client.audio.transcriptions.create(file=clip, model="whisper-1", stream=stream)
            )
            async with asyncio.timeout(TIMEOUT):
                await engine.begun.wait()
                if stream:
                    await (await asking).close()
                else:
                    asking.cancel()
                await engine.ended.wait()
                await nothing_is_left(tmp_path)


async def answered(asked: Any, waiting: list[Any]) -> openai.APIStatusError | None:
    """How it was refused; None when it waits with the others."""
    task = asyncio.create_task(asked)
    await asyncio.wait({task}, timeout=2)
    if not task.done():
        waiting.append(task)
        return None
    error = task.exception()
    assert isinstance(error, openai.APIStatusError)
    return error


async def test_requests_wait_for_their_turn_and_too_many_are_sent_away(
    settings: Callable[..., AsrSettings], keys: tuple[Signer, str], clip: Path
) -> None:
    engine = Gated()
    made = settings(identity_public_keys=keys[1], role="api", requests=1)
    async with served(made, keys[0], installed=[engine]) as client:
        ask = client.audio.transcriptions.create
        waiting = [asyncio.create_task(ask(file=clip, model="whisper-1")) for _ in range(9)]
        async with asyncio.timeout(TIMEOUT):
            await engine.begun.wait()
            # All nine are inside once a tenth is refused.
            while (extra := await answered(ask(file=clip, model="whisper-1"), waiting)) is None:
                pass
            assert (type(extra), extra.response.headers["Retry-After"]) == (openai.RateLimitError, "5")
            assert engine.at_once == 1
            engine.open.set()
            answers = await asyncio.gather(*waiting)
    assert len({answer.text for answer in answers}) == 1
    assert engine.most_at_once == 1


@pytest.mark.parametrize(
    "trouble",
    [
        EngineFailed("the engine broke"),
        CannotProcess("the engine broke: no weights", category="engine_unavailable"),
    ],
    ids=["again", "for good"],
)
async def test_an_engine_that_breaks_is_told_in_the_stream(
    settings: Callable[..., AsrSettings], keys: tuple[Signer, str], clip: Path, trouble: Exception
) -> None:
    engine = Gated(breaks=trouble)
    engine.open.set()
    made = settings(identity_public_keys=keys[1], role="api")
    async with served(made, keys[0], installed=[engine]) as client:
        ask = client.audio.transcriptions.create
        with pytest.raises(openai.InternalServerError, match="the engine broke"):
            await ask(file=clip, model="whisper-1")
        with pytest.raises(openai.APIError, match="the engine broke"):
            async for _ in await ask(file=clip, model="whisper-1", stream=True):
                pass


def test_the_form_is_described_for_the_gateway() -> None:
    from asr.speech_form import FORM  # the door streams what is described so

    content = FORM["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert set(content["required"]) == {"file", "model"}
    assert "timestamp_granularities[]" in json.dumps(content)
