"""Subtitle cues: segments in pieces that fit on a screen."""

import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from common.transcript import Segment, Word

LINE_CHARACTERS = 42
LINES = 2
LONGEST_SECONDS = 7.0
_CLAUSE_END = re.compile(r"[,;:.!?…][\"'”’»)\]]*$")


@dataclass(frozen=True)
class Cue:
    """``lines`` to show from ``start`` to ``end``, in milliseconds; ``speaker`` is a Speaker.id."""

    start: int
    end: int
    lines: tuple[str, ...]
    speaker: str


def cues_of(segments: Iterable[Segment]) -> list[Cue]:
    """Every word once and in order; each cue ends after it starts and not after the next one starts."""
    cues = [_cue(piece, segment.speaker) for segment in segments for piece in _fit(timed_words(segment))]
    starts = _rising([cue.start for cue in cues])
    return [
        Cue(start, max(start + 1, min(cue.end, following)), cue.lines, cue.speaker)
        for cue, start, following in zip(cues, starts, [*starts, sys.maxsize][1:], strict=True)
    ]


def timed_words(segment: Segment) -> list[Word]:
    """The words of the segment's text; without word times, spread over it by their length."""
    texts = segment.text.split()
    if segment.words and [word.word for word in segment.words] == texts:
        return list(segment.words)
    letters = sum(len(text) for text in texts)
    words: list[Word] = []
    at = 0
    for text in texts:
        start, at = at, at + len(text)
        words.append(Word(word=text, start=_point(segment, start / letters), end=_point(segment, at / letters)))
    return words


def _point(segment: Segment, fraction: float) -> float:
    return segment.start + (segment.end - segment.start) * fraction


def _fit(words: Sequence[Word]) -> list[list[Word]]:
    """The words in as few pieces as fit on the screen, of about equal length."""
    if not words:
        return []
    if _fits(words) or len(words) == 1:
        return [list(words)]
    cut = _best_cut(words)
    return _fit(words[:cut]) + _fit(words[cut:])


def _fits(words: Sequence[Word]) -> bool:
    short = words[-1].end - words[0].start <= LONGEST_SECONDS
    return short and len(wrap([word.word for word in words])) <= LINES


def _best_cut(words: Sequence[Word]) -> int:
    """Near the middle, rather after a comma or at a pause than within a phrase."""
    letters = [0, *accumulate(len(word.word) + 1 for word in words)]

    def cost(at: int) -> float:
        bonus = 0.15 if _CLAUSE_END.search(words[at - 1].word) else 0.0
        pause = min(0.3, max(0.0, words[at].start - words[at - 1].end))
        return abs(letters[at] / letters[-1] - 0.5) - bonus - pause

    return min(range(1, len(words)), key=cost)


def wrap(texts: Sequence[str]) -> list[str]:
    """Lines of at most ``LINE_CHARACTERS``; a longer word has a line to itself."""
    lines: list[str] = []
    for text in texts:
        if lines and len(lines[-1]) + 1 + len(text) <= LINE_CHARACTERS:
            lines[-1] += f" {text}"
        else:
            lines.append(text)
    return lines


def _cue(words: Sequence[Word], speaker: str) -> Cue:
    end = max(word.end for word in words)
    return Cue(round(words[0].start * 1000), round(end * 1000), tuple(wrap([word.word for word in words])), speaker)


def _rising(starts: list[int]) -> list[int]:
    """Each at least one millisecond after the one before."""
    rising: list[int] = []
    for start in starts:
        rising.append(max(start, rising[-1] + 1) if rising else max(0, start))
    return rising
