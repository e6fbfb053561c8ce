"""An engine that hears windows and writes sentences, on the road from a recording to its transcript."""

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from asr.domain.spans import Span
from asr.main import build
from asr.providers.engine import Recognised, Wishes
from asr.settings import AsrSettings
from common.errors import Stale
from common.events import PartPlanned, TranscriptCompleted
from common.identity import Signer, new_key_pair
from common.ids import uuid7
from common.transcript import Transcript, Word

from tests.integration.asr.conftest import SECOND, Bench


@dataclass
class Scribe:
    """Writes where each window begins and ends, and what was wished; says of the first window that it was hard."""

    name: str = "scribe"
    fingerprint: str = "scribe 1"
    window_seconds: float = 12.0
    asked: list[Wishes] = field(default_factory=list[Wishes])

    def understands(self, language: str) -> bool:
        return language in ("en", "de")

    async def find_language(self, audio: Path, utterances: Sequence[Span]) -> str:
        return "de"

    async def recognise(self, audio: Path, utterances: Sequence[Span], wishes: Wishes) -> AsyncGenerator[Recognised]:
        self.asked.append(wishes)
        for start, end in utterances:
            words = [Word(word="From", start=start, end=start), Word(word=f"{start:g}.", start=start, end=start)]
            words.append(Word(word="until", start=start, end=start))
            words.append(Word(word=f"{end:g}", start=end, end=end))
            yield Recognised(Span(start, end), words, warnings=("hard: It was hard.",) * (start < 1))

    async def close(self) -> None:
        return


@pytest.fixture
async def scribe(settings: Callable[..., AsrSettings]) -> AsyncGenerator[tuple[Scribe, Callable[..., Any]]]:
    """An engine, and what makes a bench of it with parts of any length."""
    engine = Scribe()
    opened: list[Bench] = []

    async def make(**changes: Any) -> Bench:
        private, _ = new_key_pair()
        service = build(settings(**changes), installed=[engine])
        await service.db.open()
        opened.append(Bench(service, Signer("gateway", private)))
        return opened[-1]

    yield engine, make
    for bench in opened:
        await bench.service.stop()


async def transcript_of(bench: Bench, audio: Path, run: int = 1, **options: Any) -> Transcript:
    await bench.hand(await bench.fetched(audio, run, **options))
    (completed,) = [fact for fact in await bench.go_on() if isinstance(fact, TranscriptCompleted)]
    return Transcript.model_validate_json(await bench.service.store.get_bytes(completed.transcript_uri))


async def test_windows_are_made_of_the_recording_and_not_of_its_parts(
    scribe: tuple[Scribe, Callable[..., Any]], to_flac: Callable[..., Path]
) -> None:
    _, make = scribe
    made: list[Transcript] = []
    parts: list[int] = []
    for part_seconds in (5, 300):
        bench = await make(part_seconds=part_seconds)
        made.append(await transcript_of(bench, to_flac(SECOND, 60)))
        parts.append((await bench.fetch("SELECT count(*) FROM parts WHERE asset_id = $1", bench.asset_id))[0][0])
    assert made[0].segments == made[1].segments
    assert parts[0] > 3
    assert parts[1] == 1


async def test_its_sentences_language_and_warnings_reach_the_transcript(
    scribe: tuple[Scribe, Callable[..., Any]], to_flac: Callable[..., Path]
) -> None:
    engine, make = scribe
    made = await transcript_of(await make(), to_flac(SECOND, 40), key_terms=["Martin"])
    assert made.language == "de"
    assert {wishes.key_terms for wishes in engine.asked} == {("Martin",)}
    assert made.warnings[0] == "hard: It was hard."
    assert len([warning for warning in made.warnings if warning.startswith("hard")]) == 1
    assert not any(warning.startswith("draft") for warning in made.warnings)
    texts = [segment.text for segment in made.segments]
    assert texts[0].startswith("From ")
    assert texts[0].endswith(".")
    assert texts[1].startswith("until"), "a sentence ends there, and nobody capitalises what follows"


async def test_the_prompt_reaches_the_engine_and_another_is_recognised_anew(
    scribe: tuple[Scribe, Callable[..., Any]], to_flac: Callable[..., Path]
) -> None:
    engine, make = scribe
    bench = await make()
    for run, prompt, times in ((1, None, 1), (2, "", 1), (3, "Good day.", 2), (4, "Good day.", 2), (5, None, 3)):
        await transcript_of(bench, to_flac(SECOND, 40), run, initial_prompt=prompt)
        parts = (await bench.fetch("SELECT count(*) FROM parts"))[0][0]
        assert len(engine.asked) == parts * times
    assert [wishes.initial_prompt for wishes in engine.asked] == [""] * parts + ["Good day."] * parts + [""] * parts


async def test_other_key_terms_are_recognised_anew_and_the_same_are_not(
    scribe: tuple[Scribe, Callable[..., Any]], to_flac: Callable[..., Path]
) -> None:
    engine, make = scribe
    bench = await make()
    for run, terms, times in ((1, ["Martin"], 1), (2, ["Martin"], 1), (3, ["Peter"], 2)):
        await transcript_of(bench, to_flac(SECOND, 40), run, key_terms=terms)
        parts = (await bench.fetch("SELECT count(*) FROM parts"))[0][0]
        assert len(engine.asked) == parts * times


async def test_a_part_delivered_twice_keeps_one_warning(
    scribe: tuple[Scribe, Callable[..., Any]], to_flac: Callable[..., Path]
) -> None:
    _, make = scribe
    bench = await make()
    await bench.hand(await bench.fetched(to_flac(SECOND, 11.6)))
    (part, *_) = [fact for fact in await bench.take() if isinstance(fact, PartPlanned)]
    message_id = uuid7()
    await bench.hand(part, message_id=message_id)
    with pytest.raises(Stale):
        await bench.hand(part, message_id=message_id)
    rows = await bench.fetch("SELECT warnings FROM parts WHERE part_index = 0")
    assert [row["warnings"] for row in rows] == [["hard: It was hard."]]
