"""When a vector index is worth building: a graph costs at every insert, and a table without one at every search."""

from dataclasses import dataclass
from typing import Literal

Step = Literal["build", "rebuild"]
# A table that grew by more than this since the last look is being loaded.
_GROWING = 1.1
# But no load makes searches look at more than this many times the rows that need no index.
_MOST_WITHOUT = 20


@dataclass(frozen=True)
class TableFacts:
    """``built``: it has a usable vector index. ``deleted`` rows since that was built."""

    rows: int
    deleted: int
    built: bool


def next_step(now: TableFacts, rows_before: int | None, from_rows: int) -> Step | None:
    """``rows_before``: at the last look, None at the first; ``from_rows``: how many rows need an index at all.

    While a table grows fast its index waits: built over the rows that are there it takes a fraction of the time that
    putting them in one by one does. It is built again when as many rows were deleted as there are: half of the graph
    then leads to nothing.
    """
    if now.built:
        return "rebuild" if now.deleted > max(now.rows, from_rows) else None
    if now.rows < from_rows:
        return None
    growing = rows_before is None or now.rows > _GROWING * rows_before
    return None if growing and now.rows < _MOST_WITHOUT * from_rows else "build"
