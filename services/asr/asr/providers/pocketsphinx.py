"""pocketsphinx: real recognition of English with its model inside the package; draft quality, no download."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from importlib.metadata import version
from pathlib import Path

from common.transcript import Word

from asr.domain.spans import Span
from asr.providers.child import Child
from asr.providers.engine import EngineFailed, Recognised, Wishes

_MODULE = "asr.providers.pocketsphinx_process"
# Raised when our way of feeding the decoder changes its words.
_RECIPE = 1
# Loading the model and a busy machine, then many times what an utterance should take.
_START_SECONDS = 60.0
_SLOWEST_REALTIME_FACTOR = 20.0


class PocketSphinx:
    """``processes`` decoders work on the utterances of a part at the same time; idle ones are let go."""

    name: str = "pocketsphinx"
    window_seconds: float = 0.0

    def __init__(self, processes: int, idle_seconds: float) -> None:
        self._children = [Child(_MODULE) for _ in range(processes)]
        # The one used last is taken first: its model is in memory.
        self._free: asyncio.LifoQueue[Child] = asyncio.LifoQueue()
        for child in self._children:
            self._free.put_nowait(child)
        self._idle_seconds = idle_seconds
        self._letting_go: asyncio.TimerHandle | None = None

    @property
    def fingerprint(self) -> str:
        return f"pocketsphinx {version('pocketsphinx')} recipe {_RECIPE}"

    def understands(self, language: str) -> bool:
        return language == "en"

    async def find_language(self, audio: Path, utterances: Sequence[Span]) -> str:
        return "en"

    async def recognise(self, audio: Path, utterances: Sequence[Span], wishes: Wishes) -> AsyncGenerator[Recognised]:
        """In the order given, each as soon as it is there. Raises EngineFailed."""
        # Whoever waits with more utterances than decoders would make all others wait until the last of them.
        share = asyncio.Semaphore(len(self._children))
        tasks = [asyncio.create_task(self._words_of(audio, utterance, share)) for utterance in utterances]
        try:
            for utterance, task in zip(utterances, tasks, strict=True):
                yield Recognised(utterance, await task)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _words_of(self, audio: Path, utterance: Span, share: asyncio.Semaphore) -> list[Word]:
        async with share:
            return await self._words_by_child(audio, utterance)

    async def _words_by_child(self, audio: Path, utterance: Span) -> list[Word]:
        child = await self._free.get()
        try:
            seconds = _START_SECONDS + utterance.seconds * _SLOWEST_REALTIME_FACTOR
            question = {"path": str(audio), "start": utterance.start, "end": utterance.end}
            answer = await child.ask(question, seconds=seconds)
        finally:
            self._free.put_nowait(child)
            self._rest()
        if "error" in answer:
            raise EngineFailed(f"pocketsphinx: {answer['error']}")
        return [Word(word=w, start=s, end=e, probability=p) for w, s, e, p in answer["words"]]

    def _rest(self) -> None:
        """The models go from memory when there has been nothing to recognise for a while."""
        if self._letting_go is not None:
            self._letting_go.cancel()
        self._letting_go = asyncio.get_running_loop().call_later(self._idle_seconds, self._let_go)

    def _let_go(self) -> None:
        if self._free.qsize() < len(self._children):
            self._rest()
            return
        for child in self._children:
            child.kill()

    async def close(self) -> None:
        if self._letting_go is not None:
            self._letting_go.cancel()
        await asyncio.gather(*(child.stop() for child in self._children))
