"""Recognising: any worker takes any part, and the one that finishes the last part says so."""

from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from common import crash, tracing
from common.clock import clock
from common.db import Database
from common.delivery import Delivery
from common.errors import Stale
from common.events import PartPlanned, TranscriptionRecognised
from common.transcript import Word

from asr import metrics
from asr.domain.casing import is_bare
from asr.domain.cut import Part
from asr.domain.join import join_words
from asr.domain.voices import Turn
from asr.handlers.speaking import Speakers
from asr.providers.engine import Recognised, Wishes
from asr.providers.engines import Engines
from asr.providers.recordings import Recordings
from asr.queries import recognition
from asr.queries.recognition import Transcription
from asr.queries.voices import Heard, save_turns, save_voices

_CHECK_SECONDS = 2.0


@dataclass(frozen=True)
class Said:
    """What an engine made of a part; ``turns`` where it tells voices apart itself."""

    words: list[Word]
    turns: list[Turn] = field(default_factory=list[Turn])
    warnings: dict[str, None] = field(default_factory=dict[str, None])


@dataclass(frozen=True)
class Recognising:
    """Turns planned parts into words."""

    db: Database
    recordings: Recordings
    engines: Engines
    speakers: Speakers

    async def recognise_part(self, fact: PartPlanned, delivery: Delivery) -> None:
        """On ``part.planned``. Raises Stale when another plan has taken the place of the one the part is of."""
        await delivery.still_wanted()
        async with self.db.acquire() as conn:
            row = await recognition.read_transcription(conn, fact.asset_id)
            planned = await recognition.read_part(conn, fact.asset_id, fact.part_index)
        if row is None or planned is None or row.run != fact.run:
            raise Stale("the part belongs to no plan any more")
        said = Said(planned.words or [])
        if planned.words is None:
            async with self.recordings.borrow(row.audio_uri, row.audio_sha256) as audio:
                with tracing.span("recognise", {"earshot.seconds": planned.part.speech_seconds}):
                    said = await self._recognise(audio, row, planned.part, delivery)
        heard = await self.speakers.hear(row, planned)
        crash.point("asr.part_recognised")
        await self._record(said, heard, fact, delivery)

    async def _recognise(self, audio: Path, row: Transcription, part: Part, delivery: Delivery) -> Said:
        engine = self.engines.choose(row.engine)
        tracing.note("earshot.engine", engine.name)
        async with self.db.acquire() as conn:
            done, total = await recognition.speech_seconds(conn, row.asset_id)
        wishes = Wishes(row.language, tuple(row.options.key_terms), row.options.initial_prompt or "")
        said = Said([])
        started = checked = monotonic()
        async with aclosing(engine.recognise(audio, part.utterances, wishes)) as utterances:
            async for recognised in utterances:
                said.words.extend(recognised.words)
                said.turns.extend(recognised.turns)
                said.warnings.update(dict.fromkeys(recognised.warnings))
                done += recognised.utterance.seconds
                await _tell(delivery, row, recognised, done / total)
                if monotonic() - checked > _CHECK_SECONDS:
                    await delivery.still_wanted()
                    checked = monotonic()
        took = monotonic() - started
        metrics.part_recognised(
            engine.name, speech_seconds=part.speech_seconds, took_seconds=took, word_count=len(said.words)
        )
        return said

    async def _record(self, said: Said, heard: Heard | None, fact: PartPlanned, delivery: Delivery) -> None:
        async with delivery.record() as rec:
            # The lock on the asset's row, which record() takes, lets parts finish one after another.
            finished = await recognition.finish_part(
                rec.conn, fact.asset_id, fact.part_index, said.words, list(said.warnings)
            )
            if finished and heard is not None:
                await save_voices(rec.conn, fact.asset_id, fact.part_index, heard)
            if finished and said.turns:
                await save_turns(rec.conn, fact.asset_id, fact.part_index, said.turns)
            crash.point("asr.part_saved")
            if finished and not await recognition.unfinished_parts(rec.conn, fact.asset_id):
                await recognition.set_state(rec.conn, fact.asset_id, "recognised")
                await rec.say(
                    TranscriptionRecognised(
                        asset_id=fact.asset_id,
                        run=fact.run,
                        collection_id=fact.collection_id,
                        priority=fact.priority,
                    )
                )


async def _tell(delivery: Delivery, row: Transcription, recognised: Recognised, fraction: float) -> None:
    """Progress with the newest lines, so that people read along while the part is not finished."""
    end = recognised.utterance.end
    lines = [
        {"start": segment.start, "end": segment.end, "text": segment.text}
        for segment in join_words(recognised.words, row.options.key_terms, bare=is_bare(row.engine))
    ]
    words = f"Recognising speech: {clock(end)} of {clock(row.duration_seconds)}"
    await delivery.progress(fraction, words, engine=row.engine, lines=lines)
