"""Where speech is: stretches of a recording found from per-frame verdicts and loudness."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Span(NamedTuple):
    """A stretch of a recording in seconds from its beginning."""

    start: float
    end: float

    @property
    def seconds(self) -> float:
        return self.end - self.start


@dataclass(frozen=True)
class Frames:
    """What listening found, one entry per frame: whether it is speech, and its loudness in dBFS."""

    frame_seconds: float
    speech: Sequence[bool]
    loudness: Sequence[float]


@dataclass(frozen=True)
class SpeechRules:
    """How frames become utterances. All in seconds but ``quietest_dbfs``."""

    pause_seconds: float = 0.6  # silence this long ends an utterance
    margin_seconds: float = 0.2  # kept around an utterance, so that soft first and last sounds are not cut off
    shortest_seconds: float = 0.12  # anything shorter is a click
    longest_seconds: float = 20.0  # longer talk is divided where it is quietest
    quietest_dbfs: float = -60.0  # below this nobody hears anything, whatever its shape


def find_speech(frames: Frames, rules: SpeechRules) -> list[Span]:
    """Utterances in order, none longer than ``longest_seconds``, none overlapping."""
    found: list[Span] = []
    for first, last in _runs(frames, rules):
        for start, end in _divide(frames, first, last, rules):
            found.append(Span(start * frames.frame_seconds, end * frames.frame_seconds))
    return _with_margins(found, len(frames.speech) * frames.frame_seconds, rules.margin_seconds)


def _runs(frames: Frames, rules: SpeechRules) -> list[tuple[int, int]]:
    """Frame ranges [first, last) of talk whose inner pauses are shorter than ``pause_seconds``."""
    pause = max(1, round(rules.pause_seconds / frames.frame_seconds))
    runs: list[tuple[int, int]] = []
    for at, (speech, loudness) in enumerate(zip(frames.speech, frames.loudness, strict=True)):
        if not speech or loudness < rules.quietest_dbfs:
            continue
        if runs and at - runs[-1][1] < pause:
            runs[-1] = (runs[-1][0], at + 1)
        else:
            runs.append((at, at + 1))
    shortest = rules.shortest_seconds / frames.frame_seconds
    return [run for run in runs if run[1] - run[0] >= shortest]


def _divide(frames: Frames, first: int, last: int, rules: SpeechRules) -> list[tuple[int, int]]:
    """The range in pieces that are short enough even with their margins, cut at the quietest moments."""
    longest = max(2, int((rules.longest_seconds - 2 * rules.margin_seconds) / frames.frame_seconds))
    pieces: list[tuple[int, int]] = []
    while last - first > longest:
        # In the second half of what fits, so that no piece is tiny.
        cut = min(range(first + longest // 2, first + longest), key=lambda at: _around(frames.loudness, at))
        pieces.append((first, cut))
        first = cut
    return [*pieces, (first, last)]


def _around(loudness: Sequence[float], at: int, reach: int = 2) -> float:
    """Loudness summed over a few frames, so that one quiet frame inside a word does not win."""
    return sum(loudness[max(0, at - reach) : at + reach + 1])


def _with_margins(spans: list[Span], duration: float, margin: float) -> list[Span]:
    """Spans widened by the margin, but never past the middle of the gap to a neighbour."""
    widened: list[Span] = []
    for at, span in enumerate(spans):
        before = (spans[at - 1].end + span.start) / 2 if at else 0.0
        after = (span.end + spans[at + 1].start) / 2 if at + 1 < len(spans) else duration
        start, end = max(before, span.start - margin), min(after, span.end + margin)
        widened.append(Span(round(start, 3), round(end, 3)))
    return widened
