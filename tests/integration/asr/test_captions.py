"""Captions through asr's handlers: a transcript at once, again by a later run, once however often it is delivered."""

import hashlib
from typing import Any

import pytest
from common.captions import Captions, Cue
from common.errors import AlreadyHandled, CannotProcess, Stale
from common.events import (
    AssetDeleted,
    AssetPurged,
    CaptionsFetched,
    ProcessingCancelled,
    ProcessingRestarted,
    TranscriptCompleted,
)
from common.ids import uuid7
from common.transcript import Transcript

from tests.integration.asr.conftest import COLLECTION, Bench

CAPTIONS = Captions(
    format="vtt",
    language="en",
    cues=[
        Cue(start=1.0, end=3.0, text="We meet on Tuesday.", speaker="Maria Gómez"),
        Cue(start=2.5, end=4.0, text="Good.", speaker="Peter"),
        Cue(start=5.0, end=9.0, text="one two three", word_starts=[None, 7.0, None]),
    ],
    notes=["captions_order: The file's cues were out of order; they were sorted by time."],
)


async def fetched(bench: Bench, captions: Captions = CAPTIONS, run: int = 1, **options: Any) -> CaptionsFetched:
    """Store captions as the fetcher does, and the fact of it."""
    content = captions.model_dump_json(exclude_none=True).encode()
    digest = hashlib.sha256(content).hexdigest()
    await bench.service.store.put_bytes(f"captions/{digest}.json", content)
    return CaptionsFetched(
        asset_id=bench.asset_id,
        run=run,
        collection_id=COLLECTION,
        captions_uri=f"captions/{digest}.json",
        captions_sha256=digest,
        captions_bytes=len(content),
        duration_seconds=captions.duration_seconds,
        cue_count=len(captions.cues),
        title="The talk",
        options=options,  # type: ignore[arg-type]
    )


def about(bench: Bench, kind: Any, run: int, **values: Any) -> Any:
    return kind(asset_id=bench.asset_id, run=run, collection_id=COLLECTION, **values)


async def transcript_of(bench: Bench, fact: Any) -> Transcript:
    return Transcript.model_validate_json(await bench.service.store.get_bytes(fact.transcript_uri))


async def test_captions_become_a_transcript(bench: Bench) -> None:
    await bench.hand(await fetched(bench))
    (completed,) = await bench.take()
    assert isinstance(completed, TranscriptCompleted)
    assert (completed.revision, completed.engine, completed.language) == (1, "captions", "en")
    assert (completed.title, completed.segment_count, completed.word_count) == ("The talk", 3, 8)
    assert completed.warnings == CAPTIONS.notes
    found = await transcript_of(bench, completed)
    assert [(s.id, s.label, s.name) for s in found.speakers] == [
        ("speaker_1", "Speaker 1", "Maria Gómez"),
        ("speaker_2", "Speaker 2", "Peter"),
        ("speaker_0", "Unnamed speaker", None),
    ]
    assert [(s.start, s.end, s.speaker, s.text) for s in found.segments] == [
        (1.0, 3.0, "speaker_1", "We meet on Tuesday."),
        (2.5, 4.0, "speaker_2", "Good."),
        (5.0, 9.0, "speaker_0", "one two three"),
    ]
    for segment in found.segments:
        assert segment.words is not None
        assert " ".join(word.word for word in segment.words) == segment.text
        assert (segment.words[0].start, segment.words[-1].end) == (segment.start, segment.end)
    assert [word.start for word in found.segments[2].words or ()] == [5.0, 7.0, 7.75]
    rows = await bench.fetch("SELECT segment_id FROM segments WHERE asset_id = $1", bench.asset_id)
    assert len(rows) == 3


async def test_delivered_twice_it_is_one_transcript(bench: Bench) -> None:
    fact, message_id = await fetched(bench), uuid7()
    await bench.hand(fact, message_id=message_id)
    for again in (message_id, uuid7()):
        with pytest.raises((AlreadyHandled, Stale)):
            await bench.hand(fact, message_id=again)
    assert len(await bench.take()) == 1
    assert (await bench.fetch("SELECT count(*) FROM transcripts"))[0][0] == 1


async def test_the_users_language_counts_and_nobody_named_is_said(bench: Bench) -> None:
    plain = Captions(format="srt", cues=[Cue(start=0, end=1, text="Hm.")])
    await bench.hand(await fetched(bench, plain))
    await bench.hand(await fetched(bench, plain, 2, language="de"))
    first, second = await bench.take()
    assert isinstance(first, TranscriptCompleted)
    assert isinstance(second, TranscriptCompleted)
    assert (first.language, second.language, second.revision) == ("und", "de", 2)
    assert [warning.partition(":")[0] for warning in first.warnings] == ["speakers_not_named"]


async def test_a_restart_reads_the_captions_again(bench: Bench) -> None:
    await bench.hand(await fetched(bench))
    await bench.take()
    restarted, message_id = about(bench, ProcessingRestarted, 2, from_stage="transcribe"), uuid7()
    await bench.hand(restarted, message_id=message_id)
    (again,) = await bench.take()
    assert isinstance(again, TranscriptCompleted)
    assert (again.run, again.revision) == (2, 2)
    with pytest.raises((AlreadyHandled, Stale)):
        await bench.hand(restarted, message_id=message_id)
    assert await bench.take() == []
    await bench.hand(about(bench, ProcessingRestarted, 3, from_stage="index"))
    assert await bench.take() == []


async def test_a_restart_that_overtakes_its_captions_waits_for_them(bench: Bench) -> None:
    restarted = about(bench, ProcessingRestarted, 2, from_stage="transcribe")
    with pytest.raises(Exception, match="no sound to recognise yet"):
        await bench.hand(restarted)
    with pytest.raises(Stale):
        await bench.hand(await fetched(bench))
    await bench.hand(restarted)
    (completed,) = await bench.take()
    assert completed.run == 2  # type: ignore[attr-defined]


async def test_cancelled_and_deleted_leave_no_trace(bench: Bench) -> None:
    await bench.hand(await fetched(bench))
    await bench.hand(about(bench, ProcessingCancelled, 2))
    with pytest.raises(Stale):
        await bench.hand(await fetched(bench, run=2))
    await bench.take()
    await bench.hand(about(bench, AssetDeleted, 3))
    assert [type(message) for message in await bench.take()] == [AssetPurged]
    for table in ("captions", "transcripts", "segments", "object_refs"):
        assert (await bench.fetch(f"SELECT count(*) FROM {table} WHERE asset_id = $1", bench.asset_id))[0][0] == 0
    with pytest.raises(Stale):
        await bench.hand(await fetched(bench, run=3))
    assert (await bench.fetch("SELECT count(*) FROM captions"))[0][0] == 0


async def test_captions_that_are_gone_are_said_so(bench: Bench) -> None:
    fact = await fetched(bench)
    await bench.service.store.delete(fact.captions_uri)
    with pytest.raises(CannotProcess) as refusal:
        await bench.hand(fact)
    assert (refusal.value.category, refusal.value.retryable) == ("not_found", True)
