"""The answer cache and single flight: one answer for all who ask the same of the same passages at the same rights."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace
from time import monotonic
from typing import Any
from uuid import UUID

from common.db import Database
from common.logs import get_logger

from chat import metrics
from chat.bells import Bells, pause
from chat.journal import Gone
from chat.queries import caching, reading
from chat.queries.rows import EventRow, State
from chat.settings import ChatSettings
from chat.steps import Broken, Content, Outcome, Status, Step

log = get_logger()

Compose = Callable[[], AsyncGenerator[Step]]


class _Lost(Exception):
    """The answer that was followed is gone, or nobody writes it any more."""


class Sharing:
    """Whoever comes first writes; the others follow its journal, in whatever process it is written."""

    def __init__(self, db: Database, bells: Bells, settings: ChatSettings) -> None:
        self._db = db
        self._bells = bells
        self._silent_seconds = settings.interrupted_seconds
        self._poll_seconds = settings.flush_seconds
        # As readers do: well before nobody seems to read.
        self._touch_seconds = settings.abandon_seconds / 4
        self.on = settings.cache_hours > 0

    async def share(self, answer_id: UUID, key: bytes, compose: Compose, *, anew: bool) -> AsyncGenerator[Step]:
        """The steps of an answer that is kept, that is being written, or else of ``compose``; ``anew``: always these.

        Raises Gone when the answer itself is gone, and Broken as the writer that is followed.
        """
        while not anew and (leader := await self._claim(key, answer_id)) != answer_id:
            try:
                async with aclosing(self._follow(leader)) as steps:
                    async for step in steps:
                        yield step
                return
            except _Lost:
                log.info("answer_lost", answer_id=str(answer_id), leader=str(leader))
                # What was shown of it does not count, whoever writes or has written the next one.
                yield Status("reading")
        metrics.cache_lookups.labels("bypass" if anew else "miss").inc()
        async with aclosing(compose()) as steps:
            async for step in steps:
                yield replace(step, key=key) if isinstance(step, Outcome) else step

    async def forget_expired(self) -> None:
        async with self._db.acquire() as conn:
            await caching.forget_expired(conn)

    async def _claim(self, key: bytes, answer_id: UUID) -> UUID:
        """The answer to follow, or this one when it is to be written. Raises Gone."""
        while True:
            async with self._db.transaction() as conn:
                if not await caching.hold_answer(conn, answer_id):
                    raise Gone
                if await caching.add_entry(conn, key, answer_id):
                    return answer_id
                leader = await caching.lock_entry(conn, key)
                if leader is None:
                    continue
                if await caching.is_usable(conn, key, self._silent_seconds):
                    return leader
                await caching.take_entry(conn, key, answer_id)
                return answer_id

    async def _follow(self, leader: UUID) -> AsyncGenerator[Step]:
        """Up to its outcome. Raises _Lost when the writer stopped or died, Broken when it failed."""
        kept = await self._outcome(leader)
        if kept is not None:
            if kept.text:
                yield Content(kept.text)
            metrics.cache_lookups.labels("hit").inc()
            yield kept
            return
        async with aclosing(self._watch(leader)) as steps:
            async for step in steps:
                yield step
        shared = await self._outcome(leader)
        if shared is None:
            raise _Lost
        metrics.cache_lookups.labels("shared").inc()
        yield shared

    async def _watch(self, leader: UUID) -> AsyncGenerator[Step]:
        """What its readers are shown, until it is done. Touching it counts as reading: nobody else may do so."""
        after, touched, alive = 0, -self._touch_seconds, True
        failure: dict[str, Any] | None = None
        with self._bells.hung(leader) as bell:
            while True:
                bell.rung.clear()
                if monotonic() - touched >= self._touch_seconds:
                    touched, alive = monotonic(), await self._touch(leader)
                state, events = await self._look(leader, after)
                for event in events:
                    after = event.seq
                    failure = event.data if event.event == "error" else failure
                    if (step := _step(event)) is not None:
                        yield step
                if state == "done":
                    return
                if state == "failed" and failure is not None:
                    raise Broken(**failure)
                if state != "running" or not alive:
                    raise _Lost
                await pause(bell.rung, self._poll_seconds)

    async def _look(self, leader: UUID, after: int) -> tuple[State | None, list[EventRow]]:
        async with self._db.acquire() as conn:
            return await reading.read_events(conn, leader, after)

    async def _touch(self, leader: UUID) -> bool:
        async with self._db.acquire() as conn:
            return await caching.touch_leader(conn, leader, self._silent_seconds)

    async def _outcome(self, leader: UUID) -> Outcome | None:
        """Of an answer that is done. Its tokens were counted once, and not for whoever reads it again."""
        async with self._db.acquire() as conn:
            done = await caching.read_done(conn, leader)
            if done is None:
                return None
            cited = await caching.read_cited(conn, leader, "cited")
            nearest = await caching.read_cited(conn, leader, "nearest")
        return Outcome(done.answered, done.answer, cited, done.reason, nearest, cached=True)


def _step(event: EventRow) -> Status | Content | None:
    if event.event == "content":
        return Content(event.data["content"])
    # Who follows has searched, and found the same.
    if event.event == "status" and event.data["status"] != "searching":
        return Status(event.data["status"])
    return None
