"""Where each word of a segment's text stands and when it was said, also after somebody edited the text."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from common.spacing import word_spans
from common.transcript import Segment, Word

from embedder.domain.words import fold


@dataclass(frozen=True, slots=True)
class TimedWord:
    """``text[start:end]`` (code points) said from ``from_seconds`` to ``to_seconds``."""

    start: int
    end: int
    from_seconds: float
    to_seconds: float


def timed_words(segment: Segment) -> list[TimedWord]:
    """Every word of the segment's text; times of words that recognition did not give are spread evenly over the gap
    between their neighbours, by length."""
    found = _found(segment.text, segment.words or [])
    if found is not None:
        return found
    spans = word_spans(segment.text)
    written = [fold(segment.text[start:end]) for start, end in spans]
    times = _known_times(written, segment.words or [])
    return [
        TimedWord(start, end, *time)
        for (start, end), time in zip(spans, _fill(spans, times, segment.start, segment.end), strict=True)
    ]


def _found(text: str, words: Sequence[Word]) -> list[TimedWord] | None:
    """The words where they stand; None where the text is not just them, with or without blanks between."""
    found: list[TimedWord] = []
    at = 0
    for word in words:
        said = word.word.strip()
        while at < len(text) and text[at].isspace():
            at += 1
        if not said or not text.startswith(said, at):
            return None
        found.append(TimedWord(at, at + len(said), word.start, max(word.start, word.end)))
        at += len(said)
    return found if found and not text[at:].strip() else None


def _known_times(written: Sequence[str], words: Sequence[Word]) -> list[tuple[float, float] | None]:
    said = [fold(word.word.strip()) for word in words]
    times: list[tuple[float, float] | None] = [None] * len(written)
    if written == said:
        return [(word.start, max(word.start, word.end)) for word in words]
    for i, j, size in SequenceMatcher(None, written, said, autojunk=False).get_matching_blocks():
        for k in range(size):
            times[i + k] = (words[j + k].start, max(words[j + k].start, words[j + k].end))
    return times


def _fill(
    spans: Sequence[tuple[int, int]], times: list[tuple[float, float] | None], start: float, end: float
) -> list[tuple[float, float]]:
    filled: list[tuple[float, float]] = []
    i = 0
    while i < len(spans):
        known = times[i]
        if known is not None:
            filled.append(known)
            i += 1
            continue
        j = next((k for k in range(i, len(spans)) if times[k] is not None), len(spans))
        following = times[j] if j < len(spans) else None
        begin = filled[-1][1] if filled else start
        until = max(begin, following[0] if following else end)
        filled += _spread(spans[i:j], begin, until)
        i = j
    return filled


def _spread(spans: Sequence[tuple[int, int]], begin: float, until: float) -> list[tuple[float, float]]:
    total = sum(end - start for start, end in spans)
    times: list[tuple[float, float]] = []
    done = 0
    for start, end in spans:
        first = begin + (until - begin) * done / total
        done += end - start
        times.append((round(first, 3), round(begin + (until - begin) * done / total, 3)))
    return times
