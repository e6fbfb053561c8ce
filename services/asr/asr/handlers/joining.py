"""Joining: the recognised parts of a recording become a revision of its transcript."""

import asyncio
from dataclasses import dataclass
from uuid import UUID

from common import assets, objects
from common.assets import set_revision
from common.db import Connection, Database
from common.delivery import Delivery
from common.errors import AlreadyHandled, Stale, TryAgain
from common.events import TranscriptCompleted, TranscriptionRecognised
from common.objects import Kept
from common.store import ObjectStore
from common.transcript import Transcript

from asr import metrics
from asr.domain.join import Heading, join_parts
from asr.providers.recordings import Recordings
from asr.providers.scratch import Scratch
from asr.queries import recognition, transcripts
from asr.queries.recognition import Transcription

KIND = "transcript"


def heading_of(row: Transcription, revision: int, *, complete: bool) -> Heading:
    return Heading(
        asset_id=row.asset_id,
        revision=revision,
        complete=complete,
        language=row.language,
        engine=row.engine,
        duration_seconds=row.duration_seconds,
        diarize=row.options.diarize,
        key_terms=row.options.key_terms,
    )


@dataclass(frozen=True)
class Joining:
    """Makes transcripts, and erases them."""

    db: Database
    store: ObjectStore
    recordings: Recordings
    scratch: Scratch

    async def join_transcript(self, fact: TranscriptionRecognised, delivery: Delivery) -> None:
        """On ``transcription.recognised``: rows, the JSON document in the store, and ``transcript.completed``."""
        await delivery.still_wanted()
        async with self.db.acquire() as conn:
            row = await recognition.read_transcription(conn, fact.asset_id)
            if row is None or row.run != fact.run or await recognition.unfinished_parts(conn, fact.asset_id):
                raise Stale("another plan has taken the place of the recognised one")
            parts = await recognition.recognised_words(conn, fact.asset_id)
            state = await assets.read_asset(conn, fact.asset_id)
        revision = (state.revision if state else 0) + 1
        transcript = join_parts(heading_of(row, revision, complete=True), parts)
        kept = await self._keep(transcript)
        try:
            await self._record(transcript, kept, row, fact, delivery)
        except (Stale, AlreadyHandled):
            await objects.abandon(self.db, [kept])
            await self.sweep()
            raise
        finally:
            self.recordings.forget(row.audio_sha256)

    async def sweep(self) -> None:
        """Remove documents that nothing refers to: of assets deleted meanwhile, of workers that died."""
        await objects.sweep(self.db, self.store)

    async def _keep(self, transcript: Transcript) -> Kept:
        path = self.scratch.folder / f"{transcript.asset_id}.json"
        try:
            await asyncio.to_thread(path.write_text, transcript.model_dump_json(exclude_none=True), encoding="utf-8")
            return await objects.keep(self.db, self.store, KIND, path, ".json")
        finally:
            path.unlink(missing_ok=True)

    async def _record(
        self,
        transcript: Transcript,
        kept: Kept,
        row: Transcription,
        fact: TranscriptionRecognised,
        delivery: Delivery,
    ) -> None:
        word_count = sum(len(segment.words or ()) for segment in transcript.segments)
        async with delivery.record() as rec:
            if rec.asset.revision + 1 != transcript.revision:
                raise TryAgain("another revision of the transcript appeared meanwhile")
            await transcripts.save_transcript(rec.conn, transcript, fact.run, word_count, kept.uri)
            await transcripts.save_segments(rec.conn, transcript)
            await objects.refer(rec.conn, kept, fact.asset_id, f"transcript-{transcript.revision}")
            await set_revision(rec.conn, fact.asset_id, transcript.revision)
            await recognition.set_state(rec.conn, fact.asset_id, "completed")
            await rec.say(_completed(transcript, word_count, kept, row, fact))
        metrics.recordings.labels("completed" if word_count else "no_speech").inc()


def _completed(
    transcript: Transcript, word_count: int, kept: Kept, row: Transcription, fact: TranscriptionRecognised
) -> TranscriptCompleted:
    return TranscriptCompleted(
        asset_id=fact.asset_id,
        run=fact.run,
        collection_id=fact.collection_id,
        priority=fact.priority,
        revision=transcript.revision,
        transcript_uri=kept.uri,
        transcript_sha256=kept.sha256,
        title=row.title,
        language=transcript.language,
        engine=transcript.engine,
        duration_seconds=transcript.duration_seconds,
        segment_count=len(transcript.segments),
        word_count=word_count,
        warnings=transcript.warnings,
        recorded_at=row.recorded_at,
    )


async def erase(conn: Connection, asset_id: UUID) -> None:
    """Every row of the asset."""
    await recognition.forget_transcription(conn, asset_id)
    await transcripts.forget_transcripts(conn, asset_id)
