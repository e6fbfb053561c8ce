"""How the scores of words and of meaning become one order.

Each leg's scores are divided by the query's best, with zero as their floor, and summed with weights; a transcript's
chunk borrows a share of its neighbours' score, because talk about one thing spreads over time.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple
from uuid import UUID

from embedder.domain.near import distance

Mode = Literal["hybrid", "lexical", "semantic", "phrase"]

LEXICAL_WEIGHT = 0.5
SEMANTIC_WEIGHT = 0.5
NEIGHBOUR_SHARE = 0.5
# Of all that a query's words weigh, the part that a chunk must meet to count in full.
_MET = 0.5
# What a title that holds the whole query adds, beside a passage that is the best of both legs.
TITLE_SHARE = 0.5
_SLIP = 0.8
_WHOLE_TITLE = 0.8
_LEAST_TITLE = 0.5
# Candidates whose neighbours are looked at, and get a place too; looking at those of all changes no measured result.
NEIGHBOURED = 32
# A term in more chunks than this, and in more than a twentieth of all, is dropped where rarer ones are left: it would
# cost most of the time and move little.
_COMMON_CHUNKS = 5000
_COMMON_SHARE = 0.05


class Scored(NamedTuple):
    """A chunk with its raw scores; None where a leg has nothing to say of it."""

    number: int
    asset_id: UUID
    chunk_index: int
    lexical: float | None = None
    semantic: float | None = None
    phrase: float | None = None
    title: float | None = None
    rerank: float | None = None


class Ranked(NamedTuple):
    """A chunk with its place's ``score``, from 0 to 1."""

    chunk: Scored
    score: float


@dataclass(frozen=True)
class Listing:
    """Everything found, in order; ``complete`` unless a leg knew more than it was asked for."""

    ranked: list[Ranked]
    complete: bool

    def reaches(self, count: int) -> bool:
        return self.complete or len(self.ranked) >= count

    def followed_by(self, more: "Listing") -> "Listing":
        """What was in order stays where it is."""
        held = {item.chunk.number for item in self.ranked}
        rest = [item for item in more.ranked if item.chunk.number not in held]
        return Listing([*self.ranked, *rest], more.complete)


def inverse_frequency(chunks: int, df: int) -> float:
    """What a term weighs: the more, the fewer of all ``chunks`` it occurs in. Never negative."""
    return math.log1p((max(chunks, df) - df + 0.5) / (df + 0.5))


def telling(frequencies: Sequence[tuple[int, int]], chunks: int) -> list[int]:
    """Of (term, df) the terms worth scoring; the rarest alone when all are very common."""
    limit = max(_COMMON_CHUNKS, _COMMON_SHARE * chunks)
    kept = [term for term, df in frequencies if df <= limit]
    if kept or not frequencies:
        return kept
    return [min(frequencies, key=lambda pair: pair[1])[0]]


def fuse(
    chunks: Collection[Scored], candidates: Collection[int], neighboured: Collection[int], whole: float = 0.0
) -> list[Ranked]:
    """Candidates by weighted sum and neighbours, best first; other ``chunks`` only lend their score.

    ``neighboured`` are the candidates whose neighbours are among ``chunks`` if there are any. ``whole`` is what all
    words of the query weigh together: chunks that meet only a small part of it count less than the query's best.
    """
    best_lexical = max([chunk.lexical or 0.0 for chunk in chunks], default=0.0)
    best_lexical = max(best_lexical, _MET * whole)
    best_semantic = max([chunk.semantic or 0.0 for chunk in chunks], default=0.0)
    wanted, complete = set(candidates), set(neighboured)
    return _ordered(
        [
            Ranked(chunk, _with_neighbours(chunk, own, complete=chunk.number in complete))
            for chunk, own in _with_scores(chunks, best_lexical, best_semantic)
            if chunk.number in wanted
        ]
    )


def _with_scores(
    chunks: Iterable[Scored], best_lexical: float, best_semantic: float
) -> list[tuple[Scored, dict[int, float]]]:
    """Each chunk with what the chunks of its asset score by themselves, by their place in it."""
    by_asset: dict[UUID, dict[int, float]] = {}
    found: list[tuple[Scored, dict[int, float]]] = []
    for chunk in chunks:
        score = LEXICAL_WEIGHT * _part(chunk.lexical, best_lexical)
        score += SEMANTIC_WEIGHT * _part(chunk.semantic, best_semantic)
        # Once for each chunk: to compare ids is most of what this costs.
        own = by_asset.setdefault(chunk.asset_id, {})
        own[chunk.chunk_index] = score
        found.append((chunk, own))
    return found


def _with_neighbours(chunk: Scored, own: Mapping[int, float], *, complete: bool) -> float:
    place = chunk.chunk_index
    score = own[place]
    # Beyond the end of a recording it is half the own score, else short recordings would always lose.
    missing = score / 2 if complete else 0.0
    lent = own.get(place - 1, missing) + own.get(place + 1, missing)
    return (score + NEIGHBOUR_SHARE * lent) / (1 + 2 * NEIGHBOUR_SHARE)


def by_one_leg(chunks: Collection[Scored], leg: Literal["lexical", "semantic", "phrase"]) -> list[Ranked]:
    """Chunks in the order of one leg's scores, best first, with the best scoring 1.

    What is opposite in meaning scores 0, and the less opposite it is the sooner it comes; last what has no score.
    """
    scores: list[float | None] = [getattr(chunk, leg) for chunk in chunks]
    best = max((score for score in scores if score is not None), default=0.0)
    keyed = [
        (math.inf if score is None else -score, chunk.number, Ranked(chunk, _part(score, best)))
        for chunk, score in zip(chunks, scores, strict=True)
    ]
    keyed.sort()
    return [item for _, _, item in keyed]


def with_titles(ranked: Iterable[Ranked], titles: Mapping[UUID, float]) -> list[Ranked]:
    """What the title of its asset adds to a chunk: how much of the query stands in it, 0 to 1, by ``titles``."""
    return _ordered(
        Ranked(
            item.chunk._replace(title=titles.get(item.chunk.asset_id)),
            (item.score + TITLE_SHARE * titles.get(item.chunk.asset_id, 0.0)) / (1 + TITLE_SHARE),
        )
        for item in ranked
    )


def title_score(query: Sequence[str], title: Sequence[str]) -> float:
    """The part of the query that stands in the title, or of the title in the query if that is more; both are terms.

    A word with one slip counts as most of one. Less than half is nothing: talk and titles share words by chance.
    """
    met = [max((_same(word, other) for other in title), default=0.0) for word in query]
    held = [max((_same(word, other) for word in query), default=0.0) for other in title]
    score = _mean(met)
    # One word that a title consists of is in many questions about something else.
    if len(title) > 1:
        score = max(score, _WHOLE_TITLE * _mean(held))
    return score if score >= _LEAST_TITLE else 0.0


def _same(word: str, other: str) -> float:
    if word == other:
        return 1.0
    return _SLIP if min(len(word), len(other)) > 3 and distance(word, other, 1) == 1 else 0.0


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def reranked(ranked: Sequence[Ranked], scores: Mapping[int, float]) -> list[Ranked]:
    """Those that a reranker has scored (0 to 1, by chunk number) in its order; the others follow as they were."""
    judged = [
        Ranked(item.chunk._replace(rerank=scores[item.chunk.number]), scores[item.chunk.number])
        for item in ranked
        if item.chunk.number in scores
    ]
    least = min((item.score for item in judged), default=1.0)
    rest = [Ranked(item.chunk, item.score * least) for item in ranked if item.chunk.number not in scores]
    return [*_ordered(judged), *rest]


def best_of_each_asset(ranked: Iterable[Ranked]) -> list[Ranked]:
    """The first of each asset, in the order given."""
    seen: dict[UUID, Ranked] = {}
    for item in ranked:
        seen.setdefault(item.chunk.asset_id, item)
    return list(seen.values())


def _part(score: float | None, best: float) -> float:
    """From 0 to 1."""
    if not score or score <= 0 or best <= 0:
        return 0.0
    return score / best if score < best else 1.0


def _ordered(items: Iterable[Ranked]) -> list[Ranked]:
    """Best first; of equals the one with the lower number. Numbers are all different."""
    keyed = [(-item.score, item.chunk.number, item) for item in items]
    keyed.sort()
    return [item for _, _, item in keyed]
