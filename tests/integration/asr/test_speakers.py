"""Finding speakers through the handlers: by parts, twice, failing, again, alone; with an ear that knows who speaks."""

import json
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from asr.domain.grouping import Groups, Limits, group_voices
from asr.domain.spans import Span
from asr.domain.stretch import Stretch, windows_in
from asr.domain.voices import Hearing, Turn, Voices
from asr.main import build
from asr.providers.diarizer import DiarizerFailed
from asr.providers.engine import Recognised, Wishes
from asr.settings import AsrSettings
from common.errors import AlreadyHandled, Stale
from common.events import PartPlanned, ProcessingRestarted, TranscriptCompleted
from common.identity import Signer, new_key_pair
from common.ids import uuid7
from common.transcript import Transcript, Word

from tests.integration.asr.conftest import COLLECTION, SECOND, Bench

SECONDS = 40.0
TURNS = [turn for turn in json.loads(SECOND.with_suffix(".json").read_text())["turns"] if turn["end"] < SECONDS]
NAMES = ["Peter", "Martin"]
RATE = 16_000
HEARING = Hearing("ideal", 5.0, 0.5, 0.1, 0.1, 0.5, "average", 0.3, 3, 0.1)


class Reader:
    """Says what the recording's text says, evenly over each sentence."""

    name = "reader"
    fingerprint = "reader 1"
    window_seconds = 0.0

    def __init__(self) -> None:
        self.asked: list[Span] = []
        self.turns = False

    def understands(self, language: str) -> bool:
        return True

    async def find_language(self, audio: Path, utterances: Sequence[Span]) -> str:
        return "en"

    async def recognise(self, audio: Path, utterances: Sequence[Span], wishes: Wishes) -> AsyncGenerator[Recognised]:
        for utterance in utterances:
            self.asked.append(utterance)
            words = [word for word in all_words() if utterance.start <= (word.start + word.end) / 2 < utterance.end]
            own = tuple(Turn(t["start"], t["end"], t["speaker"]) for t in TURNS) if self.turns else ()
            yield Recognised(utterance, words, own)

    async def close(self) -> None:
        return


def all_words() -> list[Word]:
    words: list[Word] = []
    for sentence in (sentence for turn in TURNS for sentence in turn["sentences"]):
        said = sentence["text"].split()
        each = (sentence["end"] - sentence["start"]) / len(said)
        starts = [sentence["start"] + each * at for at in range(len(said))]
        words += [Word(word=w, start=round(s, 3), end=round(s + each, 3)) for w, s in zip(said, starts, strict=True)]
    return words


@dataclass
class Ear:
    """Hears who speaks in every window, in an order of its own; breaks where it is told to."""

    name: str = "ideal"
    fingerprint: str = "ideal 1"
    asked: list[float | None] = field(default_factory=list)
    fails: Callable[[Stretch], bool] = lambda stretch: False
    advice: str | None = None
    cannot_group: bool = False

    async def find_voices(self, audio: Path, stretch: Stretch) -> Voices:
        self.asked.append(stretch.start)
        if self.fails(stretch):
            raise DiarizerFailed("The ear is deaf.", self.advice)
        total = round(SECONDS * RATE)
        numbers = windows_in(stretch, total=total, window=5 * RATE, step=RATE // 2, rate=RATE)
        scores = np.zeros((len(numbers), 50, 2), dtype=np.float32)
        prints = np.full((len(numbers), 2, 8), np.nan, dtype=np.float32)
        for at, number in enumerate(numbers):
            for frame in range(50):
                moment = number * 0.5 + frame * 0.1 + 0.05
                for turn in TURNS:
                    if turn["start"] <= moment < turn["end"]:
                        who = NAMES.index(turn["speaker"])
                        place = (who + number) % 2
                        scores[at, frame, place] = 1
                        prints[at, place] = np.eye(8)[who]
        return Voices(HEARING, np.array(numbers, dtype=np.int32), scores, prints)

    async def group(self, voices: Voices, limits: Limits) -> Groups:
        if self.cannot_group:
            raise DiarizerFailed("The voices cannot be grouped.")
        return group_voices(voices, limits)

    async def close(self) -> None:
        return


@dataclass
class Room(Bench):
    """A bench whose engine and diarizer can be looked at."""

    engine: Reader = field(default_factory=Reader)
    ear: Ear = field(default_factory=Ear)


@pytest.fixture
def clip(to_flac: Callable[..., Path]) -> Path:
    return to_flac(SECOND, SECONDS)


async def make_room(settings: AsrSettings, private: str, *, ear: Ear | None) -> Room:
    engine = Reader()
    service = build(settings, installed=[engine], diarizer=ear)
    await service.db.open()
    return Room(service, Signer("gateway", private), engine=engine, ear=ear or Ear())


@pytest.fixture
async def room(settings: Callable[..., AsrSettings]) -> AsyncGenerator[Room]:
    private, public = new_key_pair()
    made = await make_room(settings(identity_public_keys=f"gateway={public}", part_seconds=10), private, ear=Ear())
    yield made
    await made.service.stop()


@pytest.fixture
async def deaf_room(settings: Callable[..., AsrSettings]) -> AsyncGenerator[Room]:
    """Where no diarizer is installed; recordings are in one part."""
    private, public = new_key_pair()
    made = await make_room(settings(identity_public_keys=f"gateway={public}", part_seconds=300), private, ear=None)
    yield made
    await made.service.stop()


async def transcribe(room: Room, audio: Path, run: int = 1, **options: Any) -> Transcript:
    await room.hand(await room.fetched(audio, run, **options))
    return await finish(room)


async def again(room: Room, run: int) -> Transcript:
    """A person retries from the stage transcribe."""
    fact = ProcessingRestarted(asset_id=room.asset_id, run=run, collection_id=COLLECTION, from_stage="transcribe")
    await room.hand(fact)
    return await finish(room)


async def finish(room: Room) -> Transcript:
    (completed,) = await room.go_on()
    assert isinstance(completed, TranscriptCompleted)
    return Transcript.model_validate_json(await room.service.store.get_bytes(completed.transcript_uri))


def codes(transcript: Transcript) -> list[str]:
    return [warning.partition(":")[0] for warning in transcript.warnings]


def right_share(transcript: Transcript) -> float:
    """The share of words that are their speaker's; Peter speaks first."""
    right = 0
    for segment in transcript.segments:
        name = NAMES[int(segment.speaker.removeprefix("speaker_")) - 1]
        own = [turn for turn in TURNS if turn["speaker"] == name]
        for word in segment.words or ():
            right += any(turn["start"] <= (word.start + word.end) / 2 < turn["end"] for turn in own)
    return right / len(all_words())


async def test_speakers_are_found_by_parts_and_known_over_the_whole(room: Room, clip: Path) -> None:
    found = await transcribe(room, clip)
    assert len(room.ear.asked) > 2
    assert room.ear.asked[0] is None
    assert [(one.id, one.label) for one in found.speakers] == [("speaker_1", "Speaker 1"), ("speaker_2", "Speaker 2")]
    assert codes(found) == []
    assert right_share(found) == 1.0
    assert [segment.id for segment in found.segments] == [f"s{n}" for n in range(1, len(found.segments) + 1)]
    prints = await room.fetch("SELECT speaker_id, model, revision FROM voiceprints ORDER BY speaker_id")
    assert [tuple(row) for row in prints] == [("speaker_1", "ideal", 1), ("speaker_2", "ideal", 1)]


async def test_every_fact_twice_changes_nothing(room: Room, clip: Path) -> None:
    waiting: list[Any] = [await room.fetched(clip)]
    while waiting:
        fact = waiting.pop(0)
        if fact.type not in room.service.consumer.handlers:
            continue
        message_id = uuid7()
        await room.hand(fact, message_id=message_id)
        waiting += await room.take()
        before = await state(room)
        with pytest.raises((AlreadyHandled, Stale)):
            await room.hand(fact, message_id=message_id)
        assert (await room.take(), await state(room)) == ([], before)
    assert len(before["voiceprints"]) == 2


async def state(room: Room) -> dict[str, list[Any]]:
    held = {
        "parts": "SELECT part_index, words, voices, voices_settled, finished FROM parts ORDER BY part_index",
        "voiceprints": "SELECT speaker_id, revision, vector FROM voiceprints ORDER BY speaker_id",
        "transcripts": "SELECT revision, warnings, speakers FROM transcripts ORDER BY revision",
    }
    return {name: [tuple(row) for row in await room.fetch(sql)] for name, sql in held.items()}


async def test_a_part_whose_voices_fail_costs_no_words_and_is_listened_to_again_alone(room: Room, clip: Path) -> None:
    room.ear.fails = lambda stretch: stretch.start is None
    first = await transcribe(room, clip)
    assert codes(first) == ["speakers_failed"]
    assert "The ear is deaf." in first.warnings[0]
    assert len(first.speakers) == 1
    assert room.ear.asked[:2] == [None, None]  # tried twice
    asked, heard = len(room.engine.asked), len(room.ear.asked)
    room.ear.fails = lambda stretch: False
    second = await again(room, 2)
    assert len(room.engine.asked) == asked
    assert room.ear.asked[heard:] == [None]
    assert (second.revision, codes(second), right_share(second)) == (2, [], 1.0)
    assert [word.word for word in words_of(second)] == [word.word for word in words_of(first)]


def words_of(transcript: Transcript) -> list[Word]:
    """Without what segments make of their first and last words."""
    said = [word for segment in transcript.segments for word in segment.words or ()]
    return [word.model_copy(update={"word": word.word.lower().rstrip(".")}) for word in said]


async def test_what_cannot_be_had_is_asked_for_once_and_says_what_to_do(room: Room, clip: Path) -> None:
    room.ear.fails = lambda stretch: True
    room.ear.advice = "Accept its conditions at https://hf.co/some/model."
    found = await transcribe(room, clip)
    assert len(room.ear.asked) == len(set(room.ear.asked))
    assert "Accept its conditions at https://hf.co/some/model." in found.warnings[0]


async def test_a_join_that_finds_no_speakers_can_be_repeated(room: Room, clip: Path) -> None:
    room.ear.cannot_group = True
    first = await transcribe(room, clip)
    assert codes(first) == ["speakers_failed"]
    assert await room.fetch("SELECT 1 FROM voiceprints") == []
    asked = (len(room.engine.asked), len(room.ear.asked))
    room.ear.cannot_group = False
    second = await again(room, 2)
    assert (len(room.engine.asked), len(room.ear.asked)) == asked
    assert (codes(second), right_share(second)) == ([], 1.0)


async def test_voices_are_looked_for_without_the_sound_being_there(room: Room, clip: Path) -> None:
    room.ear.fails = lambda stretch: True
    await transcribe(room, clip)
    room.ear.fails = lambda stretch: False
    await room.fetch("UPDATE transcriptions SET audio_uri = 'audio/nowhere.flac'")
    room.service.consumer.handlers[PartPlanned.type].__self__.recordings.tidy()  # type: ignore[attr-defined]
    found = await again(room, 2)
    assert codes(found) == ["speakers_failed"]
    assert len(words_of(found)) == len(all_words())


async def test_nobody_listens_where_no_speakers_are_wanted(room: Room, clip: Path) -> None:
    found = await transcribe(room, clip, diarize=False)
    assert (room.ear.asked, codes(found), len(found.speakers)) == ([], [], 1)


async def test_as_many_speakers_as_the_user_says(room: Room, clip: Path) -> None:
    found = await transcribe(room, clip, max_speakers=1)
    assert (len(found.speakers), codes(found)) == (1, [])


async def test_parts_from_before_voices_were_looked_for_are_joined(room: Room, clip: Path) -> None:
    await room.hand(await room.fetched(clip))
    parts = [part for part in await room.take() if isinstance(part, PartPlanned)]
    await room.fetch("UPDATE transcriptions SET diarizer = NULL")
    await room.fetch("UPDATE parts SET voices_wanted = NULL")
    for part in parts:
        await room.hand(part)
    found = await finish(room)
    assert (codes(found), room.ear.asked) == (["speakers_not_separated"], [])
    second = await again(room, 2)
    assert (codes(second), right_share(second), len(room.engine.asked)) == ([], 1.0, len(set(room.engine.asked)))


async def test_another_diarizer_listens_anew(room: Room, clip: Path) -> None:
    await transcribe(room, clip)
    heard = len(room.ear.asked)
    room.ear.fingerprint = "ideal 2"
    second = await again(room, 2)
    assert (len(room.ear.asked), right_share(second)) == (2 * heard, 1.0)


async def test_an_engine_that_tells_voices_apart_is_believed_in_one_part(deaf_room: Room, clip: Path) -> None:
    without = await transcribe(deaf_room, clip)
    assert codes(without) == ["speakers_not_separated"]
    deaf_room.engine.turns = True
    deaf_room.engine.fingerprint = "reader 2"
    found = await again(deaf_room, 2)
    assert (codes(found), len(found.speakers), right_share(found)) == ([], 2, 1.0)


async def test_no_endpoint_shows_what_somebody_sounds_like(room: Room, clip: Path) -> None:
    await transcribe(room, clip)
    transport = httpx.ASGITransport(app=room.service.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://asr") as client:
        for path in ("/transcript", "/speakers", "/transcript/revisions"):
            answer = await client.get(f"/api/recordings/{room.asset_id}{path}", headers=room.identity())
            assert answer.status_code == 200
            assert not {"vector", "embedding", "voiceprint", "voices"} & keys_of(answer.json())


def keys_of(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value).union(*(keys_of(one) for one in value.values()))
    return set().union(*(keys_of(one) for one in value)) if isinstance(value, list) else set()


async def test_a_worker_that_listens_in_another_way_keeps_the_words(room: Room, clip: Path) -> None:
    await room.hand(await room.fetched(clip))
    room.ear.fingerprint = "ideal 2"
    found = await finish(room)
    assert (codes(found), room.ear.asked, len(words_of(found))) == (["speakers_failed"], [], len(all_words()))
