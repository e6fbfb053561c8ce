"""One search: the legs that its mode needs, one order, and the passages of the page asked for.

All statements of a search see one snapshot of the database, so that scores, passages and the generations it reports
belong together.
"""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

import numpy as np
from common.db import Connection, Database
from numpy.typing import NDArray

from embedder import metrics
from embedder.domain import ranking
from embedder.domain.hits import phrase_query
from embedder.domain.ranking import Mode, Ranked
from embedder.domain.words import language_code, term, tokens
from embedder.queries import nearest, scope, search, terms
from embedder.queries.scope import Filters
from embedder.queries.search import Bearings, Bm25, Passage
from embedder.registry import Current, Registry

LEAST_CANDIDATES = 200
MOST_CANDIDATES = 1000
SortBy = Literal["relevance", "date", "title"]
Vector = NDArray[np.float32]


@dataclass(frozen=True)
class Wanted:
    """A search as asked: ``offset + limit`` at most ``MOST_CANDIDATES``."""

    query: str
    mode: Mode = "hybrid"
    filters: Filters = field(default_factory=Filters)
    limit: int = 20
    offset: int = 0
    sort_by: SortBy = "relevance"
    descending: bool = True
    one_per_asset: bool = False

    @property
    def candidates(self) -> int:
        """How many each leg brings."""
        needed = (self.offset + self.limit + 1) * (5 if self.one_per_asset else 1)
        return min(MOST_CANDIDATES + 1, max(LEAST_CANDIDATES, needed))


@dataclass(frozen=True)
class Found:
    """One result: what it says, and its place."""

    passage: Passage
    ranked: Ranked


@dataclass(frozen=True)
class Results:
    """``words`` are the query's, folded; ``generations`` those of the collections searched."""

    found: list[Found]
    has_more: bool
    words: list[str]
    generations: dict[UUID, int]

    def terms(self, code: str) -> set[str]:
        """What the query's words count as in a language."""
        return {found for word in self.words if (found := term(word, code))}


@dataclass(frozen=True)
class Search:
    """``exact_chunks``: scopes of up to so many chunks are searched without the vector index."""

    db: Database
    models: Registry
    ef_search: int
    exact_chunks: int

    async def run(self, user_id: UUID, wanted: Wanted) -> Results:
        """Raises TryAgain when the model cannot be loaded."""
        with metrics.searches.labels(wanted.mode).time():
            model = await self.models.current()
            vector = await self._embed(wanted, model)
            async with self._snapshot() as conn:
                words = [token.word for token in tokens(wanted.query)]
                ranked = await _Legs(self, conn, user_id, wanted, words, model, vector).ranked()
                ranked = await self._sorted(conn, ranked, wanted)
                page = ranked[wanted.offset : wanted.offset + wanted.limit]
                passages = await search.read_passages(conn, user_id, wanted.filters, _numbers(page))
                generations = await scope.generations(conn, user_id, wanted.filters.collection_id)
        found = [Found(passages[item.chunk.number], item) for item in page if item.chunk.number in passages]
        metrics.hits.labels(wanted.mode).observe(len(ranked))
        return Results(found, len(ranked) > wanted.offset + wanted.limit, words, generations)

    async def _embed(self, wanted: Wanted, model: Current) -> Vector | None:
        if wanted.mode in ("lexical", "phrase"):
            return None
        return (await model.embedder.embed([wanted.query]))[0]

    @asynccontextmanager
    async def _snapshot(self) -> AsyncGenerator[Connection]:
        async with self.db.acquire() as conn, conn.transaction(isolation="repeatable_read", readonly=True):
            yield conn

    async def _sorted(self, conn: Connection, ranked: list[Ranked], wanted: Wanted) -> list[Ranked]:
        if wanted.one_per_asset:
            ranked = ranking.best_of_each_asset(ranked)
        if wanted.sort_by == "relevance":
            return ranked if wanted.descending else ranked[::-1]
        order = await search.read_order(conn, _numbers(ranked))
        column = 0 if wanted.sort_by == "title" else 1
        # Stable, so that chunks of one asset stay in the order of their scores.
        return sorted(ranked, key=lambda item: order[item.chunk.number][column], reverse=wanted.descending)


@dataclass(frozen=True)
class _Legs:
    """The legs of one search on one connection."""

    search: Search
    conn: Connection
    user_id: UUID
    wanted: Wanted
    words: Sequence[str]
    model: Current
    vector: Vector | None

    async def ranked(self) -> list[Ranked]:
        mode, filters = self.wanted.mode, self.wanted.filters
        if mode == "phrase":
            return await self._by_phrase()
        known = await search.take_bearings(self.conn, self.user_id, filters, self.model.name, self.search.ef_search)
        query = None if mode == "semantic" else await self._bm25(known)
        lexical = await self._lexical(query) if query else []
        semantic = await self._semantic(known)
        order = ranking.preliminary(lexical, semantic)
        around = order[: ranking.NEIGHBOURED] if mode == "hybrid" else []
        chunks = await search.complete_scores(self.conn, order, around, query, known.model_id, self.vector)
        if mode != "hybrid":
            return ranking.by_one_leg(chunks, mode)
        return ranking.fuse(chunks, order, around, query.whole if query else 0.0)

    async def _by_phrase(self) -> list[Ranked]:
        if not self.words:
            return []
        wanted, phrase = self.wanted, phrase_query(self.words)
        leg = dict(await search.phrase_leg(self.conn, self.user_id, wanted.filters, phrase, wanted.candidates))
        found = await search.complete_scores(self.conn, list(leg), [], None, None, None)
        return ranking.by_one_leg([chunk._replace(phrase=leg[chunk.number]) for chunk in found], "phrase")

    async def _bm25(self, known: Bearings) -> Bm25 | None:
        """The query's terms in every language of the index, weighted; None when no chunk has any of them."""
        codes = {language_code(language) for language in known.languages}
        wanted = [{found for word in self.words if (found := term(word, code))} for code in codes]
        found = await terms.find_terms(self.conn, sorted(set[str]().union(*wanted)))
        kept = ranking.telling([(item.id, item.df) for item in found], known.corpus_chunks)
        if not kept or not known.corpus_chunks:
            return None
        weights = {item.term: ranking.inverse_frequency(known.corpus_chunks, item.df) for item in found}
        unknown = ranking.inverse_frequency(known.corpus_chunks, 0)
        return Bm25(
            tuple(kept),
            tuple(weights[item.term] for item in found if item.id in kept),
            known.corpus_length / known.corpus_chunks,
            # In the language that knows most of the query's words.
            min(sum(weights.get(word, unknown) for word in words) for words in wanted if words),
        )

    async def _lexical(self, query: Bm25) -> list[tuple[int, float]]:
        return await search.lexical_leg(self.conn, self.user_id, self.wanted.filters, query, self.wanted.candidates)

    async def _semantic(self, known: Bearings) -> list[tuple[int, float]]:
        if known.model_id is None or self.vector is None:
            return []
        # Where the filter leaves little, walking the graph would meet hardly anything that passes it.
        few = known.scope_chunks <= max(self.search.exact_chunks, known.corpus_chunks // 50)
        wanted, row = self.wanted, self.model.row
        if not few and row is not None and row.quantised:
            return await nearest.nearest_by_bits(
                self.conn, self.user_id, wanted.filters, row, self.vector, wanted.candidates
            )
        leg = search.nearest_exactly if few else search.nearest_by_index
        return await leg(self.conn, self.user_id, wanted.filters, known.model_id, self.vector, wanted.candidates)


def _numbers(ranked: Sequence[Ranked]) -> list[int]:
    return [item.chunk.number for item in ranked]
