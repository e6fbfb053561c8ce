"""One search: what is meant by the query, the legs that its mode needs, one order, and the page asked for.

All statements that find and show see one snapshot of the database, so that candidates, passages and the generations it
reports belong together; only what words there are and how common they are, and a reranker, are asked outside of it.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from common.db import Connection, Database

from embedder import metrics
from embedder.domain import ranking
from embedder.domain.asking import Asked, read_query
from embedder.domain.near import Spelling
from embedder.domain.ranking import Listing, Ranked
from embedder.legs import Legs, Reach
from embedder.queries import results, search
from embedder.queries.search import Bm25, Passage
from embedder.queries.vocabulary import Bearings, take_bearings
from embedder.query_vectors import QueryVectors, Vector
from embedder.registry import Current, Registry
from embedder.reranking import Reranking
from embedder.spelling import Forms, doubtable, spell
from embedder.wanted import MOST_CANDIDATES, Found, Quality, Results, SortBy, Wanted
from embedder.weighing import bm25, counted, named

__all__ = ["MOST_CANDIDATES", "Found", "Quality", "Results", "Search", "SortBy", "Wanted"]


@dataclass(frozen=True)
class _Question:
    """Who asks for what, and what it is understood to mean."""

    user_id: UUID
    wanted: Wanted
    asked: Asked
    spelling: Spelling
    model: Current
    vector: Vector | None
    known: Bearings
    words: Bm25 | None

    @property
    def by_phrase(self) -> bool:
        """Whether chunks are looked for in which words stand as they are in the query."""
        alone = self.words is None and self.wanted.mode != "semantic"
        return self.wanted.mode == "phrase" or bool(self.asked.phrases) or alone

    @property
    def end(self) -> int:
        """One more than the page holds: whether there is more."""
        return self.wanted.offset + self.wanted.limit + 1


@dataclass
class _Languages:
    """Those of the index when it was last asked, as codes. They change when a recording of a new one is indexed."""

    codes: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Search:
    """``ef_search`` and ``exact_chunks``: see `Reach`."""

    db: Database
    models: Registry
    ef_search: int
    exact_chunks: int
    vectors: QueryVectors = field(default_factory=QueryVectors)
    reranking: Reranking = field(default_factory=Reranking)
    _languages: _Languages = field(default_factory=_Languages)

    async def run(self, user_id: UUID, wanted: Wanted) -> Results:
        """Raises TryAgain when the model cannot be loaded."""
        with metrics.searches.labels(wanted.mode).time():
            question = await self._understand(user_id, wanted)
            reach = self._reach(wanted)
            planned_anew = question.by_phrase or wanted.filters.speaker is not None
            async with self.db.snapshot(reach.settings(planned_anew=planned_anew)) as conn:
                held = await self._held(conn, question)
                listing = await self._listed(conn, question, held)
                # What an earlier page showed has been judged; what follows it stays behind it.
                judged = listing.ranked[:0] if held else self.reranking.judged(wanted, listing.ranked)
                shown = [*judged, *_page(wanted, listing.ranked)]
                passages, generations = await self._passages(conn, question, shown)
            if judged:
                listing = await self._reranked(question, listing, judged, passages)
            page = _page(wanted, listing.ranked)
            passages |= await self._missing(question, page, passages)
        found = [Found(passages[item.chunk.number], item) for item in page if item.chunk.number in passages]
        has_more = len(listing.ranked) >= question.end
        if wanted.paged and has_more and listing is not held:
            await self._keep(question, listing)
        metrics.hits.labels(wanted.mode).observe(len(listing.ranked))
        return Results(found, has_more, question.asked, question.spelling, generations)

    async def _understand(self, user_id: UUID, wanted: Wanted) -> _Question:
        """The vector is made while the words are looked up, and made again if they were meant otherwise."""
        asked, model = read_query(wanted.query), await self.models.current()
        needs_vector = wanted.mode in ("hybrid", "semantic")
        making = asyncio.create_task(self.vectors.of(model.embedder, wanted.query)) if needs_vector else None
        try:
            known, forms = await self._take_bearings(user_id, wanted, asked, model)
            spelling = await spell(self.db, user_id, asked, forms, known)
            vector = await making if making else None
        finally:
            if making:
                making.cancel()
        if needs_vector and spelling.meant:
            vector = await self.vectors.of(model.embedder, spelling.meant)
        words = None if wanted.mode in ("semantic", "phrase") else bm25(asked, spelling, known)
        return _Question(user_id, wanted, asked, spelling, model, vector, known, words)

    async def _take_bearings(
        self, user_id: UUID, wanted: Wanted, asked: Asked, model: Current
    ) -> tuple[Bearings, Forms]:
        """Terms are looked up by the languages that the index had last, and again where it has others by now."""
        by_name = None if wanted.mode in ("semantic", "phrase") or asked.phrases else named(asked)
        while True:
            codes = self._languages.codes
            forms = doubtable(asked, codes)
            doubted = {form for by_code in forms.values() for form in by_code.values()}
            terms = sorted(doubted.union(*counted(asked, codes)))
            async with self.db.acquire() as conn:
                known = await take_bearings(
                    conn, user_id, wanted.filters, model.name, terms, doubtable=sorted(doubted), named=by_name
                )
            if known.codes == codes:
                return known, forms
            self._languages.codes = known.codes

    def _reach(self, wanted: Wanted) -> Reach:
        return Reach(self.ef_search, self.exact_chunks).at(wanted.quality)

    async def _held(self, conn: Connection, question: _Question) -> Listing | None:
        """What an earlier page of this search found."""
        if not question.wanted.paged or not question.wanted.offset:
            return None
        return await results.read_list(conn, self._key(question))

    async def _listed(self, conn: Connection, question: _Question, held: Listing | None) -> Listing:
        if held and held.reaches(question.end):
            return held
        judged = self.reranking.most(question.wanted)
        legs = Legs(
            conn,
            question.user_id,
            question.wanted,
            question.asked,
            question.model,
            question.vector,
            question.known,
            question.words,
            self._reach(question.wanted),
            max(question.wanted.candidates, judged),
            max(question.wanted.kept, judged),
        )
        found = await legs.listing()
        ordered = Listing(await self._sorted(conn, found.ranked, question.wanted), found.complete)
        if held is None:
            return ordered
        merged = held.followed_by(ordered)
        return (
            replace(merged, ranked=ranking.best_of_each_asset(merged.ranked))
            if question.wanted.one_per_asset
            else merged
        )

    async def _sorted(self, conn: Connection, ranked: list[Ranked], wanted: Wanted) -> list[Ranked]:
        if wanted.one_per_asset and not self.reranking.wanted(wanted):
            ranked = ranking.best_of_each_asset(ranked)
        if wanted.sort_by == "relevance":
            return ranked if wanted.descending else ranked[::-1]
        order = await search.read_order(conn, _numbers(ranked))
        column = 0 if wanted.sort_by == "title" else 1
        # Stable, so that chunks of one asset stay in the order of their scores.
        return sorted(ranked, key=lambda item: order[item.chunk.number][column], reverse=wanted.descending)

    async def _passages(
        self, conn: Connection, question: _Question, ranked: Sequence[Ranked]
    ) -> tuple[dict[int, Passage], dict[UUID, int]]:
        numbers = sorted(set(_numbers(ranked)))
        return await search.read_page(conn, question.user_id, question.wanted.filters, numbers)

    async def _reranked(
        self, question: _Question, listing: Listing, judged: Sequence[Ranked], passages: dict[int, Passage]
    ) -> Listing:
        texts = {number: passages[number].content for number in _numbers(judged) if number in passages}
        ranked = await self.reranking.order(question.wanted.query, listing.ranked, texts)
        return replace(listing, ranked=ranking.best_of_each_asset(ranked) if question.wanted.one_per_asset else ranked)

    async def _missing(
        self, question: _Question, page: Sequence[Ranked], passages: dict[int, Passage]
    ) -> dict[int, Passage]:
        """Passages that a reranker brought onto the page."""
        missing = [item for item in page if item.chunk.number not in passages]
        if not missing or not self.reranking.wanted(question.wanted):
            return {}
        async with self.db.acquire() as conn:
            return (await self._passages(conn, question, missing))[0]

    async def _keep(self, question: _Question, listing: Listing) -> None:
        async with self.db.transaction() as conn:
            await results.keep_list(conn, self._key(question), listing)

    def _key(self, question: _Question) -> bytes:
        """Of everything that the order depends on except the index itself."""
        wanted = replace(question.wanted, limit=0, offset=0)
        return hashlib.sha256(repr((question.user_id, wanted, question.model.name)).encode()).digest()


def _page(wanted: Wanted, ranked: Sequence[Ranked]) -> Sequence[Ranked]:
    return ranked[wanted.offset : wanted.offset + wanted.limit]


def _numbers(ranked: Sequence[Ranked]) -> list[int]:
    return [item.chunk.number for item in ranked]
