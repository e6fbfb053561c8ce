"""Writes one summary as work that any worker goes on with: reads the transcript, takes notes, puts them together."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from time import monotonic
from typing import Any

from common.db import Database
from common.delivery import Delivery
from common.errors import CannotProcess, Continue, Stale, TryAgain
from common.events import ProcessingFailed, SummaryCompleted, SummaryPlanned
from common.logs import get_logger
from common.recording import Recording
from common.transcript import Transcript

from chat import metrics
from chat.domain import summary_prompts
from chat.domain.assembling import Assembly
from chat.domain.budget import USUAL_WINDOW, Budget
from chat.domain.chaptering import Chapter, find_chapters, name_chapters, tidy
from chat.domain.citations import Citation
from chat.domain.extracts import extract
from chat.domain.findings import Notes, complete
from chat.domain.purposes import SUMMARY, SUMMARY_NOTES
from chat.domain.stretches import About, Piece, Stretch, pieces_of, stretches_of, whole
from chat.domain.summary import Template
from chat.domain.summary_prompts import Wordings
from chat.modelling import ModelFailed
from chat.noting import Noting
from chat.providers.choice import EXTRACTIVE, Writers
from chat.providers.transcripts import Transcripts
from chat.queries import reading, summaries
from chat.queries.guidance import prompt_texts
from chat.queries.summary_rows import ChaptersRow, NewSummary, TranscriptRow, WorkRow
from chat.settings import ChatSettings
from chat.supporting import Supporting

log = get_logger()

_ATTEMPTS = 5
# After this long the message goes back, for any worker to go on with; one more reply may come on top.
_TURN_SECONDS = 240.0
WITHOUT_MODEL = (
    "Made without a language model: every statement is a sentence of the recording, chosen by its words. Tasks and "
    "decisions are only those that are announced as such; what is implied, or said in many places, is missing."
)


@dataclass(frozen=True)
class Made:
    """A summary before it is kept."""

    content: dict[str, Any]
    citations: list[dict[str, Any]]
    chapters: Sequence[Chapter]
    language: str
    dropped: int = 0
    note: str | None = None
    usage: dict[str, Any] | None = None


@dataclass(frozen=True)
class _Source:
    """What a summary is made from."""

    about: About
    pieces: Sequence[Piece]
    duration_seconds: float
    language: str

    @property
    def names(self) -> list[str]:
        return list(dict.fromkeys(piece.speaker for piece in self.pieces if piece.speaker))


@dataclass(frozen=True)
class Summarising:
    """The handler of ``summary.planned``."""

    db: Database
    transcripts: Transcripts
    writers: Writers
    supporting: Supporting
    settings: ChatSettings

    async def write(self, fact: SummaryPlanned, delivery: Delivery) -> None:
        """It counts whatever becomes of the run that the transcript was made in; a deletion alone ends it."""
        delivery = replace(delivery, any_run=True, live=None)
        async with self.db.acquire() as conn:
            work = await summaries.read_work(conn, fact.asset_id)
            transcript = await summaries.read_transcript(conn, fact.asset_id)
        if work is None or work.id != fact.work_id or work.state != "running" or transcript is None:
            raise Stale("this summary is written already, or wanted no more")
        if transcript.revision != work.revision:
            raise Stale(f"the transcript is at revision {transcript.revision} now")
        try:
            made = await self._make(work, transcript, delivery)
        except ModelFailed as failed:
            await self._try_again_or_fail(work, delivery, failed)
        except CannotProcess as failed:
            await self._fail(work, delivery, failed)
        except TryAgain as trouble:
            if delivery.attempt < trouble.attempts:
                raise
            await self._fail(work, delivery, CannotProcess(trouble.message, category=trouble.category))
        else:
            await self._finish(work, made, delivery)

    async def _make(self, work: WorkRow, row: TranscriptRow, delivery: Delivery) -> Made:
        transcript = await self.transcripts.read(row)
        async with self.db.acquire() as conn:
            silent = await reading.without_media(conn, [row.asset_id])
        about = About(row.asset_id, work.collection_id, row.title, row.revision, playable=not silent)
        source = await asyncio.to_thread(_source, transcript, about)
        if not source.pieces:
            raise CannotProcess("Nothing is said in the recording.", category="empty", advice="There is nothing to do.")
        if work.model == EXTRACTIVE:
            return await asyncio.to_thread(_extracted, source, Template.model_validate(work.template))
        return await self._ask_model(work, source, delivery)

    async def _ask_model(self, work: WorkRow, source: _Source, delivery: Delivery) -> Made:
        window = self.settings.summary_window_tokens or await self.writers.window_tokens(work.model) or USUAL_WINDOW
        template = Template.model_validate(work.template)
        wordings = await self._wordings()
        rules = summary_prompts.map_prompt(Stretch(()), template, wordings).system
        budget = Budget.of(window, rules, self.settings.max_tokens)
        stretches = await asyncio.to_thread(
            stretches_of, source.pieces, source.about, source.duration_seconds, budget.text
        )
        pause = _Turn(self.db, work, delivery).pause
        noting = Noting(
            self.db,
            self.writers,
            self.supporting,
            work,
            source.names,
            budget,
            self.settings.summary_calls,
            pause,
            wordings,
        )
        noted = await noting.map(stretches)
        findings = [finding for notes in noted for finding in notes.findings]
        if not findings:
            await self._forget_nodes(work)
            raise ModelFailed(
                "Of what the model wrote nothing is said in the recording.",
                'Take another model, or "extractive", which needs none.',
                passing=False,
            )
        merged = await noting.reduce(findings, stretches)
        chosen = complete(merged.findings, findings)
        chapters = _chapters(noted, source)
        assembly = Assembly(stretches)
        content = assembly.content(chosen, findings, chapters, source.names, template)
        return Made(
            content=content.model_dump(),
            citations=_stored(assembly.citations),
            chapters=chapters,
            language=source.language,
            dropped=merged.dropped + sum(notes.dropped for notes in noted),
            usage=noting.usage,
        )

    async def _wordings(self) -> Wordings:
        async with self.db.acquire() as conn:
            return Wordings(*await prompt_texts(conn, SUMMARY_NOTES, SUMMARY))

    async def _forget_nodes(self, work: WorkRow) -> None:
        """So that asking again asks the model again."""
        async with self.db.acquire() as conn:
            await summaries.forget_nodes(conn, work.asset_id)

    async def _finish(self, work: WorkRow, made: Made, delivery: Delivery) -> None:
        async with delivery.record() as rec:
            if not await summaries.end_work(rec.conn, work.id):
                raise Stale("this summary is wanted no more")
            await summaries.save_chapters(rec.conn, _chapters_row(work, made))
            await summaries.forget_nodes(rec.conn, work.asset_id, work.revision)
            await self._keep(rec, work, made)
        self._count(work, "written")

    async def _keep(self, rec: Recording, work: WorkRow, made: Made) -> None:
        newest = await summaries.read_summary(rec.conn, work.asset_id)
        if newest is not None and newest.version != work.base_version:
            # Somebody has written it by hand meanwhile, which counts for more.
            return
        version = await summaries.add_summary(rec.conn, _summary_row(work, made))
        await rec.say(
            SummaryCompleted(
                asset_id=work.asset_id,
                run=work.run,
                collection_id=work.collection_id,
                priority=work.priority,
                revision=work.revision,
                version=version,
                model=work.model,
            )
        )

    async def _try_again_or_fail(self, work: WorkRow, delivery: Delivery, failed: ModelFailed) -> None:
        if failed.passing and delivery.attempt < _ATTEMPTS:
            raise TryAgain(failed.message, attempts=_ATTEMPTS) from failed
        trouble = CannotProcess(failed.message, category="unavailable", advice=failed.advice, retryable=failed.passing)
        await self._fail(work, delivery, trouble)

    async def _fail(self, work: WorkRow, delivery: Delivery, failed: CannotProcess) -> None:
        """Told with the summary, and among what happened to the asset; the asset's own job is none of its business."""
        async with delivery.record() as rec:
            if not await summaries.end_work(rec.conn, work.id, {"message": failed.message, "advice": failed.advice}):
                raise Stale("this summary is wanted no more")
            await rec.say(
                ProcessingFailed(
                    asset_id=work.asset_id,
                    run=work.run,
                    collection_id=work.collection_id,
                    priority=work.priority,
                    stage="summarise",
                    category=failed.category,
                    message=failed.message[:2000],
                    advice=failed.advice[:2000],
                    retryable=failed.retryable,
                )
            )
        self._count(work, "failed")

    def _count(self, work: WorkRow, outcome: str) -> None:
        metrics.summaries.labels(self.writers.provider_of(work.model), outcome).inc()
        log.info("summary_ended", outcome=outcome, model=work.model, revision=work.revision)


class _Turn:
    """How long one delivery may go on."""

    def __init__(self, db: Database, work: WorkRow, delivery: Delivery) -> None:
        self._db = db
        self._work = work
        self._delivery = delivery
        self._begun = monotonic()
        self._found: int | None = None

    async def pause(self, done: int, total: int) -> None:
        """Raises Stale, Leaving, or Continue when others shall have their turn; what is answered by then is kept."""
        await self._delivery.still_wanted()
        async with self._db.acquire() as conn:
            if not await summaries.note_steps(conn, self._work.id, done, total):
                raise Stale("this summary is wanted no more")
        if self._found is None:
            self._found = done
        # Not before something was done: else a slow start would go round for ever.
        if done > self._found and monotonic() - self._begun > _TURN_SECONDS:
            raise Continue


def _source(transcript: Transcript, about: About) -> _Source:
    pieces = pieces_of(transcript)
    end = max([transcript.duration_seconds, *(piece.end_seconds for piece in pieces)])
    return _Source(about, pieces, end, transcript.language)


def _extracted(source: _Source, template: Template) -> Made:
    stretch = whole(source.pieces, source.about)
    chapters = find_chapters(source.pieces, source.duration_seconds)
    notes, chosen = extract(stretch, chapters)
    assembly = Assembly([stretch])
    content = assembly.content(chosen, notes, chapters, source.names, _without_sections(template))
    return Made(
        content=content.model_dump(),
        citations=_stored(assembly.citations),
        chapters=chapters,
        language=source.language,
        note=WITHOUT_MODEL,
    )


def _without_sections(template: Template) -> Template:
    """Sections of one's own need somebody who understands what belongs there."""
    return template.model_copy(update={"sections": []})


def _chapters(noted: Sequence[Notes], source: _Source) -> list[Chapter]:
    openings = [Chapter(one.title, one.seconds, one.seconds) for notes in noted for one in notes.openings]
    if not openings:
        return find_chapters(source.pieces, source.duration_seconds)
    return name_chapters(tidy(openings, source.duration_seconds), source.pieces)


def _stored(citations: Sequence[Citation]) -> list[dict[str, Any]]:
    """Without what the asset's row says already, and may say otherwise later."""
    return [
        {key: value for key, value in asdict(one).items() if key not in ("asset_id", "chunk_id", "revision", "kind")}
        for one in citations
    ]


def chapters_json(chapters: Sequence[Chapter]) -> list[dict[str, Any]]:
    return [asdict(chapter) for chapter in chapters]


def _chapters_row(work: WorkRow, made: Made) -> ChaptersRow:
    return ChaptersRow(work.asset_id, work.revision, work.model, chapters_json(made.chapters))


def _summary_row(work: WorkRow, made: Made) -> NewSummary:
    return NewSummary(
        asset_id=work.asset_id,
        revision=work.revision,
        edited=False,
        model=work.model,
        template=Template.model_validate(work.template).name,
        language=made.language,
        content=made.content,
        citations=made.citations,
        dropped=made.dropped,
        note=made.note,
        usage=made.usage,
        user_id=work.user_id,
    )
