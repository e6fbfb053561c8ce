"""What a run amounts to, in figures and in words."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from rich.console import Console
from rich.table import Table

from tests.faults.ledger.finding import Finding
from tests.faults.nemesis import KINDS, LINES, Struck

_SHOWN = 40


@dataclass
class Report:
    """``facts`` and ``finished``: the longest time without one, see ``standstill``."""

    seed: int
    jobs: int
    wanted_jobs: int
    wanted_of_each_kind: int
    ends: dict[str, int]
    fired: dict[str, int]
    totals: dict[str, int]
    findings: list[Finding]
    seconds: float
    settled_seconds: float | None
    facts: tuple[float, float]
    finished: tuple[float, float]
    figures: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def shortfalls(self) -> list[str]:
        """Why the run, whatever it found, proves less than was asked of it."""
        each = self.wanted_of_each_kind
        missing = [f"{kind} fired {self.fired[kind]} times of {each}" for kind in KINDS if self.fired[kind] < each]
        return missing + ([f"{self.jobs} jobs of {self.wanted_jobs}"] if self.jobs < self.wanted_jobs else [])

    @property
    def good(self) -> bool:
        return not self.findings and not self.shortfalls

    def show(self, console: Console) -> None:
        table = Table(title=f"Faults, seed {self.seed}", title_justify="left", show_header=False)
        for name, value in self._rows().items():
            table.add_row(name, value)
        console.print(table)
        for finding in self.findings[:_SHOWN]:
            console.print(f"  {finding}", markup=False, highlight=False)
        if len(self.findings) > _SHOWN:
            console.print(f"  … and {len(self.findings) - _SHOWN} more")
        for shortfall in self.shortfalls:
            console.print(f"  not enough: {shortfall}")

    def _rows(self) -> dict[str, str]:
        by_kind = ", ".join(f"{kind} {times}" for kind, times in self.fired.items())
        settled = f"{self.settled_seconds:.0f} s" if self.settled_seconds is not None else "never"
        return {
            "jobs": f"{self.jobs}: " + ", ".join(f"{times} {status}" for status, times in self.ends.items()),
            "faults": f"{sum(self.fired.values())}: {by_kind}",
            "lost": str(self.totals["lost"]),
            "duplicated effects": str(self.totals["doubled"]),
            "stuck": str(self.totals["stuck"]),
            "wrong": str(self.totals["wrong"]),
            **self.figures,
            "longest recovery": f"{self.facts[0]:.1f} s with both servers there and no fact, "
            f"{self.finished[0]:.1f} s and no finished job",
            "longest standstill": f"{self.facts[1]:.1f} s without a fact, {self.finished[1]:.1f} s without a finished "
            "job, outages included",
            "settled": f"{settled} after the last fault and job",
            "throughput": f"{self.jobs / self.seconds:.1f} jobs/s over {self.seconds:.0f} s, faults included",
        }


def standstill(moments: Sequence[float], struck: Sequence[Struck]) -> tuple[float, float]:
    """The longest time between two of ``moments``, as (seconds without those in which a server was away, seconds).

    A server that is killed, frozen or cut off is away; single replicas that are killed or frozen, and slow lines, are
    no excuse.
    """
    outages = _merged([(one.began_at, one.ended_at) for one in struck if one.fired and _is_outage(one)])
    waits = [(after - before - _overlap(outages, before, after), after - before) for before, after in pairwise(moments)]
    return max((clear for clear, _ in waits), default=0.0), max((whole for _, whole in waits), default=0.0)


def _is_outage(one: Struck) -> bool:
    line, _, kind = one.decision.kind.partition("_")
    return line in LINES and kind not in ("latency", "throttle")


def _merged(spans: list[tuple[float, float]]) -> list[tuple[float, float]]:
    merged: list[tuple[float, float]] = []
    for began, ended in sorted(spans):
        if merged and began <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(ended, merged[-1][1]))
        else:
            merged.append((began, ended))
    return merged


def _overlap(spans: list[tuple[float, float]], before: float, after: float) -> float:
    return sum(max(0.0, min(ended, after) - max(began, before)) for began, ended in spans)
