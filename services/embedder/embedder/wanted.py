"""A search as asked, and what came of it."""

from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

from embedder.domain.asking import Asked
from embedder.domain.near import Spelling
from embedder.domain.ranking import Mode, Ranked
from embedder.domain.words import asked_units
from embedder.queries.scope import Filters
from embedder.queries.search import Passage

LEAST_CANDIDATES = 200
MOST_CANDIDATES = 1000
# The most promising of them, and their neighbours, get both scores and a place. Keeping all of them changes no measured
# result and takes half as long again.
LEAST_KEPT = 64
SortBy = Literal["relevance", "date", "title"]
Quality = Literal["fast", "balanced", "best"]


@dataclass(frozen=True)
class Wanted:
    """A search as asked: ``offset + limit`` at most ``MOST_CANDIDATES``.

    ``paged``: keep the order found for a while, so that later pages go on from it whatever is indexed meanwhile.
    """

    query: str
    mode: Mode = "hybrid"
    filters: Filters = field(default_factory=Filters)
    limit: int = 20
    offset: int = 0
    sort_by: SortBy = "relevance"
    descending: bool = True
    one_per_asset: bool = False
    quality: Quality = "balanced"
    paged: bool = False

    @property
    def candidates(self) -> int:
        """How many each leg brings. Where meaning alone decides, more than get a place are of no use."""
        least = LEAST_KEPT if self.mode == "semantic" and self._as_ranked else LEAST_CANDIDATES
        return min(MOST_CANDIDATES + 1, max(least, self._needed))

    @property
    def kept(self) -> int:
        """How many of them get a place: all where it is not simply the most relevant that are shown."""
        return min(self.candidates, max(LEAST_KEPT, self._needed)) if self._as_ranked else 2 * self.candidates

    @property
    def best_first(self) -> bool:
        return self.sort_by == "relevance" and self.descending

    @property
    def _as_ranked(self) -> bool:
        # The best of each asset may stand far behind the many of one.
        return self.best_first and not self.one_per_asset

    @property
    def _needed(self) -> int:
        return (self.offset + self.limit + 1) * (5 if self.one_per_asset else 1)


@dataclass(frozen=True)
class Found:
    """One result: what it says, and its place."""

    passage: Passage
    ranked: Ranked


@dataclass(frozen=True)
class Results:
    """A page; ``generations`` those of the collections searched."""

    found: list[Found]
    has_more: bool
    asked: Asked
    spelling: Spelling
    generations: dict[UUID, int]

    def terms(self, code: str) -> set[str]:
        """What the query's words count as in a language, with the words near to those that nobody said."""
        own = {unit.word for unit in asked_units(self.asked.text, code)}
        return own | {item.term for item in self.spelling.near}
