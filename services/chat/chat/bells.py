"""Tells readers in this process that an answer has news; readers elsewhere find it by looking again."""

import asyncio
from collections import defaultdict
from collections.abc import Generator
from contextlib import contextmanager
from uuid import UUID


async def pause(bell: asyncio.Event, seconds: float) -> None:
    """Until the bell rings, or so long."""
    try:
        async with asyncio.timeout(seconds):
            await bell.wait()
    except TimeoutError:
        pass


class Bells:
    """A reader hangs its bell up before it looks, so that no news falls between looking and waiting."""

    def __init__(self) -> None:
        self._hung: defaultdict[UUID, set[asyncio.Event]] = defaultdict(set)

    def ring(self, answer_id: UUID) -> None:
        for bell in self._hung.get(answer_id, ()):
            bell.set()

    @contextmanager
    def hung(self, answer_id: UUID) -> Generator[asyncio.Event]:
        bell = asyncio.Event()
        self._hung[answer_id].add(bell)
        try:
            yield bell
        finally:
            self._hung[answer_id].discard(bell)
            if not self._hung[answer_id]:
                del self._hung[answer_id]
