"""A found passage as answers show it: what to highlight, where to open it."""

import json
from dataclasses import dataclass
from typing import Any

from embedder.api.models import Scores
from embedder.domain.hits import Hit, phrase_hit, term_hit
from embedder.domain.ranking import Mode
from embedder.domain.words import language_code
from embedder.queries.search import Passage
from embedder.searching import Found, Results

_PAGES = {"recording": "r", "document": "d", "conversation": "c"}
_DIGITS = 6


@dataclass(frozen=True)
class Shown:
    """``locator`` is the passage's place; for a phrase, the phrase's own."""

    highlights: list[list[int]]
    locator: dict[str, Any]
    url: str
    score: float
    scores: Scores


def show(found: Found, results: Results, mode: Mode) -> Shown:
    passage, ranked = found.passage, found.ranked
    hit = _hit(passage, results, mode)
    locator = passage.locator
    if mode == "phrase":
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
        ),
    )


def _hit(passage: Passage, results: Results, mode: Mode) -> Hit:
    if mode == "phrase":
        return phrase_hit(passage.content, passage.following, json.loads(passage.words), results.words)
    code = language_code(passage.language or "")
    return term_hit(passage.content, json.loads(passage.lines), results.terms(code), code)


def _plain(seconds: float) -> str:
    """To the millisecond, without needless zeros: 83.2."""
    return f"{seconds:.3f}".rstrip("0").rstrip(".")


def _rounded(score: float | None) -> float | None:
    return None if score is None else round(score, _DIGITS)
