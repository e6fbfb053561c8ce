"""Joining: what is recognised becomes a revision of the transcript, or gives its times to the words of captions."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from common import assets, crash, objects
from common.assets import set_revision
from common.db import Connection, Database
from common.delivery import Delivery
from common.errors import AlreadyHandled, Stale, TryAgain
from common.events import Fact, TranscriptCompleted, TranscriptionRecognised
from common.objects import Kept
from common.recording import Recording
from common.transcript import Segment, Transcript, Word

from asr import metrics
from asr.domain.captions.transcript import heard_again, heard_transcript_of, is_captioned
from asr.domain.carrying import Carried, carry
from asr.domain.carrying_speakers import same_voices
from asr.domain.corrections import same_text
from asr.domain.join import Heading, join_parts
from asr.domain.warnings import edits_not_carried
from asr.handlers.speaking import Found, Speakers
from asr.providers.documents import Documents
from asr.providers.recordings import Recordings
from asr.queries import captions, recognition, suggestions, tasks, transcripts, voiceprints, voices
from asr.queries.captions import CaptionsRow
from asr.queries.recognition import Transcription
from asr.queries.suggestions import Decided
from asr.queries.transcripts import Making
from asr.reading import About, read_held

# A revision with how it came about and its document.
Written = tuple[Transcript, Making, Kept]


def heading_of(row: Transcription, revision: int, *, complete: bool, warnings: Sequence[str] = ()) -> Heading:
    return Heading(
        asset_id=row.asset_id,
        revision=revision,
        complete=complete,
        language=row.language,
        engine=row.engine,
        duration_seconds=row.duration_seconds,
        diarize=row.options.diarize and row.diarizer is None,
        key_terms=row.options.key_terms,
        warnings=warnings,
    )


@dataclass(frozen=True)
class Joining:
    """Makes transcripts."""

    db: Database
    documents: Documents
    recordings: Recordings
    speakers: Speakers
    # Whether somebody reads transcripts for names.
    names: bool = False

    async def join_transcript(self, fact: TranscriptionRecognised, delivery: Delivery) -> None:
        """On ``transcription.recognised``: rows, the JSON document in the store, and ``transcript.completed``."""
        await delivery.still_wanted()
        async with self.db.acquire() as conn:
            row = await recognition.read_transcription(conn, fact.asset_id)
            if row is None or row.run != fact.run or await recognition.unfinished_parts(conn, fact.asset_id):
                raise Stale("another plan has taken the place of the recognised one")
            if row.state == "completed":
                raise Stale("this run has its transcript already")
            parts = await recognition.recognised_words(conn, fact.asset_id)
            warnings = await recognition.part_warnings(conn, fact.asset_id)
            heard = await voices.read_voices(conn, fact.asset_id)
            state = await assets.read_asset(conn, fact.asset_id)
            captioned = await captions.read_captions(conn, fact.asset_id)
            corrected = await read_corrected(conn, fact.asset_id)
            decided = await read_decided(conn, fact.asset_id)
        heading = heading_of(row, (state.revision if state else 0) + 1, complete=True, warnings=warnings)
        if captioned is None:
            found = await self.speakers.tell_apart(row, parts, heard)
            transcript = await asyncio.to_thread(join_parts, heading, parts, found.speaking)
            written = await asyncio.to_thread(with_corrections, transcript, corrected)
        else:
            # Captions say who speaks, too.
            found, written = Found(None), await self._time_captions(captioned, heading, parts, corrected)
        crash.point("asr.transcript_joined")
        kept = [await self.documents.keep(each) for each, _ in written]
        try:
            revisions = [(*each, document) for each, document in zip(written, kept, strict=True)]
            known = await asyncio.to_thread(same_speakers, decided, written[0][0])
            await self._record(revisions, known, found, row, fact, delivery)
        except (Stale, AlreadyHandled):
            await self.documents.discard(kept)
            raise
        finally:
            self.recordings.forget(row.audio_sha256)

    async def _time_captions(
        self,
        row: CaptionsRow,
        heading: Heading,
        parts: Sequence[Sequence[Word]],
        corrected: tuple[Transcript, Transcript] | None,
    ) -> list[tuple[Transcript, Making]]:
        read = await self.documents.read_captions(row.captions_uri)
        heard = [word for part in parts for word in part]
        transcript = await asyncio.to_thread(heard_transcript_of, read, heading, heard, row.options.language)
        return await asyncio.to_thread(with_corrections, transcript, corrected, heard)

    async def _record(
        self,
        revisions: Sequence[Written],
        known: Sequence[Decided],
        found: Found,
        row: Transcription,
        fact: TranscriptionRecognised,
        delivery: Delivery,
    ) -> None:
        async with delivery.record() as rec:
            await record_revisions(rec, revisions, About(row.title, row.recorded_at), fact)
            await voices.save_voiceprints(rec.conn, fact.asset_id, revisions[0][0].revision, found.voiceprints)
            await begin_identifying(rec.conn, revisions, known, voices=bool(found.voiceprints), names=self.names)
            await recognition.set_state(rec.conn, fact.asset_id, "completed")
        metrics.recordings.labels("completed" if revisions[0][0].segments else "no_speech").inc()


async def record_revisions(rec: Recording, revisions: Sequence[Written], about: About, fact: Fact) -> None:
    """The machine's own text and, where people had corrected an earlier one, the revision that counts behind it.

    Raises TryAgain when another revision came first: it may be a correction that is to be made again, too.
    """
    if rec.asset.revision + 1 != revisions[0][0].revision:
        raise TryAgain("another revision of the transcript appeared meanwhile")
    for transcript, making, kept in revisions:
        words = _count_words(transcript)
        await transcripts.save_transcript(rec.conn, transcript, fact.run, words, kept.uri, making)
        await transcripts.save_segments(rec.conn, transcript)
        crash.point("asr.transcript_saved")
        await objects.refer(rec.conn, kept, fact.asset_id, f"transcript-{transcript.revision}")
    transcript, _, kept = revisions[-1]
    await set_revision(rec.conn, fact.asset_id, transcript.revision)
    await rec.say(_completed(transcript, kept, about, fact))


async def begin_identifying(
    conn: Connection, revisions: Sequence[Written], known: Sequence[Decided], *, voices: bool, names: bool
) -> None:
    """What was decided about speakers holds of the new ones; who they are is looked for behind the transcript."""
    first = revisions[0][0]
    await suggestions.carry_decisions(conn, first.asset_id, first.revision, known)
    settled = await voiceprints.settle_voiceprints(conn, first.asset_id)
    await tasks.ask_to_match(conn, settled.gained, settled.lost)
    if voices:
        await tasks.ask(conn, "match", first.asset_id)
    if names and first.segments:
        await tasks.ask(conn, "names", first.asset_id)


async def read_decided(conn: Connection, asset_id: UUID) -> list[tuple[int, list[Segment]]]:
    """The machine's texts about whose speakers something is decided, newest first."""
    revisions = await suggestions.decided_revisions(conn, asset_id)
    return [(revision, await transcripts.read_segments(conn, asset_id, revision)) for revision in revisions]


def same_speakers(decided: Sequence[tuple[int, list[Segment]]], transcript: Transcript) -> list[Decided]:
    """Who of the earlier texts' speakers talks when a speaker of this one does."""
    return [Decided(revision, same_voices(segments, transcript.segments)) for revision, segments in decided]


async def read_corrected(conn: Connection, asset_id: UUID) -> tuple[Transcript, Transcript] | None:
    """What a machine wrote and what people made of it; None where nobody corrected the newest revision."""
    edited = await read_held(conn, asset_id)
    base = await read_held(conn, asset_id, edited.revision.base_revision) if edited and edited.corrected else None
    return (base.transcript, edited.transcript) if base and edited else None


def with_corrections(
    transcript: Transcript, corrected: tuple[Transcript, Transcript] | None, heard: Sequence[Word] | None = None
) -> list[tuple[Transcript, Making]]:
    """The transcript, and behind it the revision in which people's earlier corrections are made again.

    ``heard``: recognised words, where the transcript has their times and the text of captions.
    """
    if corrected is None:
        return [(transcript, Making())]
    base, edited = corrected
    if heard is not None and is_captioned(base.engine):
        # The same captions, so that every correction fits.
        carried = Carried(heard_again(edited, transcript, heard), 0)
    else:
        carried = carry(base, edited, transcript)
    warnings = transcript.warnings + [edits_not_carried(carried.lost, edited.revision)] * bool(carried.lost)
    if same_text(carried.transcript, transcript):
        return [(transcript.model_copy(update={"warnings": warnings}), Making())]
    again = carried.transcript.model_copy(update={"revision": transcript.revision + 1, "warnings": warnings})
    return [(transcript, Making()), (again, Making("carried", base_revision=transcript.revision))]


def _count_words(transcript: Transcript) -> int:
    return sum(len(segment.words or ()) for segment in transcript.segments)


def _completed(transcript: Transcript, kept: Kept, about: About, fact: Fact) -> TranscriptCompleted:
    return TranscriptCompleted(
        asset_id=fact.asset_id,
        run=fact.run,
        collection_id=fact.collection_id,
        priority=fact.priority,
        revision=transcript.revision,
        transcript_uri=kept.uri,
        transcript_sha256=kept.sha256,
        title=about.title,
        language=transcript.language,
        engine=transcript.engine,
        duration_seconds=transcript.duration_seconds,
        segment_count=len(transcript.segments),
        word_count=_count_words(transcript),
        warnings=transcript.warnings,
        recorded_at=about.recorded_at,
    )


async def erase(conn: Connection, asset_id: UUID) -> None:
    """Every row of the asset, with what it gave to profiles; what was suggested because of it is looked at again."""
    lost = await voiceprints.gave_to(conn, asset_id)
    await recognition.forget_transcription(conn, asset_id)
    await captions.forget_captions(conn, asset_id)
    await transcripts.forget_transcripts(conn, asset_id)
    await tasks.ask_to_match(conn, (), lost)
    await tasks.forget(conn, asset_id)
