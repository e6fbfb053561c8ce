"""Every fact that asr hears: what it does with it, twice, late, cancelled, deleted and on damaged input."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from asr.domain.accuracy import word_error_rate
from asr.domain.spans import Span
from asr.handlers.joining import Joining
from asr.handlers.recognising import Recognising
from asr.providers.engine import Engine, EngineFailed, Recognised, Wishes
from asr.providers.engines import Engines
from asr.providers.pocketsphinx import PocketSphinx
from common.errors import AlreadyHandled, CannotProcess, Stale, TryAgain
from common.events import (
    AssetDeleted,
    AssetPurged,
    Fact,
    PartPlanned,
    ProcessingCancelled,
    ProcessingRestarted,
    TranscriptCompleted,
    TranscriptionRecognised,
)
from common.ids import uuid7
from common.store_directory import DirectoryStore
from common.transcript import Transcript

from tests.integration.asr.conftest import COLLECTION, SECOND, Bench

CLIP_SAYS = (
    "Good afternoon, Martin. This is our meeting about the summer festival. Today is Wednesday, the ninth of October. "
    "Good afternoon, Peter."
)


@pytest.fixture
def clip(to_flac: Callable[..., Path]) -> Path:
    """The first two turns of the second recording."""
    return to_flac(SECOND, 11.6)


def about(bench: Bench, kind: type[Fact], run: int = 1, **values: Any) -> Any:
    return kind(asset_id=bench.asset_id, run=run, collection_id=COLLECTION, **values)


async def counts(bench: Bench) -> dict[str, int]:
    tables = ("transcriptions", "parts", "transcripts", "segments", "objects", "object_refs")
    return {table: (await bench.fetch(f"SELECT count(*) FROM {table}"))[0][0] for table in tables}


async def document(bench: Bench, fact: TranscriptCompleted) -> Transcript:
    return Transcript.model_validate_json(await bench.service.store.get_bytes(fact.transcript_uri))


async def transcribe(bench: Bench, audio: Path, run: int = 1, **options: Any) -> TranscriptCompleted:
    await bench.hand(await bench.fetched(audio, run, **options))
    (completed,) = await bench.go_on()
    assert isinstance(completed, TranscriptCompleted)
    return completed


async def test_from_fetched_to_completed(bench: Bench, clip: Path) -> None:
    await bench.hand(await bench.fetched(clip))
    parts = await bench.take()
    assert [part.part_index for part in parts if isinstance(part, PartPlanned)] == list(range(len(parts)))
    assert len(parts) >= 2
    for part in parts[:-1]:
        await bench.hand(part)  # type: ignore[arg-type]
        assert await bench.take() == []
    await bench.hand(parts[-1])  # type: ignore[arg-type]
    (recognised,) = await bench.take()
    assert isinstance(recognised, TranscriptionRecognised)
    await bench.hand(recognised)
    (completed,) = await bench.take()
    assert isinstance(completed, TranscriptCompleted)
    found = await document(bench, completed)
    assert (found.revision, found.complete, found.asset_id) == (1, True, bench.asset_id)
    assert word_error_rate(CLIP_SAYS, " ".join(segment.text for segment in found.segments)) <= 0.3
    assert "Martin" in found.segments[0].text
    assert completed.segment_count == len(found.segments)
    assert completed.word_count == sum(len(segment.words or ()) for segment in found.segments)
    assert [warning.partition(":")[0] for warning in completed.warnings] == ["draft", "speakers_not_separated"]


async def test_every_fact_twice_has_one_effect(bench: Bench, clip: Path) -> None:
    waiting: list[Any] = [await bench.fetched(clip)]
    completed = 0
    while waiting:
        fact = waiting.pop(0)
        if fact.type not in bench.service.consumer.handlers:
            completed += isinstance(fact, TranscriptCompleted)
            continue
        message_id = uuid7()
        await bench.hand(fact, message_id=message_id)
        before = await counts(bench)
        waiting += await bench.take()
        with pytest.raises((AlreadyHandled, Stale)):
            await bench.hand(fact, message_id=message_id)
        assert await bench.take() == []
        assert await counts(bench) == before
    assert completed == 1
    for kind, values in ((ProcessingRestarted, {"from_stage": "index"}), (ProcessingCancelled, {}), (AssetDeleted, {})):
        message_id = uuid7()
        await bench.hand(about(bench, kind, 2, **values), message_id=message_id)
        said = len(await bench.take())
        with pytest.raises((AlreadyHandled, Stale)):
            await bench.hand(about(bench, kind, 2, **values), message_id=message_id)
        assert (said, await bench.take()) == (1 if kind is AssetDeleted else 0, [])


async def test_a_part_announced_again_is_not_recognised_again(bench: Bench, clip: Path) -> None:
    await bench.hand(await bench.fetched(clip))
    first, *_ = await bench.take()
    await bench.hand(first)  # type: ignore[arg-type]
    before = await bench.fetch("SELECT words, recognised_at FROM parts WHERE part_index = 0")
    await bench.fetch("UPDATE transcriptions SET audio_uri = 'audio/nowhere.flac'")
    await bench.hand(first)  # type: ignore[arg-type]
    after = await bench.fetch("SELECT words, recognised_at FROM parts WHERE part_index = 0")
    assert [row["words"] for row in before] == [row["words"] for row in after]


async def test_silence_completes_empty_with_a_warning(bench: Bench, silence: Path) -> None:
    completed = await transcribe(bench, silence)
    assert (completed.segment_count, completed.word_count) == (0, 0)
    assert [warning.partition(":")[0] for warning in completed.warnings] == ["no_speech"]
    assert (await document(bench, completed)).speakers == []


async def test_no_transcript_wanted_says_nothing_until_it_is(bench: Bench, clip: Path) -> None:
    await bench.hand(await bench.fetched(clip, transcribe=False))
    assert await bench.take() == []
    await bench.hand(about(bench, ProcessingRestarted, 2, from_stage="transcribe"))
    (completed,) = await bench.go_on()
    assert isinstance(completed, TranscriptCompleted)
    assert completed.run == 2


async def test_a_restart_uses_the_parts_that_are_done(bench: Bench, clip: Path) -> None:
    await bench.hand(await bench.fetched(clip))
    first, *rest = await bench.take()
    await bench.hand(first)  # type: ignore[arg-type]
    await bench.hand(about(bench, ProcessingRestarted, 2, from_stage="transcribe"))
    again = await bench.take()
    assert [(part.run, part.part_index) for part in again] == [(2, part.part_index) for part in rest]  # type: ignore[attr-defined]
    with pytest.raises(Stale):
        await bench.hand(rest[0])  # type: ignore[arg-type]
    for part in again:
        await bench.hand(part)  # type: ignore[arg-type]
    (completed,) = await bench.go_on()
    assert isinstance(completed, TranscriptCompleted)
    assert (completed.run, completed.revision) == (2, 1)


@pytest.mark.parametrize("sound", ["clip", "silence"])
async def test_what_is_recognised_completes_again_though_its_sound_is_gone(
    bench: Bench, sound: str, request: pytest.FixtureRequest
) -> None:
    """Called off just as its transcript was complete, and taken up again where no sound is kept."""
    first = await transcribe(bench, request.getfixturevalue(sound))
    await bench.fetch("UPDATE transcriptions SET audio_uri = 'audio/nowhere.flac'")
    await bench.hand(about(bench, ProcessingRestarted, 2, from_stage="transcribe"))
    (second,) = await bench.go_on()
    assert isinstance(second, TranscriptCompleted)
    assert (second.run, second.revision) == (2, 2)
    assert (await document(bench, second)).segments == (await document(bench, first)).segments


async def test_what_is_not_all_recognised_cannot_go_on_without_its_sound(bench: Bench, clip: Path) -> None:
    await transcribe(bench, clip)
    await bench.fetch("UPDATE transcriptions SET audio_uri = 'audio/nowhere.flac'")
    await bench.fetch("UPDATE parts SET words = NULL WHERE part_index = 0")
    with pytest.raises(CannotProcess) as refused:
        await bench.hand(about(bench, ProcessingRestarted, 2, from_stage="transcribe"))
    assert (refused.value.category, refused.value.advice) == ("not_found", "Retry from the fetch stage.")


async def test_revisions_rise_across_runs_and_the_earlier_ones_stay(bench: Bench, clip: Path) -> None:
    first = await transcribe(bench, clip)
    await bench.hand(about(bench, ProcessingRestarted, 2, from_stage="fetch"))
    assert await bench.take() == []
    second = await transcribe(bench, clip, run=2, key_terms=[])
    assert (first.revision, second.revision) == (1, 2)
    assert (await document(bench, first)).revision == 1
    assert (await counts(bench))["transcripts"] == 2


async def test_another_sound_is_recognised_anew(bench: Bench, clip: Path, to_flac: Callable[..., Path]) -> None:
    await transcribe(bench, clip)
    await bench.hand(await bench.fetched(to_flac(SECOND, 6), run=2))
    assert len(await bench.take()) == (await counts(bench))["parts"]
    assert [row["words"] for row in await bench.fetch("SELECT words FROM parts")] == [None]


async def test_a_late_fact_of_an_older_run_is_kept_and_plans_nothing(bench: Bench, clip: Path) -> None:
    """Two runs were called off before their recording was heard of: the third one finds it all the same."""
    late = await bench.fetched(clip, run=1)
    await bench.hand(about(bench, ProcessingCancelled, 2))
    with pytest.raises(Stale):
        await bench.hand(late)
    assert await bench.take() == []
    assert (await counts(bench))["parts"] == 0
    await bench.hand(about(bench, ProcessingRestarted, 3, from_stage="transcribe"))
    assert {part.run for part in await bench.take()} == {3}  # type: ignore[attr-defined]


async def test_restarting_what_was_never_fetched_is_explained(bench: Bench) -> None:
    """Tried again for some minutes, because the fetched recording may be with a worker that is frozen, then told."""
    with pytest.raises(TryAgain) as refused:
        await bench.hand(about(bench, ProcessingRestarted, 2, from_stage="transcribe"))
    assert "fetch" in refused.value.advice
    assert 5 <= refused.value.attempts <= 10


async def test_restarting_what_was_never_fetched_ends_when_nobody_wants_it_any_more(bench: Bench) -> None:
    with pytest.raises(TryAgain):
        await bench.hand(about(bench, ProcessingRestarted, 3, from_stage="transcribe"))
    with pytest.raises(Stale):
        await bench.hand(about(bench, ProcessingRestarted, 2, from_stage="transcribe"))
    await bench.hand(about(bench, AssetDeleted, 3))
    with pytest.raises(Stale):
        await bench.hand(about(bench, ProcessingRestarted, 3, from_stage="transcribe"))


async def test_what_was_fetched_is_kept_though_its_run_was_cancelled(bench: Bench, clip: Path) -> None:
    """Cancelled between fetching and planning: a retry begins with recognition, not with the fetch."""
    fetched = await bench.fetched(clip)
    await bench.hand(about(bench, ProcessingCancelled))
    with pytest.raises(Stale):
        await bench.hand(fetched)
    assert await bench.take() == []
    assert (await counts(bench))["parts"] == 0
    await bench.hand(about(bench, ProcessingRestarted, 2, from_stage="transcribe"))
    parts = await bench.take()
    assert {part.run for part in parts} == {2}  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("options", "says"),
    [({"language": "de"}, "de"), ({"engine": "shorthand"}, "shorthand")],
    ids=["language", "engine"],
)
async def test_what_is_not_supported_is_refused_with_advice(
    bench: Bench, clip: Path, options: dict[str, str], says: str
) -> None:
    with pytest.raises(CannotProcess) as refused:
        await bench.hand(await bench.fetched(clip, **options))
    assert refused.value.category == "unsupported"
    assert says in refused.value.message
    assert refused.value.advice


async def test_english_by_any_name(bench: Bench, silence: Path) -> None:
    for run, name in enumerate(("en", "EN-us", "en_GB", "English", "auto"), 1):
        assert (await transcribe(bench, silence, run=run, language=name)).language == "en"


async def test_sound_that_is_gone_or_damaged_is_explained(bench: Bench, clip: Path) -> None:
    fact = await bench.fetched(clip)
    with pytest.raises(CannotProcess) as refused:
        await bench.hand(fact.model_copy(update={"audio_uri": "audio/nowhere.flac"}))
    assert (refused.value.category, refused.value.retryable) == ("not_found", True)
    torn = clip.parent / "torn.flac"
    torn.write_bytes(b"no sound at all")
    with pytest.raises(CannotProcess) as refused:
        await bench.hand(await bench.fetched(torn))
    assert refused.value.category == "damaged"


async def test_deleting_removes_every_trace(bench: Bench, clip: Path) -> None:
    completed = await transcribe(bench, clip)
    await bench.hand(about(bench, AssetDeleted, 1))
    (purged,) = await bench.take()
    assert isinstance(purged, AssetPurged)
    assert purged.service == "asr"
    assert set((await counts(bench)).values()) == {0}
    assert completed.transcript_uri not in [key async for key in bench.service.store.keys("")]
    with pytest.raises(Stale):
        await bench.hand(await bench.fetched(clip, run=1))


class Interrupted(DirectoryStore):
    """A store in which something happens while a transcript is being stored."""

    meanwhile: Callable[[], Awaitable[None]]

    async def put_file(self, key: str, path: Path) -> None:
        await super().put_file(key, path)
        await self.meanwhile()


async def test_deleting_while_the_transcript_is_stored_leaves_no_document(
    bench: Bench, silence: Path, store_url: str
) -> None:
    await bench.hand(await bench.fetched(silence))
    (recognised,) = await bench.take()
    old: Joining = bench.service.consumer.handlers[TranscriptionRecognised.type].__self__  # type: ignore[attr-defined]
    store = Interrupted(Path(store_url.removeprefix("file://")))
    store.meanwhile = lambda: bench.hand(about(bench, AssetDeleted))
    joining = replace(old, documents=replace(old.documents, store=store))
    bench.service.consumer.handlers[TranscriptionRecognised.type] = joining.join_transcript
    with pytest.raises(Stale):
        await bench.hand(recognised)  # type: ignore[arg-type]
    assert set((await counts(bench)).values()) == {0}
    assert [key async for key in store.keys("transcript/")] == []


@dataclass
class Gate:
    """pocketsphinx that waits before every utterance until it is let through, and breaks on request."""

    inner: PocketSphinx
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    opened: asyncio.Event = field(default_factory=asyncio.Event)
    broken_after: float = float("inf")
    name: str = "pocketsphinx"
    window_seconds: float = 0.0

    @property
    def fingerprint(self) -> str:
        return self.inner.fingerprint

    def understands(self, language: str) -> bool:
        return self.inner.understands(language)

    async def find_language(self, audio: Path, utterances: Sequence[Span]) -> str:
        return await self.inner.find_language(audio, utterances)

    async def recognise(self, audio: Path, utterances: Sequence[Span], wishes: Wishes) -> AsyncGenerator[Recognised]:
        for utterance in utterances:
            self.reached.set()
            await self.opened.wait()
            if utterance.end > self.broken_after:
                raise EngineFailed("out of order")
            async for recognised in self.inner.recognise(audio, [utterance], wishes):
                yield recognised

    async def close(self) -> None:
        await self.inner.close()


@pytest.fixture
async def gate(bench: Bench) -> AsyncGenerator[Gate]:
    """The bench's recognition goes through a gate."""
    made = Gate(PocketSphinx(1, 30))
    through: Engine = made
    old: Recognising = bench.service.consumer.handlers[PartPlanned.type].__self__  # type: ignore[attr-defined]
    new = Recognising(old.db, old.recordings, Engines("auto", [through]), old.speakers)
    bench.service.consumer.handlers[PartPlanned.type] = new.recognise_part
    yield made
    await made.close()


@pytest.mark.parametrize("kind", [AssetDeleted, ProcessingCancelled, ProcessingRestarted])
async def test_work_that_is_no_longer_wanted_is_thrown_away(
    bench: Bench, gate: Gate, clip: Path, kind: type[Fact]
) -> None:
    await bench.hand(await bench.fetched(clip))
    first, *_ = await bench.take()
    work = asyncio.create_task(bench.hand(first))  # type: ignore[arg-type]
    await gate.reached.wait()
    restart = kind is ProcessingRestarted
    await bench.hand(about(bench, kind, 2 if restart else 1, **({"from_stage": "fetch"} if restart else {})))
    gate.opened.set()
    with pytest.raises(Stale):
        await work
    words = await bench.fetch("SELECT words FROM parts WHERE words IS NOT NULL")
    assert words == []
    assert kind is not AssetDeleted or set((await counts(bench)).values()) == {0}


async def test_a_part_that_fails_leaves_the_others_readable(bench: Bench, gate: Gate, clip: Path) -> None:
    gate.opened.set()
    await bench.hand(await bench.fetched(clip))
    first, *rest = await bench.take()
    await bench.hand(first)  # type: ignore[arg-type]
    gate.broken_after = 5.5
    for part in rest:
        with pytest.raises(EngineFailed) as failed:
            await bench.hand(part)  # type: ignore[arg-type]
        assert failed.value.category == "engine_unavailable"
    assert await bench.take() == []
    finished = await bench.fetch("SELECT part_index FROM parts WHERE words IS NOT NULL")
    assert [row["part_index"] for row in finished] == [0]
    gate.broken_after = float("inf")
    await bench.hand(about(bench, ProcessingRestarted, 2, from_stage="transcribe"))
    (completed,) = await bench.go_on()
    assert isinstance(completed, TranscriptCompleted)


async def test_nothing_stays_in_scratch(bench: Bench, clip: Path) -> None:
    await transcribe(bench, clip)
    folder = bench.service.settings.scratch_dir
    assert [path for path in folder.rglob("*") if path.suffix in (".flac", ".part", ".json")] == []


async def test_assets_do_not_touch_each_other(bench: Bench, clip: Path, silence: Path) -> None:
    first = await transcribe(bench, clip)
    mine, bench.asset_id = bench.asset_id, uuid4()
    await transcribe(bench, silence)
    await bench.hand(about(bench, AssetDeleted))
    bench.asset_id = mine
    assert (await document(bench, first)).asset_id == mine
    assert (await counts(bench))["transcripts"] == 1
