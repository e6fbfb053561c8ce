"""Runs one real service as its own process, asr with the fast engine: ``python -m tests.faults.serving asr``.

SIGUSR1 makes it write to its log what every task of it waits for.
"""

import asyncio
import importlib
import signal
import sys
from typing import Any

from tests.faults.tones import Tones


def main() -> None:
    name = sys.argv[1]
    signal.signal(signal.SIGUSR1, lambda _number, _frame: _tell_tasks())
    module = importlib.import_module(f"{name}.main")
    if name == "asr":
        module.build(installed=[Tones()]).run()
    else:
        module.main()


def _tell_tasks() -> None:
    tasks = asyncio.all_tasks(asyncio.get_running_loop())
    print(f"{len(tasks)} tasks", flush=True)
    for task in tasks:
        print(f"task {task.get_name()}: {' < '.join(reversed(_places(task.get_coro())))}", flush=True)


def _places(waiting: Any) -> list[str]:
    """Where the coroutine stands, and where what it waits for stands, down to the innermost."""
    places: list[str] = []
    while waiting is not None:
        frames = (getattr(waiting, name, None) for name in ("cr_frame", "gi_frame", "ag_frame"))
        frame = next(filter(None, frames), None)
        if frame is not None:
            places.append(f"{frame.f_code.co_qualname} {frame.f_code.co_filename.split('/')[-1]}:{frame.f_lineno}")
        inner = (getattr(waiting, name, None) for name in ("cr_await", "gi_yieldfrom", "ag_await"))
        waiting = next(filter(None, inner), None)
    return places


if __name__ == "__main__":
    main()
