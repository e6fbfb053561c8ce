"""Where in a passage the query is met: what to highlight, and the second to open it at."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from embedder.domain.words import find_phrase, spans, tokens, units

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


def phrases_query(phrases: Sequence[Sequence[str]]) -> str:
    """A tsquery of several phrases, all in one chunk."""
    return " & ".join(f"({phrase_query(words)})" for words in phrases)


def term_hit(content: str, lines: Sequence[LineTime], wanted: Collection[str], code: str) -> Hit:
    """Words of the query highlighted, opened at the first line that holds most of them."""
    found = [unit for unit in units(content, code) if unit.word in wanted]
    best = max(lines, key=lambda line: len({unit.word for unit in found if line[0] <= unit.start < line[1]}))
    return Hit(spans(found), best[2], best[3])


def phrase_hit(content: str, following: str, words: Sequence[WordTime], phrase: Sequence[str]) -> Hit:
    """Every place where the phrase begins in ``content``; it may end in ``following``, which begins the next chunk."""
    own = tokens(content)
    said = [token.word for token in own] + [token.word for token in tokens(following)]
    places = [i for i in find_phrase(said, list(phrase)) if i < len(own)]
    found = [(own[i].start, own[min(i + len(phrase), len(own)) - 1].end) for i in places]
    if not found:
        return Hit([], words[0][2], words[-1][3])
    first, last = found[0]
    inside = [word for word in words if word[1] > first and word[0] < last]
    return Hit(found, inside[0][2], inside[-1][3])


def both(exact: Sequence[Hit], words: Hit) -> Hit:
    """Quoted parts and the other words of a query: opened where the first of the parts begins."""
    met = [hit for hit in exact if hit.highlights]
    if not met:
        return words
    first = min(met, key=lambda hit: hit.start_seconds)
    places = sorted({place for hit in (*met, words) for place in hit.highlights})
    kept: list[tuple[int, int]] = []
    for start, end in places:
        if kept and start < kept[-1][1]:
            kept[-1] = (kept[-1][0], max(end, kept[-1][1]))
        else:
            kept.append((start, end))
    return Hit(kept, first.start_seconds, first.end_seconds)
