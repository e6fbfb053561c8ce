"""Counts what was done more than once without any effect: deliveries recognised as repeated, and recognition redone."""

import asyncio
import re
from collections import Counter
from typing import Any

import httpx

from tests.faults.book import Book
from tests.faults.reading import Found
from tests.faults.tones import NUMBER_DIGITS
from tests.faults.world import World

_EVERY_SECONDS = 3.0
_HANDLED = re.compile(r'^earshot_messages_handled_total\{outcome="(\w+)",.*\} ([0-9.e+]+)$', re.MULTILINE)


class Counting:
    """Asks every process now and then; of one that dies in between, the last few seconds are missing."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._seen: dict[tuple[str, int], Counter[str]] = {}

    async def run(self) -> None:
        """Until cancelled."""
        async with httpx.AsyncClient(timeout=2, trust_env=False) as client:
            while True:
                for member in self._world.members.values():
                    await self._ask(client, member)
                await asyncio.sleep(_EVERY_SECONDS)

    async def _ask(self, client: httpx.AsyncClient, member: Any) -> None:
        pid = member.life.pid
        try:
            text = (await client.get(f"{member.url}/metrics")).text
        except httpx.TransportError:
            return
        counted: Counter[str] = Counter()
        for outcome, times in _HANDLED.findall(text):
            counted[outcome] += int(float(times))
        self._seen[member.name, pid] = counted

    @property
    def outcomes(self) -> Counter[str]:
        """Deliveries by what came of them, over all processes and their lives."""
        return sum(self._seen.values(), Counter[str]())


def recognised_again(book: Book, found: Found, world: World) -> tuple[int, int]:
    """Utterances that were recognised, and how many of them once more than was needed."""
    heard = Counter(world.heard.read_text().split() if world.heard.exists() else [])
    wanted: Counter[str] = Counter()
    for entry in book.entries:
        for at in range(entry.plan.utterances if entry.plan.flaw is None else 0):
            wanted[f"{entry.plan.number:0{NUMBER_DIGITS}d}{at}"] += 1
    return heard.total(), (heard - wanted).total()
