"""Captions that were fetched become a revision of the transcript; nothing is recognised unless there is sound, too."""

import asyncio
from dataclasses import dataclass

from common import assets, crash, topology
from common.db import Connection, Database
from common.delivery import Delivery
from common.errors import AlreadyHandled, CannotProcess, Stale
from common.events import CaptionsFetched, Fact, ProcessingRestarted
from common.transcript import Transcript

from asr import metrics
from asr.domain.captions.transcript import transcript_of
from asr.handlers.joining import (
    begin_identifying,
    read_corrected,
    read_decided,
    record_revisions,
    same_speakers,
    with_corrections,
)
from asr.handlers.planning import Planning
from asr.providers.documents import Documents
from asr.queries import captions, recognition
from asr.queries.captions import CaptionsRow
from asr.queries.recognition import Transcription
from asr.queries.suggestions import Decided
from asr.queries.transcripts import Making
from asr.reading import About

_STAGE = topology.stage_of("asr")


@dataclass(frozen=True)
class Captioning:
    """Takes up captions that were fetched, or that a later run begins with again."""

    db: Database
    documents: Documents
    planning: Planning
    # Whether somebody reads transcripts for names.
    names: bool = False

    async def take_captions(self, fact: CaptionsFetched, delivery: Delivery) -> None:
        """On ``captions.fetched``: rows, the JSON document in the store, and ``transcript.completed``."""
        await self._keep(fact)
        crash.point("asr.captions_kept")
        await self._transcribe(fact, delivery)

    async def restart(self, fact: ProcessingRestarted, delivery: Delivery) -> None:
        """On ``processing.restarted``: from our stage, a recording's sound is planned again, or its captions are read.

        Raises CannotProcess when the sound is asked for and there are only captions.
        """
        async with self.db.acquire() as conn:
            kept = await captions.read_captions(conn, fact.asset_id)
            sound = await recognition.read_transcription(conn, fact.asset_id)
        if fact.from_stage != _STAGE or kept is None or _is_to_be_heard(sound, fact):
            await self.planning.restart(fact, delivery)
            return
        async with self.db.transaction() as conn:
            # From here on an older run's work is stale.
            state = await assets.lock_asset(conn, fact.asset_id, fact.collection_id, fact.run)
        state.check(fact.run)
        if fact.recognise:
            raise CannotProcess(
                "There is no sound to listen to: this was added as a subtitle file.",
                category="no_audio",
                advice="Add its sound with POST /api/recordings/upload and its id as asset_id; the text stays.",
            )
        await self._transcribe(fact, delivery)

    async def _keep(self, fact: CaptionsFetched) -> None:
        """Note what was fetched even if this run is over: a later one starts from here, not from the fetch."""
        row = CaptionsRow(
            asset_id=fact.asset_id,
            run=fact.run,
            completed_run=0,
            captions_uri=fact.captions_uri,
            captions_sha256=fact.captions_sha256,
            title=fact.title,
            recorded_at=fact.recorded_at,
            options=fact.options,
        )
        async with self.db.transaction() as conn:
            state = await assets.lock_asset(conn, fact.asset_id, fact.collection_id, fact.run)
            if state.deleted_at is None:
                await captions.save_captions(conn, row)

    async def _transcribe(self, fact: Fact, delivery: Delivery) -> None:
        await delivery.still_wanted()
        async with self.db.acquire() as conn:
            row = await captions.read_captions(conn, fact.asset_id)
            state = await assets.read_asset(conn, fact.asset_id)
            corrected = await read_corrected(conn, fact.asset_id)
            decided = await read_decided(conn, fact.asset_id)
        if row is None or row.completed_run >= fact.run:
            raise Stale("this run has its transcript already")
        found = await self.documents.read_captions(row.captions_uri)
        revision = (state.revision if state else 0) + 1
        transcript = await asyncio.to_thread(transcript_of, found, fact.asset_id, revision, row.options.language)
        written = await asyncio.to_thread(with_corrections, transcript, corrected)
        known = await asyncio.to_thread(same_speakers, decided, transcript)
        await self._record(written, known, row, fact, delivery)

    async def _record(
        self,
        written: list[tuple[Transcript, Making]],
        known: list[Decided],
        row: CaptionsRow,
        fact: Fact,
        delivery: Delivery,
    ) -> None:
        kept = [await self.documents.keep(each) for each, _ in written]
        try:
            async with delivery.record() as rec:
                await _complete(rec.conn, fact)
                revisions = [(*each, document) for each, document in zip(written, kept, strict=True)]
                await record_revisions(rec, revisions, About(row.title, row.recorded_at), fact)
                await begin_identifying(rec.conn, revisions, known, voices=False, names=self.names)
        except (Stale, AlreadyHandled):
            await self.documents.discard(kept)
            raise
        metrics.recordings.labels("captions").inc()


def _is_to_be_heard(sound: Transcription | None, fact: ProcessingRestarted) -> bool:
    """Where there is sound, it once was to be transcribed, or is now."""
    return sound is not None and (fact.recognise or sound.state != "skipped")


async def _complete(conn: Connection, fact: Fact) -> None:
    if not await captions.complete_captions(conn, fact.asset_id, fact.run):
        raise Stale("this run has its transcript already")
