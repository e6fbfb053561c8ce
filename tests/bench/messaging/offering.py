"""Facts offered at a given pace, whatever becomes of them: how late each was handled, from when it was due."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from uuid import UUID

from bench.messaging.ground import POOL_SIZE, SERVICE, Ground, fact
from common.broker import Publisher
from common.db import Database
from common.events import AssetIndexed
from common.outbox import Relay, saying

PER_SECOND = 200

Say = Callable[[AssetIndexed], Awaitable[None]]


@asynccontextmanager
async def saying_process(ground: Ground) -> AsyncGenerator[Say]:
    """What a service does with a fact of its own: a transaction on a small pool, and its relay behind it."""
    db = Database(ground.database_url, size=POOL_SIZE)
    await db.open()
    publisher = Publisher(ground.rabbit.url, "bench")
    relay = Relay(db, publisher, SERVICE)

    async def say(told: AssetIndexed) -> None:
        async with saying(db, SERVICE, relay) as transaction:
            await transaction.say(told)

    relaying = asyncio.create_task(relay.run())
    try:
        yield say
    finally:
        relay.stop()
        await relaying
        await publisher.close()
        await db.close()


async def at_random(
    per_second: float, seconds: float, act: Callable[[float], Awaitable[None]], *, stream: int = 0
) -> None:
    """Begin ``act(due)`` at random moments, as people do (Poisson), and wait for none but at the end.

    The moments of a stream are the same in every round: like is compared with like.
    """
    moments = random.Random(f"{per_second} {stream}")
    begun = due = time.time()
    running: list[asyncio.Task[None]] = []
    while (due := due + moments.expovariate(per_second)) < begun + seconds:
        await asyncio.sleep(max(0.0, due - time.time()))
        running.append(asyncio.ensure_future(act(due)))
    await asyncio.gather(*running)


async def offer(ground: Ground, say: Say, seconds: float) -> list[float]:
    """Milliseconds from when each fact was due to be committed until its handler wrote, in ascending order."""
    due_at: dict[UUID, float] = {}

    async def tell(due: float) -> None:
        told = fact()
        due_at[told.asset_id] = due
        await say(told)

    await at_random(PER_SECOND, seconds, tell)
    rows = await _handled(ground, due_at)
    return sorted(1000 * (at - due_at[asset_id]) for asset_id, at in rows.items())


async def _handled(ground: Ground, wanted: dict[UUID, float]) -> dict[UUID, float]:
    """When each was handled, as soon as all are."""
    async with asyncio.timeout(60):
        while True:
            rows = await ground.conn.fetch(
                "SELECT asset_id, extract(epoch FROM at)::float8 AS at FROM effects WHERE asset_id = ANY($1::uuid[])",
                list(wanted),
            )
            if len(rows) == len(wanted):
                return {row["asset_id"]: row["at"] for row in rows}
            await asyncio.sleep(0.2)
