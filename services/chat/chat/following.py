"""Follows an answer in the table, from any place in it, for as long as its reader may read it."""

from collections.abc import AsyncGenerator
from time import monotonic
from typing import Any
from uuid import UUID

from common.db import Database

from chat.bells import Bell, Bells, pause
from chat.queries import reading
from chat.queries.rows import EventRow, State

REMOVED: dict[str, Any] = {
    "message": "The answer was removed: something it was made from is gone or closed to you.",
    "error_type": "not_found",
    "advice": None,
    "status_code": 404,
}


class Follower:
    """``poll_seconds``: how soon news from writers in other processes are seen; ``touch_seconds``: how often a reader
    shows that it is still there, and its right to read is looked up."""

    def __init__(self, db: Database, bells: Bells, poll_seconds: float, touch_seconds: float) -> None:
        self._db = db
        self._bells = bells
        self._poll_seconds = poll_seconds
        self._touch_seconds = touch_seconds

    async def follow(self, answer_id: UUID, user_id: UUID, after: int = 0) -> AsyncGenerator[EventRow | None]:
        """Events behind ``after`` up to the last one; None whenever there was nothing new."""
        touched = -self._touch_seconds
        with self._bells.hung(answer_id) as bell:
            while True:
                fresh = monotonic() - touched < self._touch_seconds
                if not fresh:
                    touched = monotonic()
                    if not await self._touch(answer_id, user_id):
                        yield EventRow(after + 1, "error", REMOVED)
                        return
                state, events = await self._news(answer_id, after, bell, trusted=fresh)
                for event in events:
                    after = event.seq
                    yield event
                if state != "running" and state is not None:
                    return
                yield None
                await pause(bell.rung, self._poll_seconds)

    async def _news(
        self, answer_id: UUID, after: int, bell: Bell, *, trusted: bool
    ) -> tuple[State | None, list[EventRow]]:
        """What the writer has brought, where it is in this process; its end, and all else, is found in the table.

        That is looked into now and then all the same: somebody elsewhere may have ended the answer.
        """
        written_here = self._bells.is_written_here(answer_id)
        brought = bell.take(after)
        if trusted and written_here and brought is not None:
            return "running", brought
        async with self._db.acquire() as conn:
            return await reading.read_events(conn, answer_id, after)

    async def _touch(self, answer_id: UUID, user_id: UUID) -> bool:
        async with self._db.acquire() as conn:
            return await reading.touch_reader(conn, answer_id, user_id)
