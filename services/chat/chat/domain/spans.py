"""Turns the best lines into quotes: a stretch of one passage, verbatim by construction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chat.domain.evidence import Candidate
from chat.domain.passages import Passage
from chat.domain.question import Question, gives

# A quote may take in lines this far from its best one, if they score nearly as well.
_REACH = 2
_NEARLY = 0.75
# What follows belongs to an account ("what did she say about…", "why…") more readily than to a single fact.
_GOES_ON = 0.6
_LONGEST_QUOTE = 600
# A second line that tells a fact comes as near to the question as the first.
_AS_NEAR = 0.9
# What is told by more than a line, and the share of the greatest merit that makes a place worth a quote: a discussion
# is in several, each of which may hold few of the question's words.
_TOLD: Mapping[str, float] = {"account": 0.8, "discussion": 0.5}
# What standing best among the passages found is worth beside a line's own score. Half or one and a half times of it
# does about as well on QMSum.
_STANDING = 0.8
# Nearer ones usually belong to the same stretch of talk.
_APART_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Span:
    """content[start:end] of a passage."""

    passage: Passage
    start: int
    end: int

    @property
    def text(self) -> str:
        return self.passage.content[self.start : self.end]


def best_spans(question: Question, candidates: Sequence[Candidate], most: int) -> list[Span]:
    """Up to ``most`` stretches, the line nearest to the question first; further ones must be about as good.

    Talk comes back to its subjects: places apart tell more than one place twice, so that those come before the rest.
    """
    spans: list[Span] = []
    good = _good(question, [c for c in candidates if not c.asks] or list(candidates))
    for apart in (True, False):
        for candidate in good:
            if len(spans) == most:
                return spans
            if spans and not _adds(question, candidate):
                continue
            span = _quote(question, candidate, candidates)
            if not any(_touch(span, taken) or (apart and _beside(span, taken)) for taken in spans):
                spans.append(span)
    return spans


def _good(question: Question, candidates: Sequence[Candidate]) -> list[Candidate]:
    """The one with the highest score, then those that are worth a quote beside it, by their merit."""
    if not candidates:
        return []
    best = max(candidates, key=lambda c: c.score)
    top = max(c.passage.score for c in candidates)
    ranked = sorted(((_merit(c, top), c) for c in candidates if c is not best), key=lambda pair: -pair[0])
    if question.wants not in _TOLD:
        # A fact is what one line says; another line of a good passage need not say it.
        return [best, *(c for _, c in ranked if c.score >= _AS_NEAR * best.score)]
    least = _TOLD[question.wants] * max(_merit(best, top), *(merit for merit, _ in ranked[:1]), 0.0)
    return [best, *(c for merit, c in ranked if merit >= least)]


def _merit(candidate: Candidate, top: float) -> float:
    """The line's own score, and where search puts its passage: it knows what is said around, and how rare words are."""
    return candidate.score + (_STANDING * candidate.passage.score / top if top > 0 else 0.0)


def _adds(question: Question, candidate: Candidate) -> bool:
    return question.wants in ("discussion", "account", "fact") or gives(question.wants, candidate.text)


def nearest_spans(candidates: Sequence[Candidate], most: int) -> list[Span]:
    """The nearest lines as they are, for a person to judge when there is no answer."""
    ranked = sorted(candidates, key=lambda c: (c.asks, -c.relevance))
    return [Span(c.passage, c.line.start, c.line.end) for c in ranked[:most] if c.relevance > 0]


def _quote(question: Question, best: Candidate, candidates: Sequence[Candidate]) -> Span:
    return _talk(best, candidates) if question.wants == "discussion" else _stretch(question, best, candidates)


def _talk(best: Candidate, candidates: Sequence[Candidate]) -> Span:
    """The best line and what is said after it, in whole lines; what led to it, where the passage ends too soon."""
    lines = [candidate.line for candidate in candidates if candidate.passage is best.passage]
    first = last = lines.index(best.line)
    while last + 1 < len(lines) and lines[last + 1].end - lines[first].start <= _LONGEST_QUOTE:
        last += 1
    while last + 1 == len(lines) and first > 0 and lines[last].end - lines[first - 1].start <= _LONGEST_QUOTE:
        first -= 1
    return Span(best.passage, lines[first].start, lines[last].end)


def _stretch(question: Question, best: Candidate, candidates: Sequence[Candidate]) -> Span:
    """From the first to the last line around the best one that belongs to it."""
    first = last = best
    for other in candidates:
        distance = other.position - best.position
        if other.passage is not best.passage or other.asks:
            continue
        whole = max(last.line.end, other.line.end) - min(first.line.start, other.line.start)
        if whole <= _LONGEST_QUOTE and _belongs(question, distance, other.score, best.score):
            first = min(first, other, key=lambda c: c.position)
            last = max(last, other, key=lambda c: c.position)
    return Span(best.passage, first.line.start, last.line.end)


def _belongs(question: Question, distance: int, score: float, best: float) -> bool:
    """An account begins at its subject and goes on from there; a fact may be told on either side of its best line."""
    if question.wants == "account":
        return score >= (_GOES_ON * best if 0 < distance <= _REACH else _NEARLY * best) and -1 <= distance <= _REACH
    return question.wants == "fact" and abs(distance) <= _REACH and score >= _NEARLY * best


def _beside(one: Span, other: Span) -> bool:
    """In the same passage, or within two minutes of the same recording."""
    if one.passage.asset_id != other.passage.asset_id:
        return False
    starts = [span.passage.seconds(span.start, span.end)[0] for span in (one, other)]
    if starts[0] is None or starts[1] is None:
        return one.passage.chunk_id == other.passage.chunk_id
    return abs(starts[0] - starts[1]) < _APART_SECONDS


def _touch(one: Span, other: Span) -> bool:
    same = one.passage.chunk_id == other.passage.chunk_id
    return same and one.start < other.end and other.start < one.end
