"""Asking again what a server that is away or busy for a moment did not answer."""

import time
from collections.abc import Callable
from typing import TypeVar

from earshot.errors import EarshotError
from earshot.following import PATIENCE_SECONDS

Answer = TypeVar("Answer")
PAUSE_SECONDS = 1.0


def patiently(ask: Callable[[], Answer], patience_seconds: float = PATIENCE_SECONDS) -> Answer:
    """`ask` must be safe to repeat. Raises EarshotError when the server stays away for longer."""
    until = time.monotonic() + patience_seconds
    while True:
        try:
            return ask()
        except EarshotError as error:
            pause = error.retry_after_seconds or PAUSE_SECONDS
            if not error.transient or time.monotonic() + pause > until:
                raise
            time.sleep(pause)
