"""When the words of captions are said: those that are recognised in the sound take its times, the others lie between.

The text stays as it is. Captions may be ahead of the sound or behind it, by more and more even: three words in a row
that occur once in both texts tell by how much, and near them every word is looked for.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from statistics import median

import numpy as np
from common.transcript import Segment, Transcript, Word
from numpy.typing import NDArray

from asr.domain.formats.cues import timed_words
from asr.domain.retiming import bare, spread

# So far from where captions put it a word is looked for.
_REACH_SECONDS = 4.0
_ANCHOR_WORDS = 3
# Two texts that are not of the same recording have a few such words in common, too.
_FEWEST_ANCHORS = 3
_NEAREST_ANCHORS = 7


@dataclass(frozen=True)
class Timed:
    """``heard`` of ``words`` words take their times from the sound."""

    transcript: Transcript
    heard: int
    words: int


def time_words(transcript: Transcript, heard: Sequence[Word]) -> Timed:
    """``transcript`` with the times at which its words are heard.

    A segment in which nothing is heard keeps its own times, moved as far as its neighbours are.
    """
    heard = sorted(heard, key=lambda word: word.start)
    written = [timed_words(segment) for segment in transcript.segments]
    drift = _Drift([word for words in written for word in words], heard)
    behind = [drift.at(segment.start) for segment in transcript.segments]
    moved = [_moved(words, seconds) for words, seconds in zip(written, behind, strict=True)]
    found = _find(moved, heard)
    segments = list(map(_segment, transcript.segments, moved, found, behind))
    timed = transcript.model_copy(update={"segments": sorted(segments, key=lambda segment: segment.start)})
    return Timed(timed, sum(len(times) for times in found), sum(len(words) for words in written))


class _Drift:
    """How many seconds later than captions say their words are heard; 0 where too few are the same."""

    def __init__(self, written: Sequence[Word], heard: Sequence[Word]) -> None:
        said = _unique_runs(heard)
        anchors = sorted(
            (written[at].start, heard[said[run]].start - written[at].start)
            for run, at in _unique_runs(written).items()
            if run in said
        )
        self._starts = [start for start, _ in anchors]
        self._behind = [behind for _, behind in anchors]

    def at(self, seconds: float) -> float:
        """The median of the nearest: a run of words that is said elsewhere in the recording sways nothing."""
        if len(self._starts) < _FEWEST_ANCHORS:
            return 0.0
        first = max(0, bisect_left(self._starts, seconds) - _NEAREST_ANCHORS // 2)
        return median(self._behind[min(first, max(0, len(self._behind) - _NEAREST_ANCHORS)) :][:_NEAREST_ANCHORS])


def _unique_runs(words: Sequence[Word]) -> dict[tuple[str, ...], int]:
    said = [bare(word.word) for word in words]
    runs = [tuple(said[at : at + _ANCHOR_WORDS]) for at in range(len(said) - _ANCHOR_WORDS + 1)]
    times = Counter(runs)
    return {run: at for at, run in enumerate(runs) if times[run] == 1}


def _moved(words: Sequence[Word], seconds: float) -> list[Word]:
    return [word.model_copy(update={"start": word.start + seconds, "end": word.end + seconds}) for word in words]


def _find(written: Sequence[Sequence[Word]], heard: Sequence[Word]) -> list[dict[int, Word]]:
    """For each segment its words, by number, that are heard; in the order of time, whoever else talks meanwhile."""
    places = sorted((word.start, at, number) for at, words in enumerate(written) for number, word in enumerate(words))
    found: list[dict[int, Word]] = [{} for _ in written]
    for place, said in _pairs([written[at][number] for _, at, number in places], heard):
        _, at, number = places[place]
        found[at][number] = heard[said]
    return [_rising(times) for times in found]


def _rising(times: dict[int, Word]) -> dict[int, Word]:
    """Words of one segment lie in order even where captions time them otherwise."""
    rising: dict[int, Word] = {}
    latest = float("-inf")
    for number in sorted(times):
        if times[number].start >= latest:
            rising[number] = times[number]
            latest = times[number].start
    return rising


@dataclass(frozen=True)
class _Row:
    """What is best for one written word, by the heard words from ``first`` on: to be the same, or to go back by one."""

    first: int
    same: NDArray[np.bool_]
    back: NDArray[np.bool_]


def _pairs(written: Sequence[Word], heard: Sequence[Word]) -> list[tuple[int, int]]:
    """Written and heard words that are the same, rising in both, as many and as near to each other as can be.

    The global alignment of Needleman and Wunsch (1970) in a band: nothing is further away than ``_REACH_SECONDS``.
    """
    starts = np.array([word.start for word in heard])
    said = np.array([bare(word.word) for word in heard], dtype=object)
    around = np.array([[word.start - _REACH_SECONDS, word.start + _REACH_SECONDS] for word in written]).reshape(-1, 2)
    firsts = list(accumulate(np.searchsorted(starts, around[:, 0]).tolist(), max))
    lasts = list(accumulate(np.searchsorted(starts, around[:, 1], side="right").tolist(), max))
    rows: list[_Row] = []
    # best[n]: what the written words so far come to with the heard words before begin + n.
    best, begin = np.zeros(1), 0
    for word, first, last in zip(written, firsts, lasts, strict=True):
        longer = np.full(max(0, last - begin + 1 - len(best)), best[-1])
        best, begin = np.concatenate([best, longer])[first - begin : last - begin + 1], first
        near = 1.0 - np.abs(starts[first:last] - word.start) / (2 * _REACH_SECONDS)
        together = np.where(said[first:last] == bare(word.word), best[:-1] + near, -1.0)
        here = np.maximum(together, best[1:])
        same = together > best[1:]
        best = np.maximum.accumulate(np.concatenate([best[:1], here]))
        rows.append(_Row(first, same, best[1:] > here))
    return _back(rows, len(heard))


def _back(rows: Sequence[_Row], end: int) -> list[tuple[int, int]]:
    pairs: list[tuple[int, int]] = []
    for at in range(len(rows) - 1, -1, -1):
        row = rows[at]
        end = min(end, row.first + len(row.same)) if end > row.first else end
        while end > row.first and row.back[end - row.first - 1]:
            end -= 1
        if end > row.first and row.same[end - row.first - 1]:
            end -= 1
            pairs.append((at, end))
    return pairs[::-1]


def _segment(segment: Segment, words: Sequence[Word], times: dict[int, Word], seconds: float) -> Segment:
    """``words`` are already moved by ``seconds``."""
    if not times:
        start, end = _rounded(segment.start + seconds), _rounded(segment.end + seconds)
        kept = [_at(word, min(max(word.start, start), end), min(max(word.end, start), end)) for word in words]
        return segment.model_copy(update={"start": start, "end": end, "words": kept})
    timed: list[Word] = []
    begin = _rounded(min(words[0].start, times[min(times)].start))
    for first, last in pairwise([-1, *sorted(times), len(words)]):
        if first >= 0:
            timed.append(_at(words[first], times[first].start, times[first].end, times[first].probability))
            begin = timed[-1].end
        until = _rounded(times[last].start if last in times else words[-1].end)
        # What is heard may overlap; what lies between takes no time then, and stays in order.
        begin = min(begin, until) if last in times else begin
        timed += spread([word.word for word in words[first + 1 : last]], begin, max(begin, until))
    end = max(word.end for word in timed)
    return segment.model_copy(update={"start": timed[0].start, "end": end, "words": timed})


def _at(word: Word, start: float, end: float, probability: float | None = None) -> Word:
    return Word(word=word.word, start=_rounded(start), end=_rounded(end), probability=probability)


def _rounded(seconds: float) -> float:
    """To the millisecond, and not before the recording begins."""
    return max(0.0, round(seconds, 3))
