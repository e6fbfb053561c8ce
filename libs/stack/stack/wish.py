"""What is asked of `up`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from stack.layout import DataFolder

# Takes one line for a person at a time.
Say = Callable[[str], object]


@dataclass(frozen=True)
class Wish:
    """`port` is None when the usual one or the next free will do; `environ` is what the user exported."""

    folder: DataFolder
    port: int | None
    environ: Mapping[str, str]
