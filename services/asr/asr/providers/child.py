"""A child process that answers one JSON line for each JSON line it is given."""

import asyncio
import json
from asyncio.subprocess import Process
from typing import Any

from asr.providers.child_process import ChildProcess
from asr.providers.engine import EngineFailed


class Child(ChildProcess):
    """Started at the first question."""

    async def ask(self, question: dict[str, Any], *, seconds: float) -> dict[str, Any]:
        """Raises EngineFailed when the child dies or is silent for ``seconds``; the next question starts another."""
        try:
            process = await self._started()
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps(question).encode() + b"\n")
            async with asyncio.timeout(seconds):
                await process.stdin.drain()
                line = await process.stdout.readline()
            return json.loads(line)  # an empty line, because the child has ended, is no JSON either
        except (OSError, TimeoutError, ValueError) as error:
            await self.stop()
            raise EngineFailed(f"{self._module}: {type(error).__name__} {error}") from error
        except BaseException:
            # Given up in mid-question, the pipe would hold the answer to it before the answer to the next.
            await self.stop()
            raise

    async def _started(self) -> Process:
        if self._process is None or self._process.returncode is not None:
            return await self._start()
        return self._process
