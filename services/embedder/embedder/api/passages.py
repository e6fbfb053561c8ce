"""A found passage as answers show it: what to highlight, where to open it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from embedder.api.models import HeardAs, Scores
from embedder.domain.hits import Hit, both, phrase_hit, term_hit
from embedder.domain.ranking import Mode
from embedder.domain.words import language_code, units
from embedder.queries.search import Passage
from embedder.searching import Found, Results

_PAGES = {"recording": "r", "document": "d", "conversation": "c"}
_DIGITS = 6


@dataclass(frozen=True)
class Shown:
    """``locator`` is the passage's place; for a phrase or a quoted part, its own."""

    highlights: list[list[int]]
    locator: dict[str, Any]
    url: str
    score: float
    scores: Scores
    heard_as: list[HeardAs]


def show(found: Found, results: Results, mode: Mode) -> Shown:
    passage, ranked = found.passage, found.ranked
    phrases = results.asked.phrases
    if ranked.chunk.phrase is not None and (mode == "phrase" or not phrases):
        phrases = (tuple(results.asked.plain),)
    hit = _hit(passage, results, phrases, mode)
    locator = passage.locator
    if ranked.chunk.phrase is not None:
        locator = {**locator, "start_seconds": hit.start_seconds, "end_seconds": hit.end_seconds}
    return Shown(
        [[start, end] for start, end in hit.highlights],
        locator,
        f"/{_PAGES[passage.kind]}/{passage.asset_id}?t={_plain(hit.start_seconds)}",
        round(ranked.score, _DIGITS),
        Scores(
            lexical=_rounded(ranked.chunk.lexical),
            semantic=_rounded(ranked.chunk.semantic),
            phrase=_rounded(ranked.chunk.phrase),
            title=_rounded(ranked.chunk.title),
            rerank=_rounded(ranked.chunk.rerank),
        ),
        _heard_as(passage, results) if mode != "phrase" else [],
    )


def _hit(passage: Passage, results: Results, phrases: Sequence[Sequence[str]], mode: Mode) -> Hit:
    words = json.loads(passage.words)
    exact = [phrase_hit(passage.content, passage.following, words, phrase) for phrase in phrases]
    if mode == "phrase":
        return exact[0]
    code = language_code(passage.language or "")
    return both(exact, term_hit(passage.content, json.loads(passage.lines), results.terms(code), code))


def _heard_as(passage: Passage, results: Results) -> list[HeardAs]:
    """Words of the query that the passage has in another form, that form as it is written here."""
    if not results.spelling.near:
        return []
    said: dict[str, str] = {}
    for unit in units(passage.content, language_code(passage.language or "")):
        said.setdefault(unit.word, passage.content[unit.start : unit.end])
    return [HeardAs(word=item.word, text=said[item.term]) for item in results.spelling.near if item.term in said]


def _plain(seconds: float) -> str:
    """To the millisecond, without needless zeros: 83.2."""
    return f"{seconds:.3f}".rstrip("0").rstrip(".")


def _rounded(score: float | None) -> float | None:
    return None if score is None else round(score, _DIGITS)
