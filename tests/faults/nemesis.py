"""The nemesis: which fault, where, for how long and after which pause, all decided by the seed before anything starts.

Faults come in lanes that run beside each other: one for each server, one for processes, one for workers that are
frozen for longer than the broker waits, one for messages. Within a lane they follow one another with pauses, so that
there are always moments in which the system can move; between lanes they overlap as it happens.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

LINES = ("broker", "database")
# Kind of fault: the least and the most seconds it lasts.
PROCESS_KINDS = {"kill": (0.0, 0.0), "term": (0.0, 0.0), "freeze": (2.0, 8.0)}
# Heartbeats are ten seconds apart: after a good twenty the broker gives the work to another.
SLEEP_KINDS = {"freeze_long": (26.0, 34.0)}
SERVER_KINDS = {
    "kill": (0.0, 2.0),
    "freeze": (1.0, 4.0),
    "latency": (2.0, 5.0),
    "reset": (0.0, 0.0),
    "hole_up": (1.0, 4.0),
    "hole_down": (1.0, 4.0),
    "throttle": (2.0, 5.0),
}
# One in ten black holes lasts until heartbeats are missed and patience ends.
_LONG_HOLES, _LONG_HOLE_SECONDS = 10, (20.0, 25.0)
MESSAGE_KINDS = {"duplicates": (0.5, 3.0), "poison": (0.0, 0.0)}
_LANES = {
    "processes": PROCESS_KINDS,
    "sleepers": SLEEP_KINDS,
    **{line: {f"{line}_{kind}": seconds for kind, seconds in SERVER_KINDS.items()} for line in LINES},
    "messages": MESSAGE_KINDS,
}
KINDS: tuple[str, ...] = tuple(kind for kinds in _LANES.values() for kind in kinds)
# Four faults' worth beside the equal shares of all kinds goes, by these weights, to what happens most in life.
_MORE = {"kill": 5, "term": 4, "freeze": 2, "duplicates": 1}
_MORE_SHARES = 4
# A server that was killed takes about that long to come back.
_START_SECONDS = {"broker_kill": 6.0, "database_kill": 1.5}
_MOST_TRIES = 4


@dataclass(frozen=True)
class Decision:
    """One fault to come; ``seed`` decides whatever else there is to choose, such as its victim."""

    kind: str
    seconds: float
    pause_seconds: float
    seed: int


@dataclass
class Struck:
    """A fault as it was; only one that ``fired`` counts. Moments are on the monotonic clock."""

    decision: Decision
    victim: str
    began_at: float
    ended_at: float
    fired: bool
    words: str = ""


# Does what was decided; answers the victim, whether it really happened, and what there is to say of it.
Strike = Callable[[Decision], Awaitable[tuple[str, bool, str]]]


def least_of_each(faults: int) -> int:
    """How often each kind comes at least among so many faults."""
    return max(1, faults // (len(KINDS) + _MORE_SHARES))


def decide(seed: int, faults: int, seconds: float) -> dict[str, list[Decision]]:
    """So many faults over about so many seconds, by lane; every kind comes, and some a little more often."""
    chance = random.Random(f"{seed} nemesis")
    counts = Counter(dict.fromkeys(KINDS, least_of_each(faults)))
    more = max(0, faults - counts.total())
    counts.update(chance.choices(list(_MORE), list(_MORE.values()), k=more))
    return {lane: _lane(chance, kinds, counts, seconds) for lane, kinds in _LANES.items()}


def _lane(
    chance: random.Random, kinds: dict[str, tuple[float, float]], counts: Counter[str], seconds: float
) -> list[Decision]:
    order = [kind for kind in kinds for _ in range(counts[kind])]
    chance.shuffle(order)
    lasting = [chance.uniform(*kinds[kind]) for kind in order]
    for kind in (kind for kind in kinds if "hole" in kind):
        for at in [at for at, each in enumerate(order) if each == kind][_LONG_HOLES - 1 :: _LONG_HOLES]:
            lasting[at] = chance.uniform(*_LONG_HOLE_SECONDS)
    busy = sum(lasting) + sum(_START_SECONDS.get(kind, 0.0) for kind in order)
    pause = max(1.0, (seconds - busy) / max(1, len(order)))
    return [
        Decision(kind, round(last, 2), round(chance.uniform(0.5, 1.5) * pause, 2), chance.getrandbits(32))
        for kind, last in zip(order, lasting, strict=True)
    ]


@dataclass
class Nemesis:
    """Strikes as decided; a fault that did not fire is tried again, and counts only when it does."""

    strike: Strike
    struck: list[Struck] = field(default_factory=list[Struck])

    async def run(self, lanes: dict[str, list[Decision]]) -> None:
        async with asyncio.TaskGroup() as group:
            for decisions in lanes.values():
                group.create_task(self._lane(decisions))

    async def _lane(self, decisions: list[Decision]) -> None:
        for decision in decisions:
            for _ in range(_MOST_TRIES):
                await asyncio.sleep(decision.pause_seconds)
                if await self._once(decision):
                    break

    async def _once(self, decision: Decision) -> bool:
        began_at = time.monotonic()
        victim, fired, words = await self.strike(decision)
        self.struck.append(Struck(decision, victim, began_at, time.monotonic(), fired, words))
        return fired

    @property
    def fired(self) -> Counter[str]:
        """How often each kind really happened."""
        counted = Counter(dict.fromkeys(KINDS, 0))
        counted.update(struck.decision.kind for struck in self.struck if struck.fired)
        return counted
