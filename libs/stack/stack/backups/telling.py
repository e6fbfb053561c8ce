"""Tells, every few seconds, how far a long copy is."""

import time
from collections.abc import Callable

from stack.wish import Say

_SAY_EVERY_SECONDS = 5.0
_MEGABYTE = 1_000_000


def megabytes(size_bytes: int) -> str:
    return f"{size_bytes / _MEGABYTE:.1f}"


def telling(say: Say, total_bytes: int) -> Callable[[int], None]:
    """What is called with the bytes of each piece when it is done."""
    done, said = 0, time.monotonic()

    def tell(size_bytes: int) -> None:
        nonlocal done, said
        done += size_bytes
        if time.monotonic() - said > _SAY_EVERY_SECONDS:
            said = time.monotonic()
            say(f"  {megabytes(done)} of {megabytes(total_bytes)} MB")

    return tell
