"""Interleaved rounds: in each of them everybody asks everything, and what counts is the median over the rounds."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from bench.lines import ROUNDS
from bench.peers import corpus
from bench.peers.contestant import FILTERED, VECTORS, Contestant, Round
from bench.peers.corpus import Ground, K

LEAST_RECALL = 0.95
_WAKING = 8
REACHES = (20, 40, 80, 160, 320, 640, 1000)


@dataclass(frozen=True)
class Tuned:
    """The smallest reach of the vector index that gives the recall wanted, or the largest there is."""

    reach: int
    recall: float
    full_pages: bool

    @property
    def equal(self) -> bool:
        return self.recall >= LEAST_RECALL


@dataclass(frozen=True)
class Measured:
    """Medians over the rounds: questions a second, and milliseconds at the middle and the 95th percentile."""

    name: str
    mode: str
    clients: int
    tuned: Tuned
    rate: float
    middle_ms: float
    late_ms: float

    @property
    def cells(self) -> list[str]:
        return [
            self.name,
            str(self.clients),
            str(self.tuned.reach),
            f"{self.tuned.recall:.3f}",
            f"{self.rate:,.0f}",
            f"{self.middle_ms:.1f}",
            f"{self.late_ms:.1f}",
        ]


HEADS = ("who", "clients", "reach", "recall", "questions a second", "median, ms", "95th percentile, ms")


async def tune(one: Contestant, ground: Ground, mode: str) -> Tuned:
    """Of ``mode`` by vectors alone; it also warms every cache."""
    tried: list[Tuned] = []
    for reach in REACHES:
        found = (await one.ask(mode, reach, 1)).found
        full = all(len(page) == min(K, ground.small if mode == FILTERED else len(ground.corpus)) for page in found)
        tried.append(Tuned(reach, corpus.recall(ground.truth(mode), found), full))
        if tried[-1].equal and full:
            return tried[-1]
    return tried[-1]


async def compare(
    contestants: Sequence[Contestant], tuned: dict[str, Tuned], mode: str, clients: int
) -> list[Measured]:
    """Those that have the mode, one after another in each round, each with its connections and caches warm."""
    those = [one for one in contestants if mode in one.modes]
    rounds: dict[str, list[Round]] = {one.name: [] for one in those}
    for _ in range(ROUNDS):
        for one in those:
            rounds[one.name].append(await warm_round(one, mode, tuned[one.name].reach, clients))
    return [summary(one.name, mode, clients, tuned[one.name], rounds[one.name]) for one in those]


async def warm_round(one: Contestant, mode: str, reach: int, clients: int) -> Round:
    """What was idle while others were asked is woken by questions that do not count: Earshot lets its connections go
    after a minute, and of a statement the first five executions on each connection are planned anew."""
    await one.ask(mode, reach, clients, _WAKING * clients)
    return await one.ask(mode, reach, clients)


def summary(name: str, mode: str, clients: int, tuned: Tuned, rounds: Sequence[Round]) -> Measured:
    return Measured(
        name,
        mode,
        clients,
        tuned,
        statistics.median(len(one.took) / one.seconds for one in rounds),
        statistics.median(1000 * statistics.median(one.took) for one in rounds),
        statistics.median(1000 * late(one.took) for one in rounds),
    )


def late(took: Sequence[float]) -> float:
    return statistics.quantiles(took, n=20)[18]


def tuned_by(mode: str) -> str:
    """Recall is a matter of vectors; a hybrid search uses the reach that they need."""
    return FILTERED if mode == FILTERED else VECTORS
