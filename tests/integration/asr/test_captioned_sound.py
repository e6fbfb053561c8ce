"""Recordings that came as subtitles and whose sound comes later: their words get its times, and keep their text."""

from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from asr.main import build
from asr.settings import AsrSettings
from common.captions import Captions, Cue
from common.errors import AlreadyHandled, CannotProcess, Stale
from common.events import ProcessingRestarted, TranscriptCompleted, TranscriptionRecognised
from common.identity import Signer, new_key_pair
from common.ids import uuid7

from tests.integration.asr.conftest import COLLECTION, SECOND, Bench
from tests.integration.asr.desk import Desk, Told, told
from tests.integration.asr.test_captions import fetched
from tests.integration.asr.test_editing import sound

__all__ = ["told"]

# Half a minute early, as captions of a version without its opening are.
CAPTIONS = Captions(
    format="vtt",
    language="en",
    cues=[
        Cue(start=31.0, end=32.5, text="Good afternoon, Martin.", speaker="Maria Gómez"),
        Cue(start=33.0, end=36.0, text="This is our meeting about the Summer Festival!", speaker="Maria Gómez"),
        Cue(start=36.2, end=39.0, text="Today is Wednesday, the 9th of October.", speaker="Peter"),
        Cue(start=39.5, end=41.0, text="Good afternoon, Peter.", speaker="Maria Gómez"),
    ],
)
TEXTS = [cue.text for cue in CAPTIONS.cues]


@pytest.fixture
async def desk(settings: Callable[..., AsrSettings], told: Told) -> AsyncGenerator[Desk]:
    """With a transcript that captions became, and nothing left to be said."""
    private, public = new_key_pair()
    service = build(settings(identity_public_keys=f"gateway={public}"), installed=[told])
    await service.db.open()
    bench = Bench(service, Signer("gateway", private))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=service.app), base_url="http://asr") as http:
        await bench.hand(await fetched(bench, CAPTIONS))
        await bench.take()
        yield Desk(bench, http)
    await service.stop()


def restarted(desk: Desk, run: int, **more: Any) -> ProcessingRestarted:
    about: dict[str, Any] = {"asset_id": desk.bench.asset_id, "collection_id": COLLECTION, "from_stage": "transcribe"}
    return ProcessingRestarted(**about, run=run, **more)


async def add_sound(desk: Desk, to_flac: Callable[..., Path], run: int = 2, **options: Any) -> TranscriptCompleted:
    await desk.bench.take()
    await desk.bench.hand(await desk.bench.fetched(to_flac(SECOND, 11.6), run, **options))
    (fact,) = await desk.bench.go_on()
    assert isinstance(fact, TranscriptCompleted)
    return fact


async def heard(desk: Desk) -> dict[str, list[float]]:
    """When each recognised word begins."""
    rows = await desk.bench.fetch("SELECT words FROM parts ORDER BY part_index")
    starts: dict[str, list[float]] = {}
    for word, start, *_ in (word for row in rows for word in row["words"]):
        starts.setdefault(word, []).append(round(start, 3))
    return starts


async def test_sound_that_comes_later_times_the_words_and_nothing_else_changes(
    desk: Desk, to_flac: Callable[..., Path]
) -> None:
    before = await desk.read()
    fact = await add_sound(desk, to_flac)
    assert (fact.revision, fact.engine, fact.word_count) == (2, "captions+pocketsphinx", 21)
    now = await desk.read()
    sound(now)
    assert [segment["text"] for segment in now["segments"]] == TEXTS
    assert now["speakers"] == before["speakers"]
    assert [segment["speaker"] for segment in now["segments"]] == [s["speaker"] for s in before["segments"]]
    assert now["warnings"] == []
    starts = await heard(desk)
    assert len(starts) > 12
    for segment in now["segments"]:
        for word in segment["words"]:
            if word["word"] != "9th":
                assert word["start"] in starts[word["word"].lower().strip(".,!")], word
    today = [word["start"] for word in now["segments"][2]["words"]]
    assert today == sorted(set(today))
    assert now["segments"][2]["words"][4]["end"] == now["segments"][2]["words"][5]["start"]
    assert (await desk.read(1))["segments"] == before["segments"]


async def test_what_people_corrected_stays_to_the_letter(desk: Desk, to_flac: Callable[..., Path]) -> None:
    await desk.edit("s2", 1, text="This is our only meeting about the Summer Festival.")
    await desk.send("PATCH", "/speakers/speaker_2", {"name": "Peter Klein"})
    await desk.send("POST", "/transcript/segments/s3/split", {"at_seconds": 37.5})
    await desk.edit("s4", 4, speaker_id="speaker_2")
    before = await desk.read()
    fact = await add_sound(desk, to_flac)
    assert fact.revision == 7
    now = await desk.read()
    sound(now)
    for name in ("id", "text", "speaker"):
        assert [segment[name] for segment in now["segments"]] == [segment[name] for segment in before["segments"]]
    assert now["speakers"] == before["speakers"]
    assert now["warnings"] == []
    starts = await heard(desk)
    assert now["segments"][1]["words"][0]["start"] in starts["this"]
    assert now["segments"][-1]["words"][-1]["start"] in starts["peter"]
    rows = await desk.bench.fetch("SELECT revision, change, base_revision FROM transcripts ORDER BY revision DESC")
    assert [tuple(row) for row in rows[:2]] == [(7, "carried", 6), (6, "transcribed", 6)]
    assert [segment["text"] for segment in (await desk.read(6))["segments"]] == TEXTS
    assert (await desk.edit("s1", 7, text="Good evening, Martin.")).status_code == 200


async def test_recognised_a_third_time_it_keeps_them_too(desk: Desk, told: Told, to_flac: Callable[..., Path]) -> None:
    await desk.edit("s2", 1, text="This is our only meeting about the Summer Festival.")
    await add_sound(desk, to_flac)
    told.lines = ("good afternoon martin", "mumble", "today is wednesday", "good afternoon peter")
    await desk.bench.hand(restarted(desk, 3))
    (fact,) = await desk.bench.go_on()
    assert isinstance(fact, TranscriptCompleted)
    assert (fact.run, fact.revision) == (3, 6)
    now = await desk.read()
    sound(now)
    assert now["segments"][1]["text"] == "This is our only meeting about the Summer Festival."


async def test_delivered_twice_it_is_one_revision(desk: Desk, to_flac: Callable[..., Path]) -> None:
    fact, message_id = await desk.bench.fetched(to_flac(SECOND, 11.6), 2), uuid7()
    await desk.bench.hand(fact, message_id=message_id)
    with pytest.raises((AlreadyHandled, Stale)):
        await desk.bench.hand(fact, message_id=message_id)
    recognised: TranscriptionRecognised | None = None
    while recognised is None:
        for part in await desk.bench.take():
            if isinstance(part, TranscriptionRecognised):
                recognised = part
            else:
                await desk.bench.hand(part)  # type: ignore[arg-type]
    await desk.bench.hand(recognised, message_id=message_id)
    for again in (message_id, uuid7()):
        with pytest.raises((AlreadyHandled, Stale)):
            await desk.bench.hand(recognised, message_id=again)
    assert [fact.type for fact in await desk.bench.take()] == [TranscriptCompleted.type]
    assert (await desk.read())["revision"] == 2


async def test_without_sound_it_is_said_what_to_do(desk: Desk) -> None:
    with pytest.raises(CannotProcess) as refusal:
        await desk.bench.hand(restarted(desk, 2, recognise=True))
    assert (refusal.value.category, refusal.value.retryable) == ("no_audio", False)
    assert "asset_id" in refusal.value.advice
    assert (await desk.read())["revision"] == 1
    await desk.bench.hand(restarted(desk, 3))
    (fact,) = await desk.bench.take()
    assert isinstance(fact, TranscriptCompleted)
    assert (fact.revision, fact.engine) == (2, "captions")


async def test_sound_that_was_not_to_be_transcribed_waits_until_it_is_asked_for(
    desk: Desk, to_flac: Callable[..., Path]
) -> None:
    await desk.bench.hand(await desk.bench.fetched(to_flac(SECOND, 11.6), 2, transcribe=False))
    assert await desk.bench.go_on() == []
    engines: list[str] = []
    for run, recognise in ((3, False), (4, True), (5, False)):
        await desk.bench.hand(restarted(desk, run, recognise=recognise))
        (fact,) = await desk.bench.go_on()
        assert isinstance(fact, TranscriptCompleted)
        engines.append(fact.engine)
    assert engines == ["captions", "captions+pocketsphinx", "captions+pocketsphinx"]


async def test_captions_of_another_recording_are_told(desk: Desk, told: Told, to_flac: Callable[..., Path]) -> None:
    told.lines = ("nothing of it", "was ever said here", "by anybody at all", "whoever they were")
    fact = await add_sound(desk, to_flac)
    assert [line.partition(":")[0] for line in fact.warnings] == ["captions_not_heard"]
    assert [segment["text"] for segment in (await desk.read())["segments"]] == TEXTS


async def test_captions_that_came_with_the_sound_are_the_transcript_until_it_is_listened_to(
    desk: Desk, to_flac: Callable[..., Path]
) -> None:
    captions, flac = CAPTIONS.model_copy(update={"sound_seconds": 52.0}), to_flac(SECOND, 11.6)
    # In either order, for nothing keeps the two in order.
    for run, text_first in ((2, True), (3, False)):
        sound = await desk.bench.fetched(flac, run, transcribe=False)
        facts = [sound, await fetched(desk.bench, captions, run)]
        for fact in reversed(facts) if text_first else facts:
            await desk.bench.hand(fact)
        (read,) = await desk.bench.take()
        assert isinstance(read, TranscriptCompleted)
        assert (read.engine, read.duration_seconds, read.run) == ("captions", 52.0, run)
    # Again from the text, as long as nobody asks for the sound.
    await desk.bench.hand(restarted(desk, 4))
    (again,) = await desk.bench.take()
    assert isinstance(again, TranscriptCompleted)
    assert again.engine == "captions"
    await desk.bench.hand(restarted(desk, 5, recognise=True))
    (listened,) = await desk.bench.go_on()
    assert isinstance(listened, TranscriptCompleted)
    assert listened.engine == "captions+pocketsphinx"
    assert [segment["text"] for segment in (await desk.read())["segments"]] == TEXTS
