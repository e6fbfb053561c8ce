"""The process behind a child: one Python module on a pipe, started when first needed."""

import asyncio
import contextlib
import sys
from asyncio.subprocess import PIPE, Process

# An answer holds the words of one utterance, far less than this.
_LINE_BYTES = 4 * 1024 * 1024


class ChildProcess:
    """Ended by ``stop`` or by the end of this process, whatever ends it."""

    def __init__(self, module: str) -> None:
        self._module = module
        self._process: Process | None = None

    async def _start(self) -> Process:
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
