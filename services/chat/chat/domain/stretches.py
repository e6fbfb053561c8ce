"""Stretches of a transcript: what a model reads at a time, cut so that a correction moves no border of others."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from uuid import UUID

from common.clock import clock
from common.transcript import Segment, Transcript, Word

from chat.domain.passages import Line, Passage, WordTime
from chat.domain.prompt import harmless
from chat.domain.tokens import estimate

# Of what is cited at once: long enough to be understood, short enough to be heard.
_LONGEST_LINE = 240
_LONGEST_PASSAGE = 700


@dataclass(frozen=True, slots=True)
class Piece:
    """What one speaker says in a row, at most 240 characters of it; ``words`` are timed by offsets in ``text``."""

    text: str
    start_seconds: float
    end_seconds: float
    speaker: str
    words: tuple[WordTime, ...] = ()


@dataclass(frozen=True)
class Stretch:
    """Neighbouring passages, numbered from 1."""

    passages: tuple[Passage, ...]

    @property
    def shown(self) -> str:
        """As a model reads it: no bracket or delimiter in it is the speakers' own."""
        return "\n".join(_show(passage) for passage in self.passages)

    @property
    def digest(self) -> str:
        """Of everything that is shown: the same stretch of a later revision has the same."""
        return hashlib.sha256(self.shown.encode()).hexdigest()

    @property
    def start_seconds(self) -> float:
        return self.passages[0].lines[0].start_seconds or 0.0


@dataclass(frozen=True, slots=True)
class About:
    """What every passage of a transcript has in common."""

    asset_id: UUID
    collection_id: UUID
    title: str
    revision: int
    playable: bool = True


def pieces_of(transcript: Transcript) -> list[Piece]:
    """All that is said, in its order, without empty segments."""
    names = {speaker.id: speaker.name or speaker.label for speaker in transcript.speakers}
    ordered = sorted(transcript.segments, key=lambda segment: (segment.start, segment.end))
    return [piece for segment in ordered for piece in _cut_segment(segment, names.get(segment.speaker, ""))]


def stretches_of(pieces: Sequence[Piece], about: About, duration_seconds: float, most_tokens: int) -> list[Stretch]:
    """Stretches of at most so many tokens (one piece at least each).

    The recording's time is halved until every part fits: where it is cut depends on times, which corrections of the
    text leave as they are, so that a corrected word changes one stretch.
    """
    end = max([duration_seconds, *(piece.end_seconds for piece in pieces)])
    return [Stretch(tuple(_passages(part, about))) for part in _halve(list(pieces), 0.0, end, most_tokens)]


def whole(pieces: Sequence[Piece], about: About) -> Stretch:
    """The transcript as one stretch, for whoever reads without a limit."""
    return Stretch(tuple(_passages(pieces, about)))


def _halve(pieces: list[Piece], start: float, end: float, most: int) -> Iterator[list[Piece]]:
    if not pieces:
        return
    if sum(_tokens(piece) for piece in pieces) <= most or len(pieces) == 1:
        yield pieces
        return
    middle = (start + end) / 2
    first = [piece for piece in pieces if piece.start_seconds < middle]
    second = pieces[len(first) :]
    if end - start < 1.0:
        # Times that do not tell them apart.
        half = len(pieces) // 2
        first, second = pieces[:half], pieces[half:]
    yield from _halve(first, start, middle, most)
    yield from _halve(second, middle, end, most)


def _tokens(piece: Piece) -> int:
    """As it is shown: where its speaker's name and a number are told with it, too."""
    return estimate(f"{piece.speaker}: {piece.text}") + 4


def _passages(pieces: Sequence[Piece], about: About) -> Iterator[Passage]:
    gathered: list[Piece] = []
    number = 1
    for piece in pieces:
        if gathered and sum(len(one.text) + 1 for one in gathered) + len(piece.text) > _LONGEST_PASSAGE:
            yield _passage(number, gathered, about)
            number, gathered = number + 1, []
        gathered.append(piece)
    if gathered:
        yield _passage(number, gathered, about)


def _passage(number: int, pieces: Sequence[Piece], about: About) -> Passage:
    content, lines, words = "", list[Line](), list[WordTime]()
    for piece in pieces:
        at = len(content) + (1 if content else 0)
        content += (" " if content else "") + piece.text
        lines.append(Line(at, len(content), piece.start_seconds, piece.end_seconds, piece.speaker))
        words += [WordTime(at + w.start, at + w.end, w.start_seconds, w.end_seconds) for w in piece.words]
    start, end = pieces[0].start_seconds, max(piece.end_seconds for piece in pieces)
    voices = {piece.speaker for piece in pieces}
    locator = {
        "type": "time",
        "start_seconds": start,
        "end_seconds": end,
        "speaker": voices.pop() if len(voices) == 1 else None,
    }
    return Passage(
        number=number,
        chunk_id=f"{about.revision}@{start:.2f}",
        content=content,
        asset_id=about.asset_id,
        collection_id=about.collection_id,
        title=about.title,
        kind="recording",
        revision=about.revision,
        locator=locator,
        url=f"/r/{about.asset_id}?t={start:.1f}",
        lines=tuple(lines),
        words=tuple(words),
        playable=about.playable,
    )


def _cut_segment(segment: Segment, speaker: str) -> Iterator[Piece]:
    """Between words; a segment whose words are not found in its text is timed by its length."""
    text = " ".join(segment.text.split())
    places = _places(text, segment.words or ())
    for start, end in _borders(text):
        held = [w for w in places if w.start >= start and w.end <= end]
        if held:
            first, last = held[0].start_seconds, max(w.end_seconds for w in held)
        else:
            rate = (segment.end - segment.start) / max(1, len(text))
            first, last = segment.start + rate * start, segment.start + rate * end
        words = tuple(WordTime(w.start - start, w.end - start, w.start_seconds, w.end_seconds) for w in held)
        yield Piece(text[start:end], first, last, speaker, words)


def _borders(text: str) -> Iterator[tuple[int, int]]:
    """Of parts of equal length, as nearly as spaces allow it."""
    start = 0
    while len(text) - start > _LONGEST_LINE:
        parts = -(-(len(text) - start) // _LONGEST_LINE)
        wanted = start + (len(text) - start) // parts
        space = text.rfind(" ", start + 1, wanted + 1)
        end = space if space > start else wanted
        yield start, end
        start = end + (1 if text[end : end + 1] == " " else 0)
    if start < len(text):
        yield start, len(text)


def _places(text: str, words: Sequence[Word]) -> list[WordTime]:
    places: list[WordTime] = []
    at = 0
    for word in words:
        said = word.word.strip()
        found = text.find(said, at) if said else -1
        # Further on it is the same word said again, and this one was edited away.
        if 0 <= found <= at + 40:
            at = found + len(said)
            places.append(WordTime(found, at, word.start, word.end))
    return places


def _show(passage: Passage) -> str:
    start, _ = passage.seconds(0, len(passage.content))
    turns = [
        f"{plain(speaker or '')}: " + " ".join(plain(passage.text(line)) for line in lines)
        for speaker, lines in groupby(passage.lines, key=lambda line: line.speaker)
    ]
    return f"[{passage.number}] ({clock(start or 0)}) " + " / ".join(turns)


def plain(text: str) -> str:
    """Harmless as in every prompt, and square brackets too: what is said is no number of a passage."""
    return harmless(text).replace("[", "(").replace("]", ")")
