"""Planning: where speech is in a fetched recording, and which parts it is recognised in."""

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path

from common import assets, topology
from common.db import Database
from common.delivery import Delivery
from common.errors import CannotProcess, TryAgain
from common.events import Fact, PartPlanned, ProcessingRestarted, RecordingFetched, TranscriptionRecognised

from asr import metrics
from asr.domain.cut import Part, cut_parts, part_fingerprint
from asr.domain.spans import SpeechRules, find_speech
from asr.providers.engine import Engine
from asr.providers.engines import Engines, choose_language
from asr.providers.listening import listen
from asr.providers.recordings import Recordings
from asr.queries import recognition
from asr.queries.recognition import Transcription

# Law 4: no part is longer, whatever the setting.
LONGEST_PART_SECONDS = 300.0
_STAGE = topology.stage_of("asr")


@dataclass(frozen=True)
class Planning:
    """Takes up recordings that were fetched, or that are to be recognised again."""

    db: Database
    recordings: Recordings
    engines: Engines
    part_seconds: float
    rules: SpeechRules

    async def plan_recording(self, fact: RecordingFetched, delivery: Delivery) -> None:
        """On ``recording.fetched``: one ``part.planned`` for each part; nothing when no transcript is wanted."""
        engine = self.engines.choose(fact.options.engine)
        row = Transcription(
            asset_id=fact.asset_id,
            run=fact.run,
            state="planned" if fact.options.transcribe else "skipped",
            audio_uri=fact.audio_uri,
            audio_sha256=fact.audio_sha256,
            audio_bytes=fact.audio_bytes,
            duration_seconds=fact.duration_seconds,
            title=fact.title,
            recorded_at=fact.recorded_at,
            options=fact.options,
            language=choose_language(engine, fact.options.language),
            engine=engine.name,
        )
        await self._keep(row, fact)
        if row.state == "skipped":
            # Kept all the same: a restart from this stage is how somebody asks for the transcript later.
            await self._record(row, engine, [], fact, delivery)
        else:
            await self._plan(row, engine, fact, delivery)

    async def restart(self, fact: ProcessingRestarted, delivery: Delivery) -> None:
        """On ``processing.restarted``: the run rises; from our stage, the kept recording is planned again.

        Parts that were recognised under the same settings are not recognised again. Raises TryAgain when
        nothing was fetched yet.
        """
        if fact.from_stage != _STAGE:
            async with delivery.record():
                return
        async with self.db.acquire() as conn:
            kept = await recognition.read_transcription(conn, fact.asset_id)
        if kept is None:
            # The fetched recording may still be on its way to us.
            raise TryAgain(
                "There is no sound to recognise yet.",
                category="not_found",
                advice="Retry from the fetch stage.",
                attempts=4,
            )
        engine = self.engines.choose(kept.options.engine)
        language = choose_language(engine, kept.options.language)
        row = replace(kept, run=fact.run, state="planned", engine=engine.name, language=language)
        await self._plan(row, engine, fact, delivery)

    async def _keep(self, row: Transcription, fact: RecordingFetched) -> None:
        """Note what was fetched even if this run is cancelled: a later one starts from here, not from the fetch."""
        async with self.db.transaction() as conn:
            state = await assets.lock_asset(conn, fact.asset_id, fact.collection_id, fact.run)
            kept = await recognition.read_transcription(conn, fact.asset_id)
            wanted = state.deleted_at is None and fact.run >= state.run
            if wanted and (kept is None or kept.run < fact.run):
                await recognition.save_transcription(conn, row)

    async def _plan(self, row: Transcription, engine: Engine, fact: Fact, delivery: Delivery) -> None:
        await delivery.still_wanted()
        await delivery.progress(0.0, "Looking for speech")
        try:
            async with self.recordings.borrow(row.audio_uri, row.audio_sha256) as audio:
                parts = await asyncio.to_thread(self._parts_of, audio)
        except CannotProcess:
            self.recordings.forget(row.audio_sha256)
            raise
        await self._record(row, engine, parts, fact, delivery)
        if not parts:
            self.recordings.forget(row.audio_sha256)

    def _parts_of(self, audio: Path) -> list[Part]:
        return cut_parts(find_speech(listen(audio), self.rules), self.part_seconds, LONGEST_PART_SECONDS)

    async def _record(
        self, row: Transcription, engine: Engine, parts: list[Part], fact: Fact, delivery: Delivery
    ) -> None:
        """The plan and its facts. What earlier runs recognised from the same sound stays."""
        async with delivery.record() as rec:
            await recognition.save_transcription(rec.conn, row)
            ingredients = (row.audio_sha256, engine.fingerprint, row.language)
            fingerprints = [(part, part_fingerprint(part, *ingredients)) for part in parts]
            await recognition.save_parts(rec.conn, row.asset_id, fingerprints)
            await recognition.drop_parts_from(rec.conn, row.asset_id, len(parts))
            if row.state == "skipped":
                metrics.recordings.labels("skipped").inc()
                return
            address = fact.model_dump(include={"asset_id", "run", "collection_id", "priority"})
            unfinished = await recognition.unfinished_parts(rec.conn, row.asset_id)
            await rec.say(*(PartPlanned(**address, part_index=index) for index in unfinished))
            if not unfinished:
                await recognition.set_state(rec.conn, row.asset_id, "recognised")
                await rec.say(TranscriptionRecognised(**address))
