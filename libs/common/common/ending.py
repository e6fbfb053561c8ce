"""Ending tasks for certain: one cancellation may be swallowed on its way."""

import asyncio
from collections.abc import Iterable
from typing import Any

_AGAIN_SECONDS = 0.5


async def end(tasks: Iterable[asyncio.Future[Any]]) -> None:
    """Cancel these and wait until they have ended, however. For work that has little to clean up.

    Before Python 3.12 `asyncio.wait_for`, which libraries use under our calls, raises what it waited for in the place
    of a cancellation that comes in the same turn of the loop. A task that tries again after errors would never end.
    """
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=_AGAIN_SECONDS)
