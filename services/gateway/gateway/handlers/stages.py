"""Facts of the stages move the asset and its job forward, never backward, in whatever order they arrive."""

from datetime import UTC, datetime

from common.db import Connection
from common.delivery import Delivery
from common.events import (
    AssetIndexed,
    CaptionsFetched,
    PartPlanned,
    ProcessingFailed,
    RecordingFetched,
    TranscriptCompleted,
    TranscriptionRecognised,
    TranscriptRevised,
)

from gateway.domain import journey
from gateway.domain.journey import Failure
from gateway.handlers.news import spread
from gateway.processing import change, hold
from gateway.queries import edits, timeline


async def note_fetched(fact: RecordingFetched | CaptionsFetched, delivery: Delivery) -> None:
    async with delivery.record(lock=False) as rec:
        held = await hold(rec.conn, fact.asset_id)
        if fact.run != held.asset.run:
            # Its run is over, overtaken by later facts; what it found out is true of the asset all the same.
            await edits.fill_media(rec.conn, fact.asset_id, fact.duration_seconds, fact.media_facts, fact.recorded_at)
            return
        now = datetime.now(UTC)
        title = held.asset.title if held.asset.title_given else fact.title
        await edits.set_media(rec.conn, fact.asset_id, title, fact.duration_seconds, fact.media_facts, fact.recorded_at)
        await change(rec.conn, held, journey.finish(held.job.journey, "fetch", now), now)
        await timeline.note(
            rec.conn,
            fact.asset_id,
            fact.run,
            fact.type.removesuffix(".v1"),
            _brought(fact),
            stage="fetch",
            details=fact.model_dump(include={"duration_seconds", "audio_bytes", "cue_count"}),
        )
    await spread(delivery.live, fact)


def _brought(fact: RecordingFetched | CaptionsFetched) -> str:
    minutes = _minutes(fact.duration_seconds)
    if isinstance(fact, CaptionsFetched):
        return f"The subtitles are here: {fact.cue_count} cues over {minutes}."
    return f"The recording is here: {minutes} of audio."


async def note_part_planned(fact: PartPlanned, delivery: Delivery) -> None:
    """The first sign that recognition has begun."""
    async with delivery.record(lock=False) as rec:
        held = await hold(rec.conn, fact.asset_id, fact.run)
        now = datetime.now(UTC)
        await change(rec.conn, held, journey.advance(held.job.journey, "transcribe", 0.0, None, now), now)
    await spread(delivery.live, fact)


async def note_recognised(fact: TranscriptionRecognised, delivery: Delivery) -> None:
    async with delivery.record(lock=False) as rec:
        await hold(rec.conn, fact.asset_id, fact.run)
        await timeline.note(
            rec.conn,
            fact.asset_id,
            fact.run,
            "transcription.recognised",
            "Every part of the recording is recognised.",
            stage="transcribe",
        )
    await spread(delivery.live, fact)


async def note_transcript(fact: TranscriptCompleted, delivery: Delivery) -> None:
    async with delivery.record(lock=False) as rec:
        held = await hold(rec.conn, fact.asset_id)
        now = datetime.now(UTC)
        if fact.run == held.asset.run:
            await change(rec.conn, held, journey.finish(held.job.journey, "transcribe", now), now)
        # Also of a run that is over: revisions rise across runs, and a later run may begin with this transcript.
        newer = await edits.set_transcript(rec.conn, fact.asset_id, fact.revision, fact.language, fact.duration_seconds)
        if newer or fact.run != held.asset.run:
            await _write_down_transcript(rec.conn, fact)
    await spread(delivery.live, fact)


async def note_revised(fact: TranscriptRevised, delivery: Delivery) -> None:
    """A correction moves no job; who made which one is told by the transcript's revisions."""
    async with delivery.record(lock=False) as rec:
        await hold(rec.conn, fact.asset_id)
        await edits.set_transcript(rec.conn, fact.asset_id, fact.revision, fact.language, fact.duration_seconds)
    await spread(delivery.live, fact)


async def _write_down_transcript(conn: Connection, fact: TranscriptCompleted) -> None:
    await timeline.note(
        conn,
        fact.asset_id,
        fact.run,
        "transcript.completed",
        f"The transcript is complete: {fact.word_count} words in {fact.segment_count} segments.",
        stage="transcribe",
        details=fact.model_dump(
            mode="json",
            include={"revision", "language", "engine", "word_count", "segment_count", "warnings"},
        ),
    )


async def note_indexed(fact: AssetIndexed, delivery: Delivery) -> None:
    """A correction that can be found is news to those who watch, and no stage of the run that may be under way."""
    if fact.cause == "correction":
        async with delivery.record(lock=False) as rec:
            await hold(rec.conn, fact.asset_id)
    else:
        await _finish_index(fact, delivery)
    await spread(delivery.live, fact)


async def _finish_index(fact: AssetIndexed, delivery: Delivery) -> None:
    async with delivery.record(lock=False) as rec:
        held = await hold(rec.conn, fact.asset_id, fact.run)
        now = datetime.now(UTC)
        await change(rec.conn, held, journey.finish(held.job.journey, "index", now), now)
        await timeline.note(
            rec.conn,
            fact.asset_id,
            fact.run,
            "asset.indexed",
            f"The recording can be searched: {fact.chunk_count} passages.",
            stage="index",
            details={"revision": fact.revision, "chunk_count": fact.chunk_count, "model": fact.model},
        )


async def note_failed(fact: ProcessingFailed, delivery: Delivery) -> None:
    """A stage of the job fails with it; a failure elsewhere, such as a summary's, is only written down."""
    async with delivery.record(lock=False) as rec:
        held = await hold(rec.conn, fact.asset_id, fact.run)
        now = datetime.now(UTC)
        failure = Failure(fact.stage, fact.category, fact.message, fact.advice, fact.retryable)
        await change(rec.conn, held, journey.fail(held.job.journey, failure, now), now)
        await timeline.note(
            rec.conn,
            fact.asset_id,
            fact.run,
            "processing.failed",
            fact.message,
            stage=fact.stage,
            details={"category": fact.category, "advice": fact.advice, "retryable": fact.retryable},
        )
    await spread(delivery.live, fact)


def _minutes(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole // 60}:{whole % 60:02d} min"
