"""A summary without a model: sentences of the recording itself, and tasks and decisions only where words say so."""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from chat.domain import question, wording
from chat.domain.chaptering import Chapter
from chat.domain.findings import Finding, Kind, Place
from chat.domain.passages import Line, Passage
from chat.domain.stretches import Stretch

_BOTTOM_LINES = 3
_MOST = 30
_SHORTEST_WORDS = 5
_DECIDED = re.compile(
    r"\b(?:we(?:'ve| have)?(?: all)? (?:decided|agreed)|(?:it (?:is|was)|it's|that's) (?:decided|agreed|settled)|"
    r"we(?:'ll| will)? go(?:ing)? with|let's go with|the decision is|our decision)\b",
    re.IGNORECASE,
)
_OWN_TASK = re.compile(
    r"\b(?:i(?:'ll| will| shall| am going to|'m going to) (?!be\b|have\b|see\b|say\b|tell you\b|never\b|not\b)\w+|"
    r"let me \w+ (?:it|this|that) (?:up|down|back))",
    re.IGNORECASE,
)
_TASK = re.compile(
    r"\b(?:action item|to-?do|please \w+|(?:can|could|would|will) you (?:please )?\w+|"
    r"(?:you|he|she|they|somebody|someone) (?:needs? to|has to|have to|must)|make sure (?:to|that|you))\b",
    re.IGNORECASE,
)
_WHEN = re.compile(
    r"\b(?:(?:by|before|until|till|on|this|next) (?:the )?(?:end of )?(?:the )?(?:next |this )?(?:monday|tuesday|"
    r"wednesday|thursday|friday|saturday|sunday|week|month|year|january|february|march|april|may|june|july|august|"
    r"september|october|november|december)|(?:by |before |until )?(?:tomorrow|tonight|today))\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class _Sentence:
    passage: Passage
    line: Line
    text: str
    stems: tuple[str, ...]
    score: float


def extract(stretch: Stretch, chapters: Sequence[Chapter]) -> tuple[list[Finding], list[Finding]]:
    """What is noted of the recording (for its topics), and what of that makes the summary; all of it verbatim."""
    sentences = _weigh(stretch.passages)
    told = [
        one for one in sentences if len(wording.tokens(one.text)) >= _SHORTEST_WORDS and not question.asks(one.text)
    ]
    notes = [_finding("summary", best) for chapter in chapters for best in _best_of(told, chapter)]
    bottom = [_finding("summary", one) for one in _first(told, _BOTTOM_LINES)]
    return notes, [*bottom, *_decisions(sentences), *_tasks(sentences), *_views(told)]


def _weigh(passages: Sequence[Passage]) -> list[_Sentence]:
    """By how characteristic a sentence's words are for the whole; long ones gain nothing by their length."""
    lines = [(passage, line, passage.text(line)) for passage in passages for line in passage.sentences()]
    stems = [wording.telling_stems(text) for _, _, text in lines]
    counts = Counter(stem for found in stems for stem in found)
    return [
        _Sentence(passage, line, text, found, sum(math.log1p(counts[s] - 1) for s in found) / (len(found) + 6))
        for (passage, line, text), found in zip(lines, stems, strict=True)
    ]


def _best_of(sentences: Sequence[_Sentence], chapter: Chapter) -> list[_Sentence]:
    within = [one for one in sentences if chapter.start <= (one.line.start_seconds or 0.0) < chapter.end]
    return sorted(within, key=lambda one: -one.score)[:1]


def _first(sentences: Sequence[_Sentence], most: int) -> list[_Sentence]:
    """The best that do not say the same, in the order in which they are said."""
    chosen: list[_Sentence] = []
    for one in sorted(sentences, key=lambda one: -one.score):
        new = set(one.stems).difference(*(other.stems for other in chosen))
        if len(new) * 2 >= len(set(one.stems)) > 0:
            chosen.append(one)
        if len(chosen) == most:
            break
    return sorted(chosen, key=lambda one: (one.passage.number, one.line.start))


def _decisions(sentences: Sequence[_Sentence]) -> list[Finding]:
    return [_finding("decision", one) for one in sentences if _DECIDED.search(one.text)][:_MOST]


def _tasks(sentences: Sequence[_Sentence]) -> list[Finding]:
    """Who it is for is known only of those that somebody takes on."""
    found: list[Finding] = []
    for one in sentences:
        own = _OWN_TASK.search(one.text)
        if (own or _TASK.search(one.text)) and len(one.stems) >= 2:
            said = _WHEN.search(one.text)
            who = one.line.speaker if own else None
            found.append(_finding("action", one, who=who, when=said.group() if said else None))
    return found[:_MOST]


def _views(sentences: Sequence[_Sentence]) -> list[Finding]:
    """Of every speaker the sentence with most of the whole in it; a single speaker has no view beside the summary."""
    names = list(dict.fromkeys(one.line.speaker for one in sentences if one.line.speaker))
    if len(names) < 2:
        return []
    best = [max((one for one in sentences if one.line.speaker == name), key=lambda one: one.score) for name in names]
    return [_finding("speaker", one, who=one.line.speaker) for one in best]


def _finding(kind: Kind, one: _Sentence, who: str | None = None, when: str | None = None) -> Finding:
    place = Place(0, one.passage.number, one.line.start, one.line.end)
    return Finding(kind, " ".join(one.text.split()), (place,), one.line.start_seconds or 0.0, who=who, when=when)
