"""What people corrected in an earlier transcript, made again in the one of a later recognition.

Three texts: what the machine wrote then (base), what people made of it (edited), and what the machine writes now (new).
A correction is made again where the words around it are the same in base and new, and at the same time.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import groupby

from common.spacing import as_text, split_words
from common.transcript import Segment, Transcript, Word

from asr.domain.carrying_speakers import carry_speakers
from asr.domain.retiming import bare, span_of, spread

# The words that are compared around a correction, and how far apart the same word may be heard in two recognitions.
_AROUND_WORDS = 12
_APART_SECONDS = 3.0
# So many words more than were corrected, and the machine has heard something else there.
_MOST_MORE_WORDS = 3


@dataclass(frozen=True)
class Carried:
    """The new transcript with what could be made again, and how many corrections could not."""

    transcript: Transcript
    lost: int


@dataclass(frozen=True)
class _Edit:
    """base[first:last] reads as ``written``."""

    first: int
    last: int
    written: tuple[str, ...]


def carry(base: Transcript, edited: Transcript, new: Transcript) -> Carried:
    """``new`` keeps its revision, engine and warnings. Borders that people moved are carried only where the machine
    hears what it heard before."""
    if (base.segments, base.speakers) == (new.segments, new.speakers):
        return Carried(new.model_copy(update={"segments": edited.segments, "speakers": edited.speakers}), 0)
    with_words, lost_words = _carry_words(base, edited, new)
    with_speakers, lost_turns = carry_speakers(base, edited, with_words)
    return Carried(with_speakers, lost_words + lost_turns)


def _carry_words(base: Transcript, edited: Transcript, new: Transcript) -> tuple[Transcript, int]:
    edits = list(_edits(base, edited))
    places = _Places(_words(base), _words(new)).of(edits)
    words = [(at, word) for at, segment in enumerate(new.segments) for word in segment.words or []]
    for edit, place in reversed(list(zip(edits, places, strict=True))):
        if place is not None:
            _make(new.segments, words, place, edit.written)
    segments = [_segment(new.segments[at], list(group)) for at, group in groupby(words, key=lambda each: each[0])]
    return new.model_copy(update={"segments": segments}), places.count(None)


def _words(transcript: Transcript) -> list[Word]:
    return [word for segment in transcript.segments for word in segment.words or []]


def _segment(segment: Segment, numbered: Sequence[tuple[int, Word]]) -> Segment:
    words = [word for _, word in numbered]
    return segment.model_copy(update={"text": as_text(word.word for word in words), "words": words})


def _edits(base: Transcript, edited: Transcript) -> Iterator[_Edit]:
    """In order. Segments that nobody touched are not looked into."""
    before, after = base.segments, edited.segments
    begins = [0]
    for segment in before:
        begins.append(begins[-1] + len(segment.words or []))
    one, other = ([(s.id, s.text, s.start) for s in segments] for segments in (before, after))
    for tag, a1, a2, b1, b2 in SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
        if tag != "equal":
            old = [word.word for segment in before[a1:a2] for word in segment.words or []]
            written = [word for segment in after[b1:b2] for word in split_words(segment.text)]
            yield from _word_edits(old, written, begins[a1])


def _word_edits(old: Sequence[str], written: Sequence[str], begin: int) -> Iterator[_Edit]:
    """A word that only got a capital or a comma is an edit of its own."""
    one, other = [bare(word) for word in old], [bare(word) for word in written]
    for tag, a1, a2, b1, b2 in SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
        if tag != "equal":
            yield _Edit(begin + a1, begin + a2, tuple(written[b1:b2]))
            continue
        for at, (before, after) in enumerate(zip(old[a1:a2], written[b1:b2], strict=True), begin + a1):
            if before != after:
                yield _Edit(at, at + 1, (after,))


class _Places:
    """Where corrections of the base's words belong among the new ones."""

    def __init__(self, base: Sequence[Word], new: Sequence[Word]) -> None:
        self._base = base
        self._new = new
        self._said = [bare(word.word) for word in base]
        self._heard = [bare(word.word) for word in new]

    def of(self, edits: Sequence[_Edit]) -> list[tuple[int, int] | None]:
        """For each the span [first, last) of new words between the same neighbours; None where there is none."""
        places: list[tuple[int, int] | None] = []
        done = 0
        for edit in edits:
            place = self._place(edit)
            if place is not None and place[0] < done:
                place = None
            places.append(place)
            done = place[1] if place else done
        return places

    def _place(self, edit: _Edit) -> tuple[int, int] | None:
        again = self._again(range(max(0, edit.first - _AROUND_WORDS), min(len(self._base), edit.last + _AROUND_WORDS)))
        if [bare(word) for word in edit.written] == self._said[edit.first : edit.last] and edit.first in again:
            return again[edit.first], again[edit.first] + 1
        first = again.get(edit.first - 1, -1 if edit.first == 0 else None)
        last = again.get(edit.last, len(self._new) if edit.last == len(self._base) else None)
        if first is None or last is None:
            return None
        count = last - (first + 1)
        fits = 0 <= count <= max(edit.last - edit.first, len(edit.written)) + _MOST_MORE_WORDS
        return (first + 1, last) if fits else None

    def _again(self, around: range) -> dict[int, int]:
        """Base words to the same words in the new text, heard at about the same time; by number."""
        if not around:
            return {}
        start = self._base[around[0]].start - _APART_SECONDS
        end = self._base[around[-1]].end + _APART_SECONDS
        near = [at for at, word in enumerate(self._new) if start <= word.start <= end]
        pairs = align([[self._likeness(a, b) for b in near] for a in around])
        return {around[a]: near[b] for a, b in pairs}

    def _likeness(self, a: int, b: int) -> float:
        if self._said[a] != self._heard[b]:
            return 0.0
        return max(0.0, 1.0 - abs(self._base[a].start - self._new[b].start) / _APART_SECONDS)


def align(likeness: Sequence[Sequence[float]]) -> list[tuple[int, int]]:
    """Pairs (row, column), rising in both, that are like each other above 0 and most so together.

    The global alignment of Needleman and Wunsch (1970), without a price for what is left out.
    """
    rows, columns = len(likeness), len(likeness[0]) if likeness else 0
    best = [[0.0] * (columns + 1) for _ in range(rows + 1)]
    for a in range(rows - 1, -1, -1):
        for b in range(columns - 1, -1, -1):
            alike = likeness[a][b]
            together = alike + best[a + 1][b + 1] if alike > 0 else 0.0
            best[a][b] = max(together, best[a + 1][b], best[a][b + 1])
    pairs: list[tuple[int, int]] = []
    a = b = 0
    while a < rows and b < columns:
        if likeness[a][b] > 0 and best[a][b] == likeness[a][b] + best[a + 1][b + 1]:
            pairs.append((a, b))
            a, b = a + 1, b + 1
        elif best[a][b] == best[a + 1][b]:
            a += 1
        else:
            b += 1
    return pairs


def _make(
    segments: Sequence[Segment], words: list[tuple[int, Word]], place: tuple[int, int], written: Sequence[str]
) -> None:
    """``words``, each with the number of its segment, with ``written`` at the place, in the first one's segment."""
    first, last = place
    if not words or [word.word for _, word in words[first:last]] == list(written):
        return
    at = words[first][0] if first < last or not first else words[first - 1][0]
    segment = segments[at]
    begin, until = span_of([word for _, word in words], first, last, segment.start, segment.end)
    until = min(until, segment.end)
    words[first:last] = [(at, word) for word in spread(written, min(begin, until), until)]
