"""Writes events of many answers with one statement: whoever comes while one is on its way goes with the next."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

import asyncpg
from common import patience
from common.away import DATABASE_TROUBLE
from common.db import Database
from common.ending import end

from chat.queries import writing
from chat.queries.rows import EventRow


@dataclass(frozen=True)
class _Sheet:
    """``done``: whether it is in the table."""

    answer_id: UUID
    events: Sequence[EventRow]
    done: asyncio.Future[bool] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Press:
    """One for all answers of a process. An answer whose row somebody holds waits for it alone."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._waiting: list[_Sheet] = []
        self._printing: asyncio.Task[None] | None = None
        # Of what it does at once: a statement that finds an answer's row held by another writes that answer alone.
        self._turn = asyncio.Lock()

    async def append(self, answer_id: UUID, events: Sequence[EventRow]) -> bool:
        """False when the answer is gone or ended, and nothing was written. What stands there already stays.

        Whoever is cancelled cannot know whether it was written. Raises as the database.
        """
        sheet = _Sheet(answer_id, events)
        self._waiting.append(sheet)
        if self._printing is None or self._printing.done():
            self._printing = asyncio.create_task(self._print())
        if await sheet.done:
            return True
        async with self._db.acquire() as conn:
            return await writing.append_events(conn, answer_id, events)

    async def beat(self, answer_ids: Sequence[UUID], abandon_seconds: float) -> dict[UUID, bool]:
        """Shows that the answers are being written; says of each that is not gone or ended whether somebody reads it.

        Raises as the database.
        """
        async with self._turn, self._db.acquire() as conn:
            return await writing.beat(conn, answer_ids, abandon_seconds)

    async def close(self) -> None:
        """When nobody waits any more."""
        if self._printing is not None:
            await end({self._printing})

    async def _print(self) -> None:
        # Begun by one answer, but for all.
        with patience.having(patience.OF_WORK):
            while self._waiting:
                sheets, self._waiting = self._waiting, []
                await self._print_together([sheet for sheet in sheets if not sheet.done.done()])

    async def _print_together(self, sheets: Sequence[_Sheet]) -> None:
        try:
            written = await self._write(sheets)
        except DATABASE_TROUBLE as error:
            for sheet in sheets:
                if not sheet.done.done():
                    sheet.done.set_exception(error)
        else:
            for sheet in sheets:
                if not sheet.done.done():
                    sheet.done.set_result(sheet.answer_id in written)
        finally:
            # Whatever else happened, as that this process ends: nobody is left waiting.
            for sheet in sheets:
                sheet.done.cancel()

    async def _write(self, sheets: Sequence[_Sheet]) -> set[UUID]:
        """The answers whose events were written. None when those of one cannot be: then each is tried alone."""
        try:
            async with self._turn, self._db.acquire() as conn:
                return await writing.append_together(conn, [(sheet.answer_id, sheet.events) for sheet in sheets])
        except asyncpg.DataError:
            return set()
