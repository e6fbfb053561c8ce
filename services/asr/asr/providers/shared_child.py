"""A child process that works on several questions at once; each of its JSON lines names the question it answers."""

import asyncio
import itertools
import json
from asyncio.subprocess import Process
from collections.abc import AsyncGenerator, Callable
from time import monotonic
from typing import Any

from asr.providers.child_process import ChildProcess
from asr.providers.engine import EngineFailed

Answer = dict[str, Any]


class SharedChild(ChildProcess):
    """Started at the first question.

    ``greeting`` is the first line that it reads. Lines that answer no question go to ``hear``.
    """

    def __init__(self, module: str, greeting: dict[str, Any], hear: Callable[[Answer], None]) -> None:
        super().__init__(module)
        self._greeting = greeting
        self._hear = hear
        self._reading: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()
        self._numbers = itertools.count(1)
        self._asked: dict[int, asyncio.Queue[Answer | None]] = {}
        self._heard_at = 0.0

    @property
    def busy(self) -> bool:
        return bool(self._asked)

    @property
    def pid(self) -> int | None:
        """Of the process, while there is one."""
        return self._process.pid if self._process is not None else None

    async def ask(self, question: dict[str, Any], *, answers: int, quiet_seconds: float) -> AsyncGenerator[Answer]:
        """That many answers, each as it comes. Closed early, the child is told to drop the rest.

        Raises EngineFailed when the child dies, or says nothing at all to anybody for ``quiet_seconds``.
        """
        number, inbox, left = next(self._numbers), asyncio.Queue[Answer | None](), answers
        try:
            process = await self._started()
            self._asked[number] = inbox
            await self._say(process, {"id": number, **question})
            while left:
                yield await self._next(inbox, quiet_seconds)
                left -= 1
        except OSError as error:
            await self.stop()
            raise EngineFailed(f"{self._module}: {error}") from error
        finally:
            self._asked.pop(number, None)
            if left and self._process is not None:
                self._write(self._process, {"id": number, "act": "drop"})

    async def _next(self, inbox: asyncio.Queue[Answer | None], quiet_seconds: float) -> Answer:
        asked_at = monotonic()
        while True:
            patience = max(self._heard_at, asked_at) + quiet_seconds - monotonic()
            try:
                async with asyncio.timeout(max(0.0, patience)):
                    answer = await inbox.get()
            except TimeoutError:
                if max(self._heard_at, asked_at) + quiet_seconds > monotonic():
                    continue
                await self.stop()
                raise EngineFailed(f"{self._module} said nothing for {quiet_seconds:.0f} s") from None
            if answer is None:
                raise EngineFailed(f"{self._module} ended in the middle of its work")
            return answer

    async def _started(self) -> Process:
        async with self._starting:
            process = self._process
            if process is None:
                process = await self._start()
                self._reading = asyncio.create_task(self._read(process))
                self._write(process, self._greeting)
            return process

    async def _say(self, process: Process, line: dict[str, Any]) -> None:
        self._write(process, line)
        assert process.stdin is not None
        await process.stdin.drain()

    def _write(self, process: Process, line: dict[str, Any]) -> None:
        assert process.stdin is not None
        process.stdin.write(json.dumps(line).encode() + b"\n")

    async def _read(self, process: Process) -> None:
        """Hand every line to whoever asked, until there are no more."""
        assert process.stdout is not None
        try:
            async for line in process.stdout:
                self._heard_at = monotonic()
                answer: Answer = json.loads(line)
                asked = self._asked.get(answer.get("id", 0))
                if asked is not None:
                    asked.put_nowait(answer)
                elif "id" not in answer:
                    self._hear(answer)
        except ValueError:  # no JSON, or a line without end: it is of no use any more
            self.kill()
        finally:
            if self._process is process:
                self.kill()

    def kill(self) -> Process | None:
        """Whoever waits for an answer gets EngineFailed."""
        for inbox in self._asked.values():
            inbox.put_nowait(None)
        return super().kill()
