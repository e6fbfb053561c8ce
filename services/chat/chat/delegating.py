"""Has summaries written by an external summariser: begins a job, polls it, settles what comes back like a model's."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from common.db import Database
from common.errors import CannotProcess, Continue, TryAgain
from common.logs import get_logger
from common.topology import DELAYS

from chat.domain.findings import Finding, Notes, Opening
from chat.domain.orders import Order, Result, statements_of
from chat.domain.stretches import Stretch
from chat.domain.summary import Template
from chat.providers.summariser import Away, Job, Refused, Summariser, brief
from chat.queries import summary_jobs
from chat.queries.summary_jobs import JobRow
from chat.queries.summary_rows import WorkRow
from chat.supporting import Supporting

log = get_logger()

_POLL_SECONDS, _TROUBLE_SECONDS, _ = DELAYS
_ATTEMPTS = 5
# A summariser that loses a job twice would lose it again.
_MOST_STARTS = 2
_ENDED_AT_ONCE = 20
_TELL_AGAIN_SECONDS = 60.0
# An hour: then the summariser is left to forget it by itself.
_MOST_TOLD = 60
_STEPS = 100
_CHECK = "Ask the administrator to check the address and the key (CHAT_SUMMARISER_… settings), or name another model."

Pause = Callable[[int, int], Awaitable[None]]


@dataclass(frozen=True)
class Delegated:
    """Settled: ``chosen`` make the summary, ``told`` its topics, which begin at ``openings``."""

    chosen: Sequence[Finding]
    told: Sequence[Finding]
    openings: Sequence[Opening]
    dropped: int


@dataclass(frozen=True)
class Delegating:
    """A job may take ``longest_seconds``. Between two looks at it no message is held, and no worker waits."""

    db: Database
    summariser: Summariser
    supporting: Supporting
    longest_seconds: float

    async def result(self, work: WorkRow, order: Callable[[], Awaitable[Order]], pause: Pause) -> Result:
        """What the summariser made of the ``order``.

        Raises Continue until it is there, TryAgain while no job can be begun, CannotProcess, and whatever ``pause``
        raises.
        """
        async with self.db.acquire() as conn:
            row = await summary_jobs.read_job(conn, work.id)
        if row is None:
            await pause(0, _STEPS)
            await self._begin(work, await order(), 1)
            raise Continue(_POLL_SECONDS)
        return await self._poll(work, row, order, pause)

    async def settle(self, result: Result, stretch: Stretch, names: Sequence[str], template: Template) -> Delegated:
        """Of its statements those that are said; ``stretch`` is all of the transcript. Raises CannotProcess."""
        statements = statements_of(result, stretch, template)
        chosen = await self.supporting.of_stretch(statements.chosen, stretch, names)
        told = await self.supporting.of_stretch(statements.told, stretch, names)
        if not chosen.findings and not told.findings:
            raise CannotProcess(
                "Of what the summariser wrote nothing is said in the recording.",
                category="unavailable",
                advice='Name another model, or "extractive", which needs none.',
                retryable=False,
            )
        dropped = chosen.dropped + told.dropped + statements.left_out
        return Delegated(chosen.findings, _or_chosen(told, chosen), statements.openings, dropped)

    async def end_unwanted(self) -> None:
        """Tell the summariser which jobs are over: done, replaced, given up, or of recordings that are deleted."""
        async with self.db.transaction() as conn:
            jobs = await summary_jobs.claim_unwanted(conn, _ENDED_AT_ONCE, _TELL_AGAIN_SECONDS)
        for work_id, job_id, tries in jobs:
            try:
                await self.summariser.end(job_id)
            except (Away, Refused) as error:
                log.warning("summary_job_not_ended", error=str(error), tries=tries)
                if tries < _MOST_TOLD:
                    continue
            async with self.db.acquire() as conn:
                await summary_jobs.delete_job(conn, work_id, job_id)

    async def _begin(self, work: WorkRow, order: Order, start: int) -> None:
        """A worker that dies before it has kept the id is given the same job by the same key."""
        try:
            job_id = await self.summariser.begin(f"{work.id}.{start}", order)
        except Away as error:
            raise TryAgain(f"The summariser is away: {error}.", advice=_CHECK, attempts=_ATTEMPTS) from error
        except Refused as error:
            raise _refused(f"The summariser refused the transcript: {error}.") from error
        async with self.db.acquire() as conn:
            await summary_jobs.save_job(conn, work.id, job_id, start)
        log.info("summary_job_begun", work_id=str(work.id), start=start)

    async def _poll(self, work: WorkRow, row: JobRow, order: Callable[[], Awaitable[Order]], pause: Pause) -> Result:
        await pause(work.steps_done, _STEPS)
        wait = _POLL_SECONDS
        try:
            job = await self.summariser.look(row.job_id)
        except Away as error:
            log.warning("summary_job_not_seen", error=str(error))
            job, wait = Job(state="running"), _TROUBLE_SECONDS
        except Refused as error:
            raise _refused(f"The summariser's answer cannot be used: {error}.") from error
        if job is None:
            await self._begin_again(work, row, order)
        elif job.state == "done" and job.result is not None:
            return job.result
        elif job.state == "failed":
            raise _failed(job)
        else:
            await pause(max(work.steps_done, int(job.progress * _STEPS)), _STEPS)
        if row.age_seconds > self.longest_seconds:
            raise self._too_slow()
        raise Continue(wait)

    async def _begin_again(self, work: WorkRow, row: JobRow, order: Callable[[], Awaitable[Order]]) -> None:
        log.warning("summary_job_lost", starts=row.starts)
        if row.starts >= _MOST_STARTS:
            raise CannotProcess("The summariser has lost the job twice.", category="unavailable", advice=_CHECK)
        await self._begin(work, await order(), row.starts + 1)

    def _too_slow(self) -> CannotProcess:
        return CannotProcess(
            f"The summariser was not done after {self.longest_seconds / 60:.0f} min.",
            category="timeout",
            advice="Ask for it again later, name another model, or ask the administrator for a longer "
            "CHAT_SUMMARISER_MINUTES.",
        )


def not_set_up() -> CannotProcess:
    """Of work that was asked for while there was a summariser."""
    return CannotProcess(
        "There is no external summariser any more.",
        category="engine_unavailable",
        advice="Ask for the summary again: another model writes it.",
        retryable=False,
    )


def _refused(message: str) -> CannotProcess:
    return CannotProcess(message, category="unavailable", advice=_CHECK, retryable=False)


def _failed(job: Job) -> CannotProcess:
    said = brief(job.error.message)
    return CannotProcess(
        f"The summariser failed: {said}" if said else "The summariser failed, and does not say why.",
        category="engine_unavailable",
        advice="Ask for it again, or name another model.",
        retryable=job.error.retryable,
    )


def _or_chosen(told: Notes, chosen: Notes) -> Sequence[Finding]:
    """Without statements of their own, topics show what else was said in their time."""
    if told.findings:
        return told.findings
    return [replace(one, kind="summary") for one in chosen.findings if one.kind in ("summary", "decision", "action")]
