"""Planning: where speech is in a fetched recording, and which parts it is recognised in."""

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

from common import assets, crash, topology
from common.db import Database
from common.delivery import Delivery
from common.errors import CannotProcess, Stale, TryAgain
from common.events import (
    Fact,
    PartPlanned,
    ProcessingRestarted,
    RecordingFetched,
    RecordingOptions,
    TranscriptionRecognised,
)

from asr import metrics
from asr.domain.cut import Part, cut_parts, part_fingerprint
from asr.domain.spans import Span, SpeechRules, find_speech
from asr.domain.windows import windows_of
from asr.handlers.speaking import Speakers, voices_fingerprint
from asr.providers.engine import Engine
from asr.providers.engines import Engines, choose_language
from asr.providers.listening import listen
from asr.providers.recordings import Recordings
from asr.queries import recognition
from asr.queries.captions import read_captions
from asr.queries.recognition import Transcription

# Law 4: no part is longer, whatever the setting.
LONGEST_PART_SECONDS = 300.0
# In the place of a language that nobody named.
NOT_FOUND_YET = ""
_STAGE = topology.stage_of("asr")


@dataclass(frozen=True)
class Planning:
    """Takes up recordings that were fetched, or that are to be recognised again."""

    db: Database
    recordings: Recordings
    engines: Engines
    speakers: Speakers
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
            language=choose_language(engine, fact.options.language) or NOT_FOUND_YET,
            engine=engine.name,
            diarizer=await self._diarizer(fact.asset_id, fact.options),
        )
        await self._keep(row, fact)
        crash.point("asr.transcription_kept")
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
        async with self.db.transaction() as conn:
            # From here on an older run's work is stale, even if nothing has been fetched yet.
            state = await assets.lock_asset(conn, fact.asset_id, fact.collection_id, fact.run)
            kept = await recognition.read_transcription(conn, fact.asset_id)
        state.check(fact.run)
        if kept is None:
            # The fetched recording may still be on its way to us.
            raise TryAgain(
                "There is no sound to recognise yet.",
                category="not_found",
                advice="Retry from the fetch stage.",
            )
        engine = self.engines.choose(kept.options.engine)
        language = choose_language(engine, kept.options.language) or NOT_FOUND_YET
        row = replace(
            kept,
            run=fact.run,
            state="planned",
            engine=engine.name,
            language=language,
            diarizer=await self._diarizer(fact.asset_id, kept.options),
        )
        await self._plan(row, engine, fact, delivery)

    async def _diarizer(self, asset_id: UUID, options: RecordingOptions) -> str | None:
        """Nobody looks for the voices of a recording whose captions give the text: who speaks is theirs to say."""
        async with self.db.acquire() as conn:
            captioned = await read_captions(conn, asset_id) is not None
        return self.speakers.wanted_for(options.diarize and not captioned)

    async def _keep(self, row: Transcription, fact: RecordingFetched) -> None:
        """Note what was fetched even if this run is over: a later one starts from here, not from the fetch."""
        async with self.db.transaction() as conn:
            state = await assets.lock_asset(conn, fact.asset_id, fact.collection_id, fact.run)
            kept = await recognition.read_transcription(conn, fact.asset_id)
            if state.deleted_at is None and (kept is None or kept.run < fact.run):
                await recognition.save_transcription(conn, row)

    async def _plan(self, row: Transcription, engine: Engine, fact: Fact, delivery: Delivery) -> None:
        await delivery.still_wanted()
        await delivery.progress(0.0, "Looking for speech")
        try:
            async with self.recordings.borrow(row.audio_uri, row.audio_sha256) as audio:
                utterances = windows_of(await asyncio.to_thread(self._speech_in, audio), engine.window_seconds)
                if row.language == NOT_FOUND_YET:
                    row = replace(row, language=await engine.find_language(audio, utterances))
            parts = cut_parts(utterances, self.part_seconds, LONGEST_PART_SECONDS)
        except CannotProcess:
            self.recordings.forget(row.audio_sha256)
            recognised = await self._recognised_before(row, engine)
            if recognised is None:
                raise
            row, parts = recognised
        crash.point("asr.speech_found")
        await self._record(row, engine, parts, fact, delivery)
        if not parts:
            self.recordings.forget(row.audio_sha256)

    async def _recognised_before(self, row: Transcription, engine: Engine) -> tuple[Transcription, list[Part]] | None:
        """The plan of an earlier run that needs the sound no more: every part is recognised under the same settings.

        So a run that was called off just as its transcript was complete can be taken up again where no sound is kept.
        """
        async with self.db.acquire() as conn:
            held = await recognition.read_transcription(conn, row.asset_id)
            plan = await recognition.recognised_parts(conn, row.asset_id)
        if held is None or held.state != "completed" or held.audio_sha256 != row.audio_sha256 or plan is None:
            return None
        row = replace(row, language=row.language or held.language)
        same = all(fingerprint == _fingerprint(part, row, engine) for part, fingerprint in plan)
        return (row, [part for part, _ in plan]) if same else None

    def _speech_in(self, audio: Path) -> list[Span]:
        return find_speech(listen(audio), self.rules)

    async def _record(
        self, row: Transcription, engine: Engine, parts: list[Part], fact: Fact, delivery: Delivery
    ) -> None:
        """The plan and its facts. What earlier runs recognised from the same sound stays."""
        async with delivery.record() as rec:
            held = await recognition.read_transcription(rec.conn, row.asset_id)
            if held is not None and held.run == row.run and held.state in ("recognised", "completed"):
                # A parked message that had been handled was replayed.
                raise Stale("every part of this run is recognised already")
            await recognition.save_transcription(rec.conn, row)
            await recognition.save_parts(rec.conn, row.asset_id, _fingerprints(parts, row, engine))
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


def _fingerprint(part: Part, row: Transcription, engine: Engine) -> str:
    # No term is empty, so that none can be taken for a prompt.
    prompt = ["", row.options.initial_prompt] if row.options.initial_prompt else []
    ingredients = (row.audio_sha256, engine.fingerprint, row.language, *row.options.key_terms, *prompt)
    return part_fingerprint(part, *ingredients)


def _fingerprints(parts: list[Part], row: Transcription, engine: Engine) -> list[tuple[Part, str, str | None]]:
    """Of the words and of the voices of each part."""
    ends = [*(part.start for part in parts[1:]), None]
    return [
        (part, _fingerprint(part, row, engine), voices_fingerprint(part, until, row))
        for part, until in zip(parts, ends, strict=False)
    ]
