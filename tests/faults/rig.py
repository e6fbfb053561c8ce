"""The rig: a world, the load on it, and the two sides of its ledger.

async with World() as world, Rig(world) as rig:
    await rig.load.live(script.plan(seed=1, index=0))   # one recording with all that is done to it
    await rig.load.run(script.plans(1), 16, enough=lambda: rig.book.jobs >= 500)
    assert await rig.audit() == []
"""

import asyncio
import time
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

import asyncpg
from common import topology
from common.away import BROKER_AWAY

from tests.faults import ledger, reading
from tests.faults.book import Book
from tests.faults.ear import Ear
from tests.faults.ledger.finding import Finding
from tests.faults.load import Load
from tests.faults.reading import Found
from tests.faults.watching import Watch
from tests.faults.world import World

# The middle delay queue holds a message for a minute; whatever takes longer than that and its work is stuck.
SETTLE_SECONDS = 150.0
Answer = TypeVar("Answer")
_QUIET_LOOKS = 4
_LOOK_SECONDS = 0.5
_AT_WORK = """
    SELECT (SELECT count(*) FROM gateway.assets WHERE status IN ('pending', 'processing', 'deleting'))
        + (SELECT count(*) FROM embedder.term_deltas)
"""


class Rig:
    """Everything of one run of the rig on one world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.book = Book()
        self.ear = Ear(world.broker_url)
        self.watch = Watch(world.database_url)
        self.load = Load(world, self.book, self.ear, self.watch)
        self.began_at = time.monotonic()
        self.asked_why = False
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        hearing = asyncio.Event()
        self._tasks = [asyncio.create_task(self.ear.run(hearing)), asyncio.create_task(self.watch.run())]
        # Before the first fact is said.
        await hearing.wait()
        await self.load.prepare()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def beside(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        """What ``work`` answers; raises at once when the watch or the ear dies meanwhile, for then it would hang."""
        task = asyncio.ensure_future(work)
        await asyncio.wait([task, *self._tasks], return_when=asyncio.FIRST_COMPLETED)
        for helper in self._tasks:
            if helper.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                helper.result()
        return await task

    async def settle(self, seconds: float = SETTLE_SECONDS) -> float | None:
        """Waits until nothing moves any more; the seconds it took, or None when something still does."""
        began, quiet = time.monotonic(), 0
        while time.monotonic() - began < seconds:
            quiet = 0 if await self._moves() else quiet + 1
            if quiet == _QUIET_LOOKS:
                return time.monotonic() - began
            await asyncio.sleep(_LOOK_SECONDS)
        return None

    async def _moves(self) -> bool:
        try:
            async with self.world.database.acquire(timeout=5) as conn:
                outboxes = [await conn.fetchval(f"SELECT count(*) FROM {name}.outbox") for name in topology.SERVICES]
                at_work = await conn.fetchval(_AT_WORK)
            return bool(at_work or sum(outboxes) or sum((await reading.depths(self.world.broker_url)).values()))
        except (asyncpg.PostgresError, asyncpg.InterfaceError, *BROKER_AWAY):
            return True

    async def found(self) -> Found:
        async with self.world.database.acquire() as conn:
            return await reading.read(conn, self.world, list(self.ear.facts.values()))

    async def audit(self, seconds: float = SETTLE_SECONDS) -> list[Finding]:
        """Every difference between what was asked for and what there is, once nothing moves any more."""
        await self.settle(seconds)
        return ledger.check(self.book, await self.found())
