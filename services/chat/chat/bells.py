"""Tells readers in this process what an answer has news of; readers elsewhere find it by looking again."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from uuid import UUID

from chat.queries.rows import EventRow


async def pause(bell: asyncio.Event, seconds: float) -> None:
    """Until the bell rings, or so long."""
    try:
        async with asyncio.timeout(seconds):
            await bell.wait()
    except TimeoutError:
        pass


class Bell:
    """Of one reader. ``rung`` is set by news: events that are in the table by now, or the advice to look there."""

    def __init__(self) -> None:
        self.rung = asyncio.Event()
        self._events: list[EventRow] = []
        self._look = True

    def ring(self, events: Sequence[EventRow]) -> None:
        self._events += events
        self._look = self._look or not events
        self.rung.set()

    def take(self, after: int) -> list[EventRow] | None:
        """The events behind ``after`` that were brought since the last time; None: look into the table."""
        self.rung.clear()
        events, self._events = [event for event in self._events if event.seq > after], []
        look, self._look = self._look, False
        gapless = [event.seq for event in events] == list(range(after + 1, after + 1 + len(events)))
        return None if look or not gapless else events


class Bells:
    """A reader hangs its bell up before it looks, so that no news falls between looking and waiting."""

    def __init__(self) -> None:
        self._hung: defaultdict[UUID, set[Bell]] = defaultdict(set)
        self._written: Counter[UUID] = Counter()

    def ring(self, answer_id: UUID, events: Sequence[EventRow] = ()) -> None:
        """``events`` must be committed. Without any there is something else to be read."""
        for bell in self._hung.get(answer_id, ()):
            bell.ring(events)

    @contextmanager
    def writing(self, answer_id: UUID) -> Generator[None]:
        """Whoever writes the answer here rings for all its news."""
        self._written[answer_id] += 1
        try:
            yield
        finally:
            self._written[answer_id] -= 1
            if not self._written[answer_id]:
                del self._written[answer_id]
            self.ring(answer_id)

    def is_written_here(self, answer_id: UUID) -> bool:
        return answer_id in self._written

    @contextmanager
    def hung(self, answer_id: UUID) -> Generator[Bell]:
        bell = Bell()
        self._hung[answer_id].add(bell)
        try:
            yield bell
        finally:
            self._hung[answer_id].discard(bell)
            if not self._hung[answer_id]:
                del self._hung[answer_id]
