"""Lines of the table that `make bench` prints: what was measured, beside what, against which goal."""

import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

HEADS = ("what", "Earshot", "peer", "ratio", "goal", "")
ROUNDS = 5

Measured = TypeVar("Measured")


@dataclass(frozen=True)
class Line:
    """One row; ``met`` is None where there is no goal."""

    what: str
    ours: str
    peer: str = ""
    ratio: str = ""
    goal: str = ""
    met: bool | None = None

    @property
    def cells(self) -> tuple[str, ...]:
        mark = "" if self.met is None else "[green]✓[/green]" if self.met else "[red]✗[/red]"
        return self.what, self.ours, self.peer, self.ratio, self.goal, mark


def middle(of: Callable[[Measured], float], measured: Iterable[Measured]) -> float:
    return statistics.median(map(of, measured))


def at_least(what: str, ours: float, peer: float, peer_name: str, goal: float | None) -> Line:
    """Two rates; ours shall be ``goal`` times the peer's or more."""
    ratio = ours / peer
    return Line(
        what,
        f"{ours:,.0f}/s",
        f"{peer_name} {peer:,.0f}/s",
        f"{ratio:.2f}",
        "" if goal is None else f"≥ {goal:g}",
        None if goal is None else ratio >= goal,
    )
