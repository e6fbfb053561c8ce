"""Runs a stack in this process until it is asked to stop, with the services' lines on the terminal."""

import asyncio
from collections.abc import Callable

from stack.errors import StackError
from stack.layout import SERVICES
from stack.logfiles import Terminal
from stack.results import Running
from stack.supervisor import supervise
from stack.wish import Say, Wish


def up_here(wish: Wish, *, say: Say, on_ready: Callable[[Running], object]) -> Running:
    """Returns after the stack has been asked to stop, and has."""
    ready: list[Running] = []

    def remember(running: Running) -> None:
        ready.append(running)
        on_ready(running)

    terminal = Terminal(SERVICES)
    asyncio.run(supervise(wish, say=say, show=terminal.show, on_ready=remember))
    if not ready:
        raise StackError("Stopped before it was ready.")
    return ready[0]
