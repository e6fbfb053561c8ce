"""Who is measured: asks all questions in one mode, with so many clients at once, and says what came of it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from time import perf_counter
from typing import Protocol

VECTORS, HYBRID, FILTERED = "vectors", "hybrid", "filtered"


@dataclass(frozen=True)
class Round:
    """All questions once: seconds of the whole and of each, and the numbers of the chunks found by each."""

    seconds: float
    took: list[float]
    found: list[list[int]]


class Contestant(Protocol):
    """``reach``: how many candidates the vector index looks at; ``modes`` are those of this module that it has."""

    name: str
    modes: Iterable[str]

    async def ask(self, mode: str, reach: int, clients: int, most: int | None = None) -> Round:
        """``most``: only so many of the questions."""
        ...


async def ask_all(count: int, clients: int, search: Callable[[int, int], Awaitable[list[int]]]) -> Round:
    """``search(turn, client)`` for each of ``count`` turns, by so many tasks."""
    took, found = [0.0] * count, [list[int]() for _ in range(count)]
    turns = iter(range(count))

    async def work(client: int) -> None:
        for turn in turns:
            began = perf_counter()
            found[turn] = await search(turn, client)
            took[turn] = perf_counter() - began

    began = perf_counter()
    await asyncio.gather(*(work(client) for client in range(clients)))
    return Round(perf_counter() - began, took, found)
