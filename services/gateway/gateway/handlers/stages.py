"""Facts of the stages move the asset and its job forward, never backward, in whatever order they arrive."""

from datetime import UTC, datetime

from common.db import Connection
from common.delivery import Delivery
from common.events import (
    AssetIndexed,
    PartPlanned,
    ProcessingFailed,
    RecordingFetched,
    TranscriptCompleted,
    TranscriptionRecognised,
)

from gateway.domain import journey
from gateway.domain.journey import Failure
from gateway.handlers.news import spread
from gateway.processing import change, hold
from gateway.queries import edits, timeline


async def note_fetched(fact: RecordingFetched, delivery: Delivery) -> None:
    async with delivery.record(lock=False) as rec:
        held = await hold(rec.conn, fact.asset_id, fact.run)
        now = datetime.now(UTC)
        title = held.asset.title if held.asset.title_given else fact.title
        await edits.set_media(rec.conn, fact.asset_id, title, fact.duration_seconds, fact.media_facts, fact.recorded_at)
        await change(rec.conn, held, journey.finish(held.job.journey, "fetch", now), now)
        await timeline.note(
            rec.conn,
            fact.asset_id,
            fact.run,
            "recording.fetched",
            f"The recording is here: {_minutes(fact.duration_seconds)} of audio.",
            stage="fetch",
            details={"duration_seconds": fact.duration_seconds, "audio_bytes": fact.audio_bytes},
        )
    await spread(delivery.live, fact)


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
        held = await hold(rec.conn, fact.asset_id, fact.run)
        now = datetime.now(UTC)
        await change(rec.conn, held, journey.finish(held.job.journey, "transcribe", now), now)
        if await edits.set_transcript(rec.conn, fact.asset_id, fact.revision, fact.language, fact.duration_seconds):
            await _write_down_transcript(rec.conn, fact)
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
    await spread(delivery.live, fact)


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
