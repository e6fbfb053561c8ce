"""A child process that answers one JSON line for each JSON line it is given."""

import asyncio
import contextlib
import json
import sys
from asyncio.subprocess import PIPE, Process
from typing import Any

from asr.providers.engine import EngineFailed

# An answer holds the words of one utterance, far less than this.
_LINE_BYTES = 4 * 1024 * 1024


class Child:
    """Started at the first question; ended by ``stop`` or by the end of this process, whatever ends it."""

    def __init__(self, module: str) -> None:
        self._module = module
        self._process: Process | None = None

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
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", self._module, stdin=PIPE, stdout=PIPE, limit=_LINE_BYTES
            )
        return self._process

    def kill(self) -> Process | None:
        """It holds nothing worth saving."""
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        return process

    async def stop(self) -> None:
        """Kill it, and wait until it is gone."""
        process = self.kill()
        if process is not None:
            await asyncio.shield(process.wait())
