"""Whose turn it is: how many handlers run at once, and the quiet in which a suspect is handled alone.

A message that came back again and again may be what kills its process. It is handled while nothing else begins,
so that the next death is its own; handlers that have run for long already are no likely culprits and go on.
"""

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from time import monotonic

# A handler that lived this long did not die of its message at once.
YOUNG_SECONDS = 5.0


class Leaving(Exception):
    """The process is about to end: the message goes back, to be handled elsewhere."""


class Turns:
    """The handlers of one process: at most ``at_once`` of a queue at a time."""

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._running: dict[object, float] = {}
        self._per_queue: Counter[str] = Counter()
        self._waiting: defaultdict[str, deque[asyncio.Future[None]]] = defaultdict(deque)
        self._suspects = asyncio.Lock()
        self._closed = False
        self._changed = asyncio.Event()
        self.leaving = False

    @property
    def active(self) -> int:
        return len(self._running)

    @asynccontextmanager
    async def beside(self, queue: str) -> AsyncGenerator[None]:
        """A turn beside the others. Raises Leaving instead of beginning anything new."""
        await self._wait_for_turn(queue)
        token = object()
        self._running[token] = monotonic()
        try:
            yield
        finally:
            del self._running[token]
            self._give_back(queue)

    @asynccontextmanager
    async def alone(self, seconds: float | None) -> AsyncGenerator[None]:
        """The turn of a suspect. Others begin again after ``seconds``, or, with None, only when it has ended."""
        async with self._suspects:
            self._closed = True
            token, opening = object(), None
            try:
                await self._quiet()
                if self.leaving:
                    raise Leaving
                self._running[token] = monotonic()
                if seconds is not None:
                    opening = asyncio.get_running_loop().call_later(seconds, self._open)
                yield
            finally:
                if opening is not None:
                    opening.cancel()
                self._running.pop(token, None)
                self._open()

    def leave(self) -> None:
        """From now on nothing begins: who waits for a turn learns it at once."""
        self.leaving = True
        self._open()

    async def idle(self, seconds: float) -> None:
        """Returns when no handler runs, or when the time is over."""
        try:
            async with asyncio.timeout(seconds):
                while self._running:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return

    async def _wait_for_turn(self, queue: str) -> None:
        if self.leaving or self._may_begin(queue):
            self._per_queue[queue] += 1
        else:
            await self._stand_in_line(queue)
        if self.leaving:
            self._give_back(queue)
            raise Leaving

    async def _stand_in_line(self, queue: str) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[queue].append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                # It was given just before; another may have it.
                self._give_back(queue)
            raise

    def _may_begin(self, queue: str) -> bool:
        return not self._closed and self._per_queue[queue] < self._at_once

    def _give_back(self, queue: str) -> None:
        self._per_queue[queue] -= 1
        self._changed.set()
        self._give_turns(queue)

    def _give_turns(self, queue: str) -> None:
        """To those who may begin, in their order; when leaving to all, so that they learn it."""
        waiting = self._waiting[queue]
        while waiting and (self.leaving or self._may_begin(queue)):
            turn = waiting.popleft()
            if not turn.done():
                self._per_queue[queue] += 1
                turn.set_result(None)

    def _open(self) -> None:
        self._closed = False
        self._changed.set()
        for queue in list(self._waiting):
            self._give_turns(queue)

    async def _quiet(self) -> None:
        """Until every handler that began lately has ended or has lived for long."""
        while not self.leaving and (ages := [monotonic() - begun for begun in self._running.values()]):
            left = YOUNG_SECONDS - min(ages)
            if left <= 0:
                return
            self._changed.clear()
            try:
                async with asyncio.timeout(left):
                    await self._changed.wait()
            except TimeoutError:
                continue
