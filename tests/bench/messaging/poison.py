"""Latency at a given pace, and what poison among the healthy traffic adds to it.

Rounds with and without poison take turns at the same pace of healthy facts; poison comes on top and is a twentieth of
all messages, in equal parts bad JSON, a wrong schema, an unknown type, and facts whose handler always raises. Those
come back three times; in the lead-in before the measured time they are offered at all four attempts at once, so that
what is measured is the state that lasting poison leads to. It is published by a process of its own.
"""

import asyncio
import time
from dataclasses import dataclass
from statistics import median

from bench.lines import Line
from bench.messaging import poisoner, worker
from bench.messaging.ground import Ground
from bench.messaging.offering import PER_SECOND, Say, offer, saying_process
from bench.messaging.poisoner import SHARE
from common import topology

SECONDS = 10.0
# More than elsewhere: of a round's two thousand facts only twenty are above the 99th percentile.
ROUNDS = 9
# As long as a message whose handler raised stays away.
LEAD_IN_SECONDS = float(topology.DELAYS[0])
# As long as the process that pours takes to be there.
_SETTLE_SECONDS = 3.0
LATENCY_GOAL_MS = 100
POISON_GOAL = 1.1
_REASONS = ("not a valid", "no known type", "ValueError")


@dataclass(frozen=True)
class Lateness:
    """Milliseconds from due to handled."""

    p50: float
    p95: float
    p99: float


async def healthy_round(ground: Ground, say: Say) -> Lateness:
    await asyncio.sleep(_SETTLE_SECONDS)
    await offer(ground, say, LEAD_IN_SECONDS)
    return _lateness(await offer(ground, say, SECONDS))


async def poisoned_round(ground: Ground, say: Say) -> Lateness:
    begin = time.time() + _SETTLE_SECONDS
    fresh_from = begin + LEAD_IN_SECONDS
    with ground.process(poisoner.__name__, str(begin), str(fresh_from), str(fresh_from + SECONDS)):
        await asyncio.sleep(_SETTLE_SECONDS)
        await offer(ground, say, LEAD_IN_SECONDS)
        late = await offer(ground, say, SECONDS)
    for reason in _REASONS:
        if not await ground.conn.fetchval("SELECT count(*) FROM parked WHERE starts_with(reason, $1)", reason):
            raise AssertionError(f"nothing was parked with the reason {reason!r}")
    return _lateness(late)


def _lateness(ascending: list[float]) -> Lateness:
    return Lateness(*(ascending[int(len(ascending) * share)] for share in (0.5, 0.95, 0.99)))


async def run(ground: Ground) -> list[Line]:
    healthy: list[Lateness] = []
    poisoned: list[Lateness] = []
    async with saying_process(ground) as say:

        async def without() -> None:
            healthy.append(await healthy_round(ground, say))

        async def with_poison() -> None:
            poisoned.append(await poisoned_round(ground, say))

        with ground.process(worker.__name__):
            for number in range(ROUNDS):
                # Neither is always the one that comes after the other.
                for round_ in (without, with_poison) if number % 2 else (with_poison, without):
                    await ground.clear(topology.delay_name(topology.DELAYS[0]))
                    await round_()
    return _lines(healthy, poisoned)


def _lines(healthy: list[Lateness], poisoned: list[Lateness]) -> list[Line]:
    p95 = median(round_.p95 for round_ in healthy)
    clean, late = median(round_.p99 for round_ in healthy), median(round_.p99 for round_ in poisoned)
    what = f"due to handled, {PER_SECOND} facts/s"
    return [
        Line(f"{what}, p50", f"{median(round_.p50 for round_ in healthy):.1f} ms"),
        Line(f"{what}, p95", f"{p95:.1f} ms", goal=f"< {LATENCY_GOAL_MS} ms", met=p95 < LATENCY_GOAL_MS),
        Line(
            f"{what}, p99, {SHARE:.0%} poison",
            f"{late:.1f} ms",
            f"without poison {clean:.1f} ms",
            f"{late / clean:.2f}",
            f"< {POISON_GOAL:g}",
            late / clean < POISON_GOAL,
        ),
    ]
