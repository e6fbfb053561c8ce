"""A backlog of 100,000 facts: does it drain as fast at its end as at its beginning, and does the outbox stay small?

The outbox is filled and drained by the relay, then the queue by a worker; the rate of each tenth is printed. Before
that come cycles of 25,000 facts, filled and drained: at each peak the table, its indexes and its TOAST are as large as
its rows need plus what was left behind, and that must not add up.
"""

import asyncio
from collections.abc import Awaitable, Callable
from time import perf_counter

from bench.lines import Line
from bench.messaging import worker
from bench.messaging.ground import POOL_SIZE, SERVICE, Ground, sealed
from common.broker import Publisher
from common.db import Database
from common.outbox import Relay
from prometheus_client import REGISTRY

FACTS = 100_000
CYCLE = 25_000
CYCLES = 5
BLOAT_GOAL = 2.0
STEADY_GOAL = 0.8
_SIZE = "SELECT pg_total_relation_size('outbox')"


async def drain_outbox(ground: Ground, facts: int) -> list[float]:
    """Facts per second of each tenth."""
    db = Database(ground.database_url, size=POOL_SIZE)
    await db.open()
    publisher = Publisher(ground.rabbit.url, "bench")
    await publisher.open()
    relay = Relay(db, publisher, SERVICE)
    before = _published()

    async def gone(wanted: int) -> int:
        while (count := _published() - before) < wanted:
            await asyncio.sleep(0.01)
        return count

    relaying = asyncio.create_task(relay.run())
    rates = await tenths(facts, gone)
    relay.stop()
    await relaying
    await publisher.close()
    await db.close()
    return rates


def _published() -> int:
    return int(REGISTRY.get_sample_value("earshot_messages_published_total", {"service": SERVICE}) or 0)


async def drain_queue(ground: Ground, facts: int) -> list[float]:
    """Facts per second of each tenth, from the first one handled."""

    async def gone(wanted: int) -> int:
        while (count := await _highest(ground)) < wanted:
            await asyncio.sleep(0.1)
        return count

    with ground.process(worker.__name__):
        await gone(1)
        return await tenths(facts, gone)


async def _highest(ground: Ground) -> int:
    # Counting a hundred thousand rows ten times a second would be a load of its own.
    return int(await ground.conn.fetchval("SELECT max(n) FROM effects") or 0)


async def tenths(facts: int, gone: Callable[[int], Awaitable[int]]) -> list[float]:
    """``gone(count)`` answers how many are gone as soon as there are ``count``."""
    rates: list[float] = []
    before, begun = await gone(0), perf_counter()
    for tenth in range(1, 11):
        after, ended = await gone(facts * tenth // 10), perf_counter()
        rates.append((after - before) / (ended - begun))
        before, begun = after, ended
    return rates


async def peaks(ground: Ground) -> list[int]:
    """The outbox's bytes when it is full, cycle after cycle."""
    sizes: list[int] = []
    for _ in range(CYCLES):
        await ground.fill_outbox(await asyncio.to_thread(sealed, CYCLE))
        sizes.append(int(await ground.conn.fetchval(_SIZE)))
        await drain_outbox(ground, CYCLE)
        await ground.purge()
    return sizes


async def run(ground: Ground) -> list[Line]:
    await ground.clear()
    sizes = await peaks(ground)
    await ground.clear()
    await ground.fill_outbox(await asyncio.to_thread(sealed, FACTS))
    relayed = await drain_outbox(ground, FACTS)
    handled = await drain_queue(ground, FACTS)
    growth = sizes[-1] / sizes[0]
    return [
        _steady("relayed", relayed),
        _steady("handled", handled),
        Line(
            f"outbox after {CYCLES} times {CYCLE:,} facts",
            f"{sizes[-1] / 1e6:.1f} MB",
            f"after one {sizes[0] / 1e6:.1f} MB",
            f"{growth:.2f}",
            f"< {BLOAT_GOAL:g}",
            growth < BLOAT_GOAL,
        ),
    ]


def _steady(what: str, rates: list[float]) -> Line:
    ratio = rates[-1] / rates[0]
    return Line(
        f"backlog of {FACTS:,} {what}, each tenth",
        " ".join(f"{rate:.0f}" for rate in rates) + " /s",
        "last / first",
        f"{ratio:.2f}",
        f"≥ {STEADY_GOAL:g}",
        ratio >= STEADY_GOAL,
    )
