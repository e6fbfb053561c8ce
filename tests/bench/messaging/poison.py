"""Latency at a given pace, and what poison among the healthy traffic adds to it.

Rounds with and without poison take turns at the same pace of healthy facts; poison comes on top and is a twentieth of
all messages, in equal parts bad JSON, a wrong schema, an unknown type, and facts whose handler always raises. Those
come back three times; in the lead-in before the measured time they are offered at all four attempts at once, so that
what is measured is the state that lasting poison leads to.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from statistics import median

from bench.lines import Line
from bench.messaging import worker
from bench.messaging.ground import QUEUE, Ground, fact
from bench.messaging.offering import PER_SECOND, Say, at_random, offer, saying_process
from common import topology
from common.broker import Publisher
from common.envelope import ATTEMPT, Outgoing, seal

SHARE = 0.05
SECONDS = 10.0
# More than elsewhere: of a round's two thousand facts only twenty are above the 99th percentile.
ROUNDS = 9
# As long as a message whose handler raised stays away.
LEAD_IN_SECONDS = float(topology.DELAYS[0])
LATENCY_GOAL_MS = 100
POISON_GOAL = 1.1
_FRESH = (1,)
_ALL_ATTEMPTS = (1, 2, 3, 4)
_REASONS = ("not a valid", "no known type", "ValueError")


def _sealed(model: str = "minilm") -> Outgoing:
    return seal(fact(model), "embedder", topology.EVENTS_EXCHANGE)


def bad_json() -> Outgoing:
    return replace(_sealed(), body=b'{"asset_id": ')


def wrong_schema() -> Outgoing:
    return replace(_sealed(), body=b'{"revision": "first"}')


def unknown_type() -> Outgoing:
    good = _sealed()
    return replace(good, headers=good.headers | {"cloudEvents_type": "earshot.nobody.knows.v1"})


def always_raises() -> Outgoing:
    return _sealed(worker.RAISES)


KINDS: tuple[Callable[[], Outgoing], ...] = (bad_json, wrong_schema, unknown_type, always_raises)


async def pour(publisher: Publisher, seconds: float, attempts: Sequence[int]) -> None:
    """Poison at its share of all messages; what raises, at each of these attempts, each at moments of its own."""
    each_kind = PER_SECOND * SHARE / (1 - SHARE) / len(KINDS)

    def stream(kind: Callable[[], Outgoing], attempt: int) -> Callable[[float], Awaitable[None]]:
        async def one(_due: float) -> None:
            bad = kind()
            headers = bad.headers | ({ATTEMPT: attempt} if attempt > 1 else {})
            await publisher.publish("", QUEUE, bad.body, headers, message_id=str(bad.id))

        return one

    streams = [(kind, attempt) for kind in KINDS for attempt in (attempts if kind is always_raises else _FRESH)]
    await asyncio.gather(
        *(at_random(each_kind, seconds, stream(*which), stream=n) for n, which in enumerate(streams, start=1))
    )


@dataclass(frozen=True)
class Lateness:
    """Milliseconds from due to handled."""

    p50: float
    p95: float
    p99: float


async def healthy_round(ground: Ground, say: Say) -> Lateness:
    await offer(ground, say, LEAD_IN_SECONDS)
    return _lateness(await offer(ground, say, SECONDS))


async def poisoned_round(ground: Ground, say: Say, publisher: Publisher) -> Lateness:
    await asyncio.gather(offer(ground, say, LEAD_IN_SECONDS), pour(publisher, LEAD_IN_SECONDS, _ALL_ATTEMPTS))
    late, _ = await asyncio.gather(offer(ground, say, SECONDS), pour(publisher, SECONDS, _FRESH))
    for reason in _REASONS:
        if not await ground.conn.fetchval("SELECT count(*) FROM parked WHERE starts_with(reason, $1)", reason):
            raise AssertionError(f"nothing was parked with the reason {reason!r}")
    return _lateness(late)


def _lateness(ascending: list[float]) -> Lateness:
    return Lateness(*(ascending[int(len(ascending) * share)] for share in (0.5, 0.95, 0.99)))


async def run(ground: Ground) -> list[Line]:
    healthy: list[Lateness] = []
    poisoned: list[Lateness] = []
    publisher = Publisher(ground.rabbit.url, "bench")
    async with saying_process(ground) as say:

        async def without() -> None:
            healthy.append(await healthy_round(ground, say))

        async def with_poison() -> None:
            poisoned.append(await poisoned_round(ground, say, publisher))

        with ground.process(worker.__name__):
            for number in range(ROUNDS):
                # Neither is always the one that comes after the other.
                for round_ in (without, with_poison) if number % 2 else (with_poison, without):
                    await ground.clear(topology.delay_name(topology.DELAYS[0]))
                    await round_()
    await publisher.close()
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
