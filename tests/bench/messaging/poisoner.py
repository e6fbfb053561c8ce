"""Who publishes poison: a process of its own, so that it takes nothing from those whose lateness is measured.

    python -m bench.messaging.poisoner BEGIN FRESH_FROM END

All three are seconds since the epoch. Until FRESH_FROM what raises is offered at all of its attempts at once, after it
only at the first.
"""

import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from bench.messaging import worker
from bench.messaging.ground import QUEUE, fact
from bench.messaging.offering import PER_SECOND, at_random
from common import topology
from common.broker import Publisher
from common.envelope import ATTEMPT, Outgoing, seal

SHARE = 0.05
_FRESH = (1,)
_ALL_ATTEMPTS = (1, 2, 3, 4)


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


async def main(begin: float, fresh_from: float, end: float) -> None:
    publisher = Publisher(os.environ["BENCH_RABBITMQ_URL"], "bench")
    await publisher.open()
    await asyncio.sleep(begin - time.time())
    await pour(publisher, fresh_from - begin, _ALL_ATTEMPTS)
    await pour(publisher, end - fresh_from, _FRESH)
    await publisher.close()


if __name__ == "__main__":
    asyncio.run(main(*map(float, sys.argv[1:])))
