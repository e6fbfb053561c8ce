"""Subtitle cues: segments in pieces that fit on a screen and stay there long enough to be read."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from unicodedata import east_asian_width

from common.spacing import blank_between, split_words
from common.transcript import Segment, Transcript, Word

# The rules of Netflix's Timed Text Style Guide, which most subtitlers share: lines, durations of 5/6 to 7 s, 17
# characters a second for adults, at most half a second after the voice for their sake, two frames between cues.
LINE_CHARACTERS = 42
LINES = 2
LONGEST_SECONDS = 7.0
SHORTEST_SECONDS = 5 / 6
CHARACTERS_PER_SECOND = 17.0
LINGER_SECONDS = 0.5
GAP_SECONDS = 2 / 24
# Less is the ordinary overlap of a change of speakers.
OVERLAP_SECONDS = 0.3
_CLAUSE_END = re.compile(r"[,;:.!?…，、；：。！？][\"'”’»)\]」』）]*$")
_WIDE = LINE_CHARACTERS / 16


@dataclass(frozen=True)
class Cue:
    """``lines`` to show from ``start`` to ``end``, in milliseconds; ``speaker`` is a Speaker.id."""

    start: int
    end: int
    lines: tuple[str, ...]
    speaker: str


@dataclass(frozen=True)
class _Piece:
    """Words of one speaker that are shown together, below the ``label`` if there is one."""

    words: list[Word]
    speaker: str
    label: tuple[str, ...]

    @property
    def lines(self) -> list[str]:
        return wrap([word.word for word in self.words], self.label)

    @property
    def fits(self) -> bool:
        return self.words[-1].end - self.words[0].start <= LONGEST_SECONDS and len(self.lines) <= LINES


def cues_of(transcript: Transcript, labels: Mapping[str, str] | None = None) -> list[Cue]:
    """Every word once, in order of time; a speaker's cue ends after it starts and before their next one starts.

    ``labels``: Speaker.id to what stands before their words in every cue. Words are shown when they are said; only
    the end moves, later into silence for slow readers, earlier by a gap before the next cue. Where speakers talk
    over each other, so do their cues.
    """
    pieces = _pieces(transcript, labels or {})
    starts = _rising([_milliseconds(piece.words[0].start) for piece in pieces])
    cues: list[Cue] = []
    own_next: dict[str, int] = {}
    any_next = None
    last = max([_milliseconds(transcript.duration_seconds), *(_end_of_speech(piece) for piece in pieces)])
    for piece, start in zip(reversed(pieces), reversed(starts), strict=True):
        over_another = any_next is not None and _end_of_speech(piece) - any_next >= _milliseconds(OVERLAP_SECONDS)
        until = own_next.get(piece.speaker) if over_another else any_next
        end = _not_just_before(any_next, start, _end(piece, start, until, last))
        cues.append(Cue(start, end, tuple(piece.lines), piece.speaker))
        any_next = own_next[piece.speaker] = start
    return cues[::-1]


def _pieces(transcript: Transcript, labels: Mapping[str, str]) -> list[_Piece]:
    timed: list[tuple[float, _Piece]] = []
    for segment in transcript.segments:
        label = tuple(labels.get(segment.speaker, "").split())
        fitting = _fit(_Piece(timed_words(segment), segment.speaker, label))
        timed += zip(accumulate((piece.words[0].start for piece in fitting), max), fitting, strict=True)
    pieces: list[_Piece] = []
    for _, piece in sorted(timed, key=lambda at: at[0]):
        _add(pieces, piece)
    return pieces


def timed_words(segment: Segment) -> list[Word]:
    """The words of the segment's text; without word times, spread over it by their length."""
    texts = split_words(segment.text)
    if segment.words and "".join(word.word for word in segment.words) == "".join(texts):
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


def _fit(piece: _Piece) -> list[_Piece]:
    """In as few pieces as fit on the screen, of about equal length."""
    words = piece.words
    if not words:
        return []
    if piece.fits or len(words) == 1:
        return [piece]
    cut = _best_cut(words)
    first, second = (_Piece(half, piece.speaker, piece.label) for half in (words[:cut], words[cut:]))
    return _fit(first) + _fit(second)


def _add(pieces: list[_Piece], piece: _Piece) -> None:
    """A piece that would be gone before it is read goes on with the next one of the same speaker."""
    if pieces and pieces[-1].speaker == piece.speaker:
        last = pieces[-1]
        together = _Piece([*last.words, *piece.words], piece.speaker, piece.label)
        if piece.words[0].start - last.words[0].start < SHORTEST_SECONDS and together.fits:
            pieces[-1] = together
            return
    pieces.append(piece)


def _best_cut(words: Sequence[Word]) -> int:
    """Near the middle, rather after a comma or at a pause than within a phrase."""
    letters = [0, *accumulate(len(word.word) + 1 for word in words)]

    def cost(at: int) -> float:
        bonus = 0.15 if _CLAUSE_END.search(words[at - 1].word) else 0.0
        pause = min(0.3, max(0.0, words[at].start - words[at - 1].end))
        return abs(letters[at] / letters[-1] - 0.5) - bonus - pause

    return min(range(1, len(words)), key=cost)


def wrap(texts: Sequence[str], label: Sequence[str] = ()) -> list[str]:
    """Lines of at most ``LINE_CHARACTERS``; a longer word has a line to itself.

    The words of the ``label`` stand before the text and apart from it, also in scripts without blanks.
    """
    lines: list[str] = []
    for at, text in enumerate([*label, *texts]):
        blank = at <= len(label) or bool(blank_between(lines[-1], text, one_sentence=True))
        longer = f"{lines[-1]}{' ' * blank}{text}" if lines else ""
        if lines and _width(longer) <= LINE_CHARACTERS:
            lines[-1] = longer
        else:
            lines.append(text)
    return lines


def _width(line: str) -> float:
    """In letters of the alphabet; in Chinese and Japanese 16 characters fill a line."""
    return len(line) if line.isascii() else sum(_WIDE if east_asian_width(c) in "WF" else 1.0 for c in line)


def _end(piece: _Piece, start: int, until: int | None, last: int) -> int:
    """When a cue goes: not before it is read where there is silence, and a little before ``until`` another comes."""
    spoken = _end_of_speech(piece)
    reading = start + _milliseconds(sum(map(_width, piece.lines)) / CHARACTERS_PER_SECOND)
    readable = min(reading, spoken + _milliseconds(LINGER_SECONDS))
    shortest = start + _milliseconds(SHORTEST_SECONDS)
    wanted = min(max(spoken, readable, shortest), start + _milliseconds(LONGEST_SECONDS))
    if until is None:
        return max(start + 1, min(wanted, last))
    with_gap = until - _milliseconds(GAP_SECONDS)
    return max(start + 1, min(wanted, with_gap if with_gap >= shortest else until))


def _not_just_before(another: int | None, start: int, end: int) -> int:
    """``end``, or a gap before ``another`` comes where it would be less: also one over which this speaker talks on."""
    if another is None or not another - _milliseconds(GAP_SECONDS) < end < another:
        return end
    with_gap = another - _milliseconds(GAP_SECONDS)
    return with_gap if with_gap >= start + _milliseconds(SHORTEST_SECONDS) else end


def _end_of_speech(piece: _Piece) -> int:
    return _milliseconds(max(word.end for word in piece.words))


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _rising(starts: list[int]) -> list[int]:
    """Each at least one millisecond after the one before."""
    rising: list[int] = []
    for start in starts:
        rising.append(max(start, rising[-1] + 1) if rising else max(0, start))
    return rising
