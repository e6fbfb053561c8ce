"""Where in a passage the query is met: what to highlight, and the second to open it at."""

from collections.abc import Sequence
from dataclasses import dataclass

from embedder.domain.words import find_phrase, matches, term, tokens

WordTime = tuple[int, int, float, float]
LineTime = tuple[int, int, float, float, str]


@dataclass(frozen=True)
class Hit:
    """``highlights`` are offsets in code points; ``start_seconds`` is where to begin to listen."""

    highlights: list[tuple[int, int]]
    start_seconds: float
    end_seconds: float


def phrase_query(words: Sequence[str]) -> str:
    """A tsquery of the words one after another, beginning in a chunk itself and not in what it has of the next."""
    quoted = ["'" + word.replace("\\", "\\\\").replace("'", "''") + "'" for word in words]
    return " <-> ".join([f"{quoted[0]}:D", *quoted[1:]])


def term_hit(content: str, lines: Sequence[LineTime], wanted: set[str], code: str) -> Hit:
    """Words of the query highlighted, opened at the first line that holds most of them."""
    found = matches(content, wanted, code)
    best = max(lines, key=lambda line: _distinct(content, line, found, code))
    return Hit(found, best[2], best[3])


def _distinct(content: str, line: LineTime, found: Sequence[tuple[int, int]], code: str) -> int:
    inside = [content[a:b] for a, b in found if line[0] <= a < line[1]]
    return len({term(token.word, code) for text in inside for token in tokens(text)})


def phrase_hit(content: str, following: str, words: Sequence[WordTime], phrase: Sequence[str]) -> Hit:
    """Every place where the phrase begins in ``content``; it may end in ``following``, which begins the next chunk."""
    own = tokens(content)
    said = [token.word for token in own] + [token.word for token in tokens(following)]
    places = [i for i in find_phrase(said, list(phrase)) if i < len(own)]
    spans = [(own[i].start, own[min(i + len(phrase), len(own)) - 1].end) for i in places]
    if not spans:
        return Hit([], words[0][2], words[-1][3])
    first, last = spans[0]
    inside = [word for word in words if word[1] > first and word[0] < last]
    return Hit(spans, inside[0][2], inside[-1][3])
