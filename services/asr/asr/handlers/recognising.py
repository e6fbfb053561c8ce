"""Recognising: any worker takes any part, and the one that finishes the last part says so."""

from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from common.db import Database
from common.delivery import Delivery
from common.errors import Stale
from common.events import PartPlanned, TranscriptionRecognised
from common.transcript import Word

from asr import metrics
from asr.domain.cut import Part
from asr.domain.formats.documents import clock
from asr.domain.join import join_words
from asr.providers.engine import Recognised
from asr.providers.engines import Engines
from asr.providers.recordings import Recordings
from asr.queries import recognition
from asr.queries.recognition import Transcription

_CHECK_SECONDS = 2.0


@dataclass(frozen=True)
class Recognising:
    """Turns planned parts into words."""

    db: Database
    recordings: Recordings
    engines: Engines

    async def recognise_part(self, fact: PartPlanned, delivery: Delivery) -> None:
        """On ``part.planned``. Raises Stale when another plan has taken the place of the one the part is of."""
        await delivery.still_wanted()
        async with self.db.acquire() as conn:
            row = await recognition.read_transcription(conn, fact.asset_id)
            planned = await recognition.read_part(conn, fact.asset_id, fact.part_index)
        if row is None or planned is None or row.run != fact.run:
            raise Stale("the part belongs to no plan any more")
        words = planned.words
        if words is None:
            async with self.recordings.borrow(row.audio_uri, row.audio_sha256) as audio:
                words = await self._recognise(audio, row, planned.part, delivery)
        await self._record(words, fact, delivery)

    async def _recognise(self, audio: Path, row: Transcription, part: Part, delivery: Delivery) -> list[Word]:
        engine = self.engines.choose(row.engine)
        async with self.db.acquire() as conn:
            done, total = await recognition.speech_seconds(conn, row.asset_id)
        words: list[Word] = []
        started = checked = monotonic()
        async with aclosing(engine.recognise(audio, part.utterances)) as utterances:
            async for recognised in utterances:
                words += recognised.words
                done += recognised.utterance.seconds
                await _tell(delivery, row, recognised, done / total)
                if monotonic() - checked > _CHECK_SECONDS:
                    await delivery.still_wanted()
                    checked = monotonic()
        took = monotonic() - started
        metrics.part_recognised(
            engine.name, speech_seconds=part.speech_seconds, took_seconds=took, word_count=len(words)
        )
        return words

    async def _record(self, words: list[Word], fact: PartPlanned, delivery: Delivery) -> None:
        async with delivery.record() as rec:
            # The lock on the asset's row, which record() takes, lets parts finish one after another.
            await recognition.finish_part(rec.conn, fact.asset_id, fact.part_index, words)
            if not await recognition.unfinished_parts(rec.conn, fact.asset_id):
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
        for segment in join_words(recognised.words, row.options.key_terms)
    ]
    words = f"Recognising speech: {clock(end)} of {clock(row.duration_seconds)}"
    await delivery.progress(fraction, words, engine=row.engine, lines=lines)
