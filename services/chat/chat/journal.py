"""One answer's events on their way into the table that every reader reads."""

import asyncio
from dataclasses import replace
from typing import Any
from uuid import UUID

from common import crash
from common.db import Connection, Database

from chat.bells import Bells
from chat.domain.passages import Passage
from chat.press import Press
from chat.queries import caching, reading, writing
from chat.queries.rows import EventRow
from chat.steps import Broken, Content, Outcome, Status


class Gone(Exception):
    """The answer was removed, or ended by somebody else, while it was being written."""


class Journal:
    """Takes steps at once and writes them when told to; text between two writes becomes one event."""

    def __init__(self, db: Database, answer_id: UUID, bells: Bells, press: Press) -> None:
        self._db = db
        self._press = press
        self._id = answer_id
        self._bells = bells
        self._seq = 0
        self._pending: list[tuple[str, dict[str, Any]]] = []
        # Numbered, and on the way into the table: whoever is cut off on that way leaves them to the next who writes.
        self._unwritten: list[EventRow] = []
        self._has_text = False
        # Rings at what a reader waits for: that something begins, and the first text. More text may gather.
        self.urgent = asyncio.Event()
        # The clock flushes beside the writer that finishes: their events must be numbered and written in turn. Whoever
        # would cancel a flush takes a turn first: what is being written is in no other place.
        self.turn = asyncio.Lock()

    @property
    def answer_id(self) -> UUID:
        return self._id

    async def keep(self, passages: list[Passage]) -> list[Passage]:
        """Note the passages' assets as sources; passages of assets deleted meanwhile are left out.

        Those that are left say whether there is anything to play. Raises Gone.
        """
        assets = {passage.asset_id: passage.collection_id for passage in passages}
        async with self._db.transaction() as conn:
            living = await writing.add_sources(conn, self._id, assets)
            if living is None:
                raise Gone
            kept = [passage for passage in passages if passage.asset_id in living]
            await writing.add_chunks(conn, self._id, kept)
            silent = await reading.without_media(conn, list(living))
        return [replace(passage, playable=passage.asset_id not in silent) for passage in kept]

    def note(self, step: Status | Content) -> None:
        if isinstance(step, Status) or not self._has_text:
            self.urgent.set()
        self._has_text = isinstance(step, Content)
        if isinstance(step, Status):
            self._pending.append(("status", {"status": step.status, "answer_id": str(self._id)}))
        elif self._pending and self._pending[-1][0] == "content":
            self._pending[-1][1]["content"] += step.content
        else:
            self._pending.append(("content", {"content": step.content}))

    async def flush(self) -> None:
        """Raises Gone."""
        async with self.turn:
            self.urgent.clear()
            self._take()
            if self._unwritten:
                if not await self._press.append(self._id, list(self._unwritten)):
                    raise Gone
                written, self._unwritten = self._unwritten, []
                self._bells.ring(self._id, written)
                crash.point("chat.answer_flushed")

    async def finish(self, outcome: Outcome, cache_hours: float) -> None:
        """The outcome, its citations and the last events, together; one that lasts is given again for so long.

        Raises Gone.
        """
        async with self.turn, self._db.transaction() as conn:
            self._take()
            await self._append(conn, ("citations", {}), ("done", {}))
            crash.point("chat.answer_finishing")
            await writing.add_citations(conn, self._id, "cited", outcome.citations)
            await writing.add_citations(conn, self._id, "nearest", outcome.nearest)
            await writing.finish_answer(
                conn,
                self._id,
                "done",
                answered=outcome.answered,
                answer=outcome.text,
                reason=outcome.reason,
                usage=outcome.usage,
                model=outcome.model,
                cached=outcome.cached,
            )
            if outcome.key is not None and outcome.lasting:
                await caching.keep_entry(conn, outcome.key, self._id, cache_hours)
            elif outcome.key is not None:
                await caching.end_entry(conn, outcome.key, self._id)
        self._bells.ring(self._id)

    async def break_off(self, error: Broken, *, interrupted: bool = False) -> None:
        """What there is of the text, and an error as the last event. Raises Gone."""
        async with self.turn, self._db.transaction() as conn:
            self._take()
            await self._append(conn, ("error", error.data))
            state = "interrupted" if interrupted else "failed"
            await writing.finish_answer(conn, self._id, state, reason=error.message)
        self._bells.ring(self._id)

    def _take(self) -> None:
        """What was noted gets its numbers, so that it counts once when it is written again for want of an answer."""
        for event, data in self._pending:
            self._seq += 1
            self._unwritten.append(EventRow(self._seq, event, data))
        self._pending = []

    async def _append(self, conn: Connection, *last: tuple[str, dict[str, Any]]) -> None:
        """What was taken, and the last events behind it. Raises Gone."""
        ends = [EventRow(self._seq + n, event, data) for n, (event, data) in enumerate(last, start=1)]
        if not await writing.append_events(conn, self._id, [*self._unwritten, *ends]):
            raise Gone
