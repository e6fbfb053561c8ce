"""The legs of one search on one connection, and the order that their candidates get."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from common.db import Connection
from numpy.typing import NDArray

from embedder.domain import ranking
from embedder.domain.asking import Asked
from embedder.domain.hits import phrases_query
from embedder.domain.near import Spelling
from embedder.domain.ranking import Listing, Ranked, Scored
from embedder.domain.stopwords import ENGLISH
from embedder.domain.words import asked_units, language_code, term, units
from embedder.queries import nearest, search, terms
from embedder.queries.search import Bearings, Bm25, TitleMatch
from embedder.registry import Current
from embedder.wanted import Quality, Wanted

Leg = list[tuple[int, float]]

# What a request's quality makes of the setting, and of the scopes that are searched without the vector index.
_EFFORT: dict[Quality, float] = {"fast": 0.5, "balanced": 1.0, "best": 4.0}
_LARGEST_EF = 1000
# A longer query is no title.
_TITLE_WORDS = 30


@dataclass(frozen=True)
class Reach:
    """How far the vector index looks: ``ef_search`` candidates; ``exact_chunks``: scopes of up to so many chunks are
    searched without it."""

    ef_search: int
    exact_chunks: int

    def at(self, quality: Quality) -> "Reach":
        effort = _EFFORT[quality]
        ef_search = min(_LARGEST_EF, max(10, round(self.ef_search * effort)))
        return Reach(ef_search, round(self.exact_chunks * effort))


@dataclass(frozen=True)
class Legs:
    """``vector``: of the query by ``model``; None where the mode needs none."""

    conn: Connection
    user_id: UUID
    wanted: Wanted
    asked: Asked
    spelling: Spelling
    model: Current
    vector: NDArray[np.float32] | None
    reach: Reach

    async def listing(self) -> Listing:
        if self.wanted.mode == "phrase":
            return await self._by_phrase([self.asked.plain])
        known = await search.take_bearings(
            self.conn, self.user_id, self.wanted.filters, self.model.name, self.reach.ef_search
        )
        query = None if self.wanted.mode == "semantic" else await self._bm25(known)
        if self.asked.phrases:
            return await self._with_phrases(known, query, await self._phrase_leg(self.asked.phrases))
        if query is None and self.wanted.mode != "semantic" and self.asked.plain:
            # Words that say nothing, alone: they were meant as they stand.
            leg = await self._phrase_leg([self.asked.plain])
            if leg:
                return await self._with_phrases(known, query, leg)
        return await self._by_words_and_meaning(known, query)

    async def _by_words_and_meaning(self, known: Bearings, query: Bm25 | None) -> Listing:
        lexical = await self._lexical(query) if query else []
        semantic = await self._semantic(known)
        titles = {} if self.wanted.mode == "semantic" else await self._titles()
        order = ranking.preliminary(lexical, semantic)
        found = set(order)
        order += [match.chunk_number for match in titles if match.chunk_number not in found]
        ranked = await self._fused(known, query, order, {})
        scores = {match.asset_id: score for match, score in titles.items()}
        if scores:
            ranked = ranking.with_titles(ranked, scores)
        return Listing(ranked, max(len(lexical), len(semantic)) < self.wanted.candidates)

    async def _with_phrases(self, known: Bearings, query: Bm25 | None, leg: Leg) -> Listing:
        """Only chunks in which the quoted parts stand, in the order of what else they say."""
        order = [number for number, _ in leg]
        return Listing(await self._fused(known, query, order, dict(leg)), len(leg) < self.wanted.candidates)

    async def _fused(
        self, known: Bearings, query: Bm25 | None, order: Sequence[int], phrase: dict[int, float]
    ) -> list[Ranked]:
        mode = self.wanted.mode
        around = order[: ranking.NEIGHBOURED if mode == "hybrid" else 0]
        chunks = await search.complete_scores(self.conn, order, around, query, known.model_id, self.vector)
        chunks = [chunk._replace(phrase=phrase.get(chunk.number)) for chunk in chunks] if phrase else chunks
        if mode == "lexical" and query is None:
            return ranking.by_one_leg(chunks, "phrase")
        if mode in ("lexical", "semantic"):
            return ranking.by_one_leg(chunks, mode)
        return ranking.fuse(chunks, order, around, query.whole if query else 0.0)

    async def _by_phrase(self, phrases: Sequence[Sequence[str]]) -> Listing:
        leg = dict(await self._phrase_leg(phrases))
        found = await search.complete_scores(self.conn, list(leg), [], None, None, None)
        scored: list[Scored] = [chunk._replace(phrase=leg[chunk.number]) for chunk in found]
        return Listing(ranking.by_one_leg(scored, "phrase"), len(leg) < self.wanted.candidates)

    async def _phrase_leg(self, phrases: Sequence[Sequence[str]]) -> Leg:
        said = [words for words in phrases if words]
        if not said:
            return []
        wanted = self.wanted
        return await search.phrase_leg(self.conn, self.user_id, wanted.filters, phrases_query(said), wanted.candidates)

    async def _bm25(self, known: Bearings) -> Bm25 | None:
        """The query's terms in every language of the index, weighted, with what stands in for unknown ones; None when
        no chunk has any of them."""
        codes = {language_code(language) for language in known.languages}
        wanted = [{unit.word for unit in asked_units(self.asked.text, code)} for code in codes]
        found = await terms.find_terms(self.conn, sorted(set[str]().union(*wanted)))
        frequencies = {item.id: item.df for item in found} | {item.id: item.df for item in self.spelling.near}
        kept = ranking.telling(list(frequencies.items()), known.corpus_chunks)
        if not kept or not known.corpus_chunks:
            return None
        weights = {item.term: ranking.inverse_frequency(known.corpus_chunks, item.df) for item in found}
        by_id = {item.id: weights[item.term] for item in found}
        stand_ins = self._stand_ins(known, codes, by_id)
        unknown = ranking.inverse_frequency(known.corpus_chunks, 0)
        return Bm25(
            tuple(kept),
            tuple(by_id[term_id] for term_id in kept),
            known.corpus_length / known.corpus_chunks,
            # In the language that knows most of the query's words.
            min(sum(weights.get(word, stand_ins.get(word, unknown)) for word in words) for words in wanted if words),
        )

    def _stand_ins(self, known: Bearings, codes: set[str], by_id: dict[int, float]) -> dict[str, float]:
        """Adds to ``by_id`` what near words weigh; for each unknown term the most that its near words weigh."""
        best: dict[str, float] = dict.fromkeys(self.spelling.empty, 0.0)
        for item in self.spelling.near:
            weight = item.share * ranking.inverse_frequency(known.corpus_chunks, item.df)
            by_id[item.id] = max(weight, by_id.get(item.id, 0.0))
            best[item.word] = max(weight, best.get(item.word, 0.0))
        return {counted: weight for word, weight in best.items() for code in codes if (counted := term(word, code))}

    async def _lexical(self, query: Bm25) -> Leg:
        return await search.lexical_leg(self.conn, self.user_id, self.wanted.filters, query, self.wanted.candidates)

    async def _semantic(self, known: Bearings) -> Leg:
        if known.model_id is None or self.vector is None:
            return []
        # Where the filter leaves little, walking the graph would meet hardly anything that passes it.
        few = known.scope_chunks <= max(self.reach.exact_chunks, known.corpus_chunks // 50)
        wanted, row = self.wanted, self.model.row
        if not few and row is not None and row.quantised:
            return await nearest.nearest_by_bits(
                self.conn, self.user_id, wanted.filters, row, self.vector, wanted.candidates
            )
        leg = search.nearest_exactly if few else search.nearest_by_index
        return await leg(self.conn, self.user_id, wanted.filters, known.model_id, self.vector, wanted.candidates)

    async def _titles(self) -> dict[TitleMatch, float]:
        """Assets that the query names by their address, or by words of their title, with how well."""
        filters = self.wanted.filters
        if self.asked.address:
            found = await search.address_leg(self.conn, self.user_id, filters, self.asked.address)
            return dict.fromkeys(found, 1.0)
        words = list(dict.fromkeys(word for word in self.asked.plain if word not in ENGLISH))
        if not words or len(words) > _TITLE_WORDS:
            return {}
        found = await search.title_leg(self.conn, self.user_id, filters, words)
        scores = {match: self._title_score(match) for match in found}
        return {match: score for match, score in scores.items() if score}

    def _title_score(self, match: TitleMatch) -> float:
        code = language_code(match.language or "")
        asked = [unit.word for unit in asked_units(self.asked.text, code)]
        return ranking.title_score(asked, [unit.word for unit in units(match.title, code)])
