"""Consumers side by side: a queue is filled, workers are started, and their rate is taken while they are in full swing.

Raw aio-pika is compared process by process. Celery's prefork has a process for every core, and so has Earshot then.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass
from time import perf_counter

import psutil
from bench.lines import ROUNDS, Line, at_least, middle
from bench.messaging import celery_worker
from bench.messaging.ground import Ground, sealed

MESSAGES = 8000
RAW_GOAL = 0.7
CELERY_GOAL = 2.0
_SECONDS_AT_MOST = 180.0
_CELERY = ("celery", "-A", "bench.messaging.celery_worker", "worker", "--pool", "prefork", "--loglevel", "WARNING")


@dataclass(frozen=True)
class Pace:
    """Messages per second, and processor microseconds a message of the workers, of Postgres and of RabbitMQ."""

    per_second: float
    workers: float
    postgres: float
    rabbitmq: float


@dataclass(frozen=True)
class Side:
    """A worker as the words after ``python -m``, how its queue is filled, and how many such workers there are."""

    words: tuple[str, ...]
    fill: Callable[[Ground], Awaitable[None]]
    workers: int = 1


async def fill_queue(ground: Ground) -> None:
    await ground.fill_queue(await asyncio.to_thread(sealed, MESSAGES))


async def fill_celery(ground: Ground) -> None:
    with ground.process(celery_worker.__name__, str(MESSAGES)) as filler:
        await asyncio.to_thread(filler.wait)


_CORES = os.cpu_count() or 1
ONE = Side(("bench.messaging.worker",), fill_queue)
EACH_CORE = Side(ONE.words, fill_queue, _CORES)
RAW = Side(("bench.messaging.raw_worker",), fill_queue)
CELERY = Side((*_CELERY, "--concurrency", str(_CORES)), fill_celery)


async def measure(ground: Ground, side: Side) -> Pace:
    await ground.clear()
    await side.fill(ground)
    with ExitStack() as stack:
        pace = await _pace(ground, [stack.enter_context(ground.process(*side.words)) for _ in range(side.workers)])
        await _until(ground, MESSAGES)
    if await ground.effects() != MESSAGES:
        raise AssertionError(f"{side.words} had {await ground.effects()} effects of {MESSAGES} messages")
    return pace


async def _pace(ground: Ground, workers: list[psutil.Process]) -> Pace:
    """From the first tenth to the last: starting and ending are not what is compared."""
    watched = [workers, [psutil.Process(ground.postgres.server.pid)], [psutil.Process(ground.rabbit.server.pid)]]
    first, begun = await _until(ground, MESSAGES // 10)
    before = [sum(map(_used, processes)) for processes in watched]
    last, ended = await _until(ground, MESSAGES * 9 // 10)
    after = [sum(map(_used, processes)) for processes in watched]
    each = [1e6 * (late - early) / (last - first) for early, late in zip(before, after, strict=True)]
    return Pace((last - first) / (ended - begun), *each)


async def _until(ground: Ground, count: int) -> tuple[int, float]:
    """How many effects there are and when, as soon as there are ``count``."""
    deadline = perf_counter() + _SECONDS_AT_MOST
    while (effects := await ground.effects()) < count:
        if perf_counter() > deadline:
            raise TimeoutError(f"{effects} of {count} after {_SECONDS_AT_MOST:g} s: {ground.log_tail()}")
        await asyncio.sleep(0.05)
    return effects, perf_counter()


def _used(process: psutil.Process) -> float:
    """Processor seconds of a process and all below it."""
    times = [each.cpu_times() for each in (process, *process.children(recursive=True))]
    return sum(time.user + time.system for time in times)


async def compare(ground: Ground, sides: dict[str, Side]) -> dict[str, list[Pace]]:
    paces: dict[str, list[Pace]] = {name: [] for name in sides}
    for _ in range(ROUNDS):
        for name, side in sides.items():
            paces[name].append(await measure(ground, side))
    return paces


async def run(ground: Ground) -> list[Line]:
    paces = await compare(ground, {"one": ONE, "raw": RAW, "each core": EACH_CORE, "Celery": CELERY})
    rates = {name: middle(lambda pace: pace.per_second, measured) for name, measured in paces.items()}
    return [
        at_least("consumed by one process, with the same SQL", rates["one"], rates["raw"], "raw aio-pika", RAW_GOAL),
        _cost(paces["one"], "raw", paces["raw"]),
        at_least("consumed by a process for each core", rates["each core"], rates["Celery"], "Celery", CELERY_GOAL),
        _cost(paces["each core"], "Celery", paces["Celery"]),
    ]


def _cost(ours: list[Pace], name: str, peer: list[Pace]) -> Line:
    def words(paces: list[Pace]) -> str:
        parts = (middle(of, paces) for of in (lambda p: p.workers, lambda p: p.postgres, lambda p: p.rabbitmq))
        return " + ".join(f"{part:.0f}" for part in parts)

    def whole(pace: Pace) -> float:
        return pace.workers + pace.postgres + pace.rabbitmq

    ratio = middle(whole, ours) / middle(whole, peer)
    return Line(
        "… µs of processor: workers + Postgres + RabbitMQ", words(ours), f"{name} {words(peer)}", f"{ratio:.2f}"
    )
