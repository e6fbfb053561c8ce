"""Writes answers in the background, so that a reader may leave and come back; stops those that nobody reads."""

import asyncio
from contextlib import aclosing, suppress
from time import monotonic
from uuid import UUID

from common import patience
from common.away import DATABASE_TROUBLE
from common.db import Database
from common.errors import ApiError, unavailable
from common.identity import Caller
from common.logs import get_logger

from chat import metrics
from chat.answering import Answering
from chat.beats import Beats
from chat.bells import Bells, pause
from chat.journal import Gone, Journal
from chat.press import Press
from chat.providers.choice import Writers
from chat.providers.memory import Memory
from chat.queries import writing
from chat.settings import ChatSettings
from chat.steps import Ask, Broken, Outcome

log = get_logger()

_WRITE_SECONDS = 2.0
_TURNS = 4
_ASK_AGAIN = "Ask again."
INTERRUPTED = Broken("interrupted", "The answer was interrupted before its end.", _ASK_AGAIN)
_LEFT = Broken("abandoned", "Nobody was reading any more, so the answer was stopped.", _ASK_AGAIN)
_BUG = Broken("internal_error", "Something went wrong while the answer was written.", _ASK_AGAIN, 500)


class Writer:
    """At most ``most`` answers at a time in this process."""

    def __init__(
        self,
        db: Database,
        answering: Answering,
        writers: Writers,
        bells: Bells,
        memory: Memory,
        settings: ChatSettings,
    ) -> None:
        self._db = db
        self._memory = memory
        self._answering = answering
        self._writers = writers
        self._bells = bells
        self._settings = settings
        self._press = Press(db)
        self._beats = Beats(self._press, settings.abandon_seconds)
        self._running: set[asyncio.Task[None]] = set()

    def start(self, answer_id: UUID, ask: Ask, caller: Caller) -> None:
        """The answer's row must be committed."""
        task = asyncio.create_task(self._write(answer_id, ask, caller))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    def check_room(self) -> None:
        """Raises ApiError 503 when too many answers are being written."""
        if len(self._running) >= self._settings.running_answers:
            raise unavailable("Too many answers are being written at the moment.")

    async def close(self) -> None:
        """Interrupt what is running; its readers are told so."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        await self._beats.close()
        await self._press.close()

    async def interrupt_silent(self) -> None:
        """End the answers of writers that died."""
        async with self._db.acquire() as conn:
            count = await writing.interrupt_silent(conn, self._settings.interrupted_seconds, INTERRUPTED.data)
        if count:
            metrics.answers.labels("unknown", "interrupted").inc(count)
            log.warning("answers_interrupted", answers=count)

    async def forget_old(self) -> None:
        async with self._db.acquire() as conn:
            await writing.delete_old(conn, self._settings.keep_days)

    async def _write(self, answer_id: UUID, ask: Ask, caller: Caller) -> None:
        journal = Journal(self._db, answer_id, self._bells, self._press)
        # Begun by a request, but nobody's request: a database that is started again does not end the answer.
        with (
            patience.having(patience.OF_WORK),
            metrics.running.track_inprogress(),
            self._bells.writing(answer_id),
        ):
            outcome = await self._settle(journal, ask, caller)
        metrics.answers.labels(self._writers.provider_of(ask.model), outcome).inc()
        log.info("answer_written", answer_id=str(answer_id), outcome=outcome, model=ask.model)

    async def _settle(self, journal: Journal, ask: Ask, caller: Caller) -> str:
        """Write to the end, whatever the end is; answers its name."""
        try:
            return await self._watched(journal, ask, caller)
        except Gone:
            return "removed"
        except asyncio.CancelledError:
            return await self._break_off(journal, INTERRUPTED, interrupted=True)
        except Broken as error:
            return await self._break_off(journal, error)
        except ApiError as error:
            broken = Broken(error.error_type, error.detail, error.advice, error.status_code)
            return await self._break_off(journal, broken)
        except DATABASE_TROUBLE as error:
            # Nothing can be noted now; the answer is found silent when the database is back.
            log.warning("answer_unwritten", error=repr(error)[:200])
            return "failed"
        except Exception:
            log.exception("answer_failed")
            return await self._break_off(journal, _BUG)

    async def _break_off(self, journal: Journal, error: Broken, *, interrupted: bool = False) -> str:
        with suppress(Gone, *DATABASE_TROUBLE):
            await journal.break_off(error, interrupted=interrupted)
        return "interrupted" if interrupted else "failed"

    async def _watched(self, journal: Journal, ask: Ask, caller: Caller) -> str:
        """The writing, beside it the clock that flushes text, and the news that nobody reads."""
        with self._beats.writing(journal.answer_id, unread=ask.unread) as abandoned:
            return await self._until(abandoned, journal, ask, caller)

    async def _until(self, abandoned: asyncio.Future[None], journal: Journal, ask: Ask, caller: Caller) -> str:
        work = asyncio.create_task(self._work(journal, ask, caller))
        clock = asyncio.create_task(self._clock(journal))
        try:
            await asyncio.wait({work, clock, abandoned}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                # Cancelling closes the stream of the provider, which ends the request there.
                work.cancel()
                await asyncio.gather(work, return_exceptions=True)
                (clock if clock.done() else abandoned).result()
                await self._stop_clock(journal, clock)
                return await self._break_off(journal, _LEFT, interrupted=True)
            await self._stop_clock(journal, clock)
            outcome = work.result()
            await journal.finish(outcome, self._settings.cache_hours)
            if ask.remembers and outcome.answered:
                # The asker's own words alone: what recordings say must be gone with them.
                self._memory.remember(caller.user_id, ask.question)
            return "answered" if outcome.answered else "not_found"
        finally:
            work.cancel()
            await self._stop_clock(journal, clock)
            await asyncio.gather(work, return_exceptions=True)

    async def _stop_clock(self, journal: Journal, clock: asyncio.Task[None]) -> None:
        """Between two writes; a database that hangs is not waited for long."""
        if not clock.done():
            with suppress(TimeoutError):
                async with asyncio.timeout(_WRITE_SECONDS), journal.turn:
                    clock.cancel()
            clock.cancel()
        await asyncio.gather(clock, return_exceptions=True)

    async def _work(self, journal: Journal, ask: Ask, caller: Caller) -> Outcome:
        async with aclosing(self._answering.write(journal.answer_id, ask, caller, journal.keep)) as steps:
            async for step in steps:
                if isinstance(step, Outcome):
                    return step
                journal.note(step)
        raise RuntimeError("an answer ended without an outcome")

    async def _clock(self, journal: Journal) -> None:
        """Raises Gone."""
        while True:
            await journal.flush()
            await pause(journal.urgent, _until_turn(monotonic(), self._settings.flush_seconds))


def _until_turn(now: float, flush_seconds: float) -> float:
    """Seconds until the next flush: about ``flush_seconds``, at one of four moments that all answers have in common,
    so that what many have to write goes together, and yet not all of it at once."""
    grid = flush_seconds / _TURNS
    return flush_seconds - now % grid
