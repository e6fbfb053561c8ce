"""The legs of one search on one connection, and the order that their candidates get."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from common.db import Connection
from numpy.typing import NDArray

from embedder.domain import ranking
from embedder.domain.asking import Asked
from embedder.domain.hits import phrases_query
from embedder.domain.ranking import Listing, Ranked, Scored
from embedder.queries import search
from embedder.queries.legs import Query, find_candidates
from embedder.queries.nearest import Nearest
from embedder.queries.search import Bm25
from embedder.queries.vocabulary import Bearings
from embedder.registry import Current
from embedder.wanted import Quality, Wanted
from embedder.weighing import title_scores

Leg = list[tuple[int, float]]

# What a request's quality makes of the setting, and of the scopes that are searched without the vector index.
_EFFORT: dict[Quality, float] = {"fast": 0.5, "balanced": 1.0, "best": 4.0}
_LARGEST_EF = 1000


@dataclass(frozen=True)
class Reach:
    """How far the vector index looks: ``ef_search`` candidates; ``exact_chunks``: a corpus of up to so many chunks is
    searched without it."""

    ef_search: int
    exact_chunks: int

    def at(self, quality: Quality) -> "Reach":
        effort = _EFFORT[quality]
        ef_search = min(_LARGEST_EF, max(10, round(self.ef_search * effort)))
        return Reach(ef_search, round(self.exact_chunks * effort))

    def few(self, corpus_chunks: int) -> int:
        """The largest scope, in chunks, that is searched without the index.

        Looking at each costs the more the larger the scope is; the index costs the more the fewer of its chunks are in
        the scope, because it walks past all others. Both cost the same at the geometric mean of ``exact_chunks`` and
        the corpus: measured at 100,000 chunks, a scope of 2,500 takes 4 ms by looking at each and 27 by the index, one
        of 20,000 14 and 8.
        """
        return math.isqrt(self.exact_chunks * max(self.exact_chunks, corpus_chunks))

    def settings(self, *, planned_anew: bool) -> dict[str, str | int]:
        """Of the snapshot: let HNSW walk on until enough rows pass the filter. A statement over everything takes
        longer to plan than its plans differ; that of a phrase or a speaker depends on how often they are heard."""
        return {
            "hnsw.ef_search": self.ef_search,
            "hnsw.iterative_scan": "relaxed_order",
            "plan_cache_mode": "auto" if planned_anew else "force_generic_plan",
        }


@dataclass(frozen=True)
class Legs:
    """``vector``: of the query by ``model``; None where the mode needs none. ``words``: its terms; None where no chunk
    has any of them. Each leg brings up to ``limit``, of which ``kept`` get a place."""

    conn: Connection
    user_id: UUID
    wanted: Wanted
    asked: Asked
    model: Current
    vector: NDArray[np.float32] | None
    known: Bearings
    words: Bm25 | None
    reach: Reach
    limit: int
    kept: int

    async def listing(self) -> Listing:
        if self.wanted.mode == "phrase":
            return await self._by_phrase([self.asked.plain])
        if self.asked.phrases:
            return await self._with_phrases(await self._phrase_leg(self.asked.phrases))
        if self.words is None and self.wanted.mode != "semantic" and self.asked.plain:
            # Words that say nothing, alone: they were meant as they stand.
            leg = await self._phrase_leg([self.asked.plain])
            if leg:
                return await self._with_phrases(leg)
        return await self._by_words_and_meaning()

    async def _by_words_and_meaning(self) -> Listing:
        titles = {} if self.wanted.mode == "semantic" else title_scores(self.asked, self.known)
        few = self.reach.few(self.known.corpus_chunks)
        named = [match.chunk_number for match in titles]
        query = Query(self.words, self._meant(), self.limit, self.kept, few, named, self._neighboured)
        found = await find_candidates(self.conn, self.user_id, self.wanted.filters, query)
        ranked = self._fused(found.chunks, found.numbers, found.around)
        if titles:
            ranked = ranking.with_titles(ranked, {match.asset_id: score for match, score in titles.items()})
        return Listing(ranked, found.complete)

    async def _with_phrases(self, leg: Leg) -> Listing:
        """Only chunks in which the quoted parts stand, in the order of what else they say."""
        phrase = dict(leg)
        order = list(phrase)
        around = order[: self._neighboured]
        chunks = await search.complete_scores(self.conn, order, around, self.words, self._meant())
        chunks = [chunk._replace(phrase=phrase.get(chunk.number)) for chunk in chunks]
        return Listing(self._fused(chunks, set(order), set(around)), len(leg) < self.limit)

    @property
    def _neighboured(self) -> int:
        return ranking.NEIGHBOURED if self.wanted.mode == "hybrid" else 0

    def _meant(self) -> Nearest | None:
        row, model_id = self.model.row, self.known.model_id
        if model_id is None or self.vector is None:
            return None
        return Nearest(model_id, self.vector, row.dimensions if row is not None and row.quantised else None)

    def _fused(self, chunks: list[Scored], numbers: set[int], around: set[int]) -> list[Ranked]:
        mode = self.wanted.mode
        if mode == "lexical" and self.words is None:
            return ranking.by_one_leg(chunks, "phrase")
        if mode in ("lexical", "semantic"):
            return ranking.by_one_leg(chunks, mode)
        return ranking.fuse(chunks, numbers, around, self.words.whole if self.words else 0.0)

    async def _by_phrase(self, phrases: Sequence[Sequence[str]]) -> Listing:
        leg = dict(await self._phrase_leg(phrases))
        found = await search.complete_scores(self.conn, list(leg), [], None, None)
        scored: list[Scored] = [chunk._replace(phrase=leg[chunk.number]) for chunk in found]
        return Listing(ranking.by_one_leg(scored, "phrase"), len(leg) < self.limit)

    async def _phrase_leg(self, phrases: Sequence[Sequence[str]]) -> Leg:
        said = [words for words in phrases if words]
        if not said:
            return []
        wanted = self.wanted
        return await search.phrase_leg(self.conn, self.user_id, wanted.filters, phrases_query(said), self.limit)
