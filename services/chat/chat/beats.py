"""Shows for all answers of a process that they are being written, and notices which of them nobody reads any more."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import UUID

from common import patience
from common.away import DATABASE_TROUBLE
from common.ending import end

from chat.journal import Gone
from chat.press import Press

_BEAT_SECONDS = 1.0


@dataclass(frozen=True)
class _Written:
    """``abandoned``: as Beats.writing yields it; ``unread``: whether it is written although nobody reads it."""

    unread: bool
    abandoned: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Beats:
    """One for all answers of a process; ``abandon_seconds`` without any reader, and one is not worth writing."""

    def __init__(self, press: Press, abandon_seconds: float) -> None:
        self._press = press
        self._abandon_seconds = abandon_seconds
        self._written: dict[UUID, _Written] = {}
        self._beating: asyncio.Task[None] | None = None

    @contextmanager
    def writing(self, answer_id: UUID, *, unread: bool) -> Generator[asyncio.Future[None]]:
        """What it yields is done when nobody has read the answer for long; never, if that does not matter (``unread``).

        It raises Gone when the answer was removed, or ended by somebody else, and as the database.
        """
        written = self._written[answer_id] = _Written(unread)
        if self._beating is None or self._beating.done():
            self._beating = asyncio.create_task(self._beat())
        try:
            yield written.abandoned
        finally:
            del self._written[answer_id]
            if written.abandoned.done():
                # Nobody may have asked: the answer can end in the same moment by itself.
                written.abandoned.exception()
            written.abandoned.cancel()

    async def close(self) -> None:
        if self._beating is not None:
            await end({self._beating})

    async def _beat(self) -> None:
        # Begun by one answer, but for all.
        with patience.having(patience.OF_WORK):
            while self._written:
                await self._beat_together(dict(self._written))
                await asyncio.sleep(_BEAT_SECONDS)

    async def _beat_together(self, written: dict[UUID, _Written]) -> None:
        try:
            read = await self._press.beat(list(written), self._abandon_seconds)
        except DATABASE_TROUBLE as error:
            for one in written.values():
                if not one.abandoned.done():
                    one.abandoned.set_exception(error)
            return
        for answer_id, one in written.items():
            if one.abandoned.done():
                continue
            if answer_id not in read:
                one.abandoned.set_exception(Gone())
            elif not read[answer_id] and not one.unread:
                one.abandoned.set_result(None)
