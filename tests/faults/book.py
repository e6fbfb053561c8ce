"""What the load asked for and was promised: one side of the ledger.

An answer that was lost leaves a doubt: the request may have been carried out or not, and either is right.
"""

from collections import Counter
from dataclasses import dataclass, field
from uuid import UUID

from tests.faults.script import Plan


@dataclass
class Entry:
    """One recording as its owner knows it; ``maybe_…`` counts requests whose answer never came."""

    plan: Plan
    asset_id: UUID | None = None
    # The highest run that was promised.
    run: int = 0
    maybe_runs: int = 0
    title: str = ""
    collection_id: UUID | None = None
    edits: int = 0
    maybe_edits: int = 0
    # Runs whose cancelling was promised. A request that reaches a gateway late cancels whichever run is on then.
    cancelled: set[int] = field(default_factory=set[int])
    maybe_cancels: int = 0
    # Where a run was told to begin, when its number is certain.
    began_at: dict[int, str] = field(default_factory=dict[int, str])
    deleted: bool = False
    # Whether a correction was promised; asked for twice it changes nothing the second time.
    corrected: bool = False

    @property
    def words(self) -> list[str]:
        """What its newest transcript says."""
        return self.plan.corrected if self.corrected else self.plan.words


@dataclass
class Book:
    """All that was asked of one world. ``poison`` has the message ids that must be parked, by queue."""

    entries: list[Entry] = field(default_factory=list[Entry])
    collections: list[UUID] = field(default_factory=list[UUID])
    poison: dict[str, set[UUID]] = field(default_factory=dict[str, set[UUID]])
    # Requests that no gateway answered in all that time, and answers that no server should give.
    unanswered: list[str] = field(default_factory=list[str])
    bugs: Counter[str] = field(default_factory=Counter[str])

    def begin(self, plan: Plan) -> Entry:
        entry = Entry(plan)
        self.entries.append(entry)
        return entry

    @property
    def jobs(self) -> int:
        """Runs that were promised."""
        return sum(entry.run for entry in self.entries)
