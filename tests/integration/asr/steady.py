"""Engines of a fixed speed: one in simulated time, and a worker process whose engine writes down what it begins."""

import asyncio
import heapq
import os
from collections.abc import AsyncGenerator, Sequence
from itertools import count
from pathlib import Path

from asr.domain.spans import Span
from asr.main import build
from asr.providers.engine import Recognised, Wishes
from common.transcript import Word

BEGUN_VARIABLE = "STEADY_BEGUN"
_UTTERANCE_SECONDS = 0.1


class SimulatedTime:
    """Stands still while any of the workers is free and there is a part for it; then jumps to the next part's end.

    A free worker that is not given a part which nobody works on holds time up for ever.
    """

    def __init__(self, workers: int, parts: int) -> None:
        self.now = 0.0
        self.worked = 0.0
        self._workers = workers
        self._unfinished = parts
        self._working: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = count()

    async def work(self, seconds: float) -> None:
        done = asyncio.get_running_loop().create_future()
        heapq.heappush(self._working, (self.now + seconds, next(self._order), done))
        self.worked += seconds
        self._go_on()
        await done

    def _go_on(self) -> None:
        while self._working and len(self._working) == min(self._workers, self._unfinished):
            self.now, _, done = heapq.heappop(self._working)
            self._unfinished -= 1
            done.set_result(None)


class _Steady:
    """One word in every utterance."""

    name = "steady"
    fingerprint = "steady 1"
    window_seconds = 0.0

    def understands(self, language: str) -> bool:
        return language == "en"

    async def find_language(self, audio: Path, utterances: Sequence[Span]) -> str:
        return "en"

    def word_in(self, utterance: Span) -> Recognised:
        return Recognised(utterance, [Word(word="word", start=utterance.start, end=utterance.end)])

    async def close(self) -> None:
        """There is nothing to close."""


class Steady(_Steady):
    """Takes ``factor`` simulated seconds for each second of speech."""

    def __init__(self, time: SimulatedTime, factor: float) -> None:
        self._time = time
        self._factor = factor
        self.begun: list[float] = []

    async def recognise(self, audio: Path, utterances: Sequence[Span], wishes: Wishes) -> AsyncGenerator[Recognised]:
        self.begun.append(utterances[0].start)
        await self._time.work(self._factor * sum(utterance.seconds for utterance in utterances))
        for utterance in utterances:
            yield self.word_in(utterance)


class Gated(_Steady):
    """Recognises nothing until it is opened; then it may break."""

    def __init__(self, breaks: Exception | None = None) -> None:
        self.begun, self.ended, self.open = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.at_once = self.most_at_once = self.taken = 0
        self._breaks = breaks

    async def recognise(self, audio: Path, utterances: Sequence[Span], wishes: Wishes) -> AsyncGenerator[Recognised]:
        self.taken += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.begun.set()
        try:
            await self.open.wait()
            for utterance in utterances:
                yield self.word_in(utterance)
            if self._breaks is not None:
                raise self._breaks
        finally:
            self.at_once -= 1
            self.ended.set()


class _Noted(_Steady):
    """Takes a tenth of a second for each utterance, on the event loop, and notes each part as it begins it."""

    async def recognise(self, audio: Path, utterances: Sequence[Span], wishes: Wishes) -> AsyncGenerator[Recognised]:
        with Path(os.environ[BEGUN_VARIABLE]).open("a") as file:
            file.write(f"{os.getpid()} {utterances[0].start}\n")
        for utterance in utterances:
            await asyncio.sleep(_UTTERANCE_SECONDS)
            yield self.word_in(utterance)


if __name__ == "__main__":
    build(installed=[_Noted()]).run()
