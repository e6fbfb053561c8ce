"""Passages: what retrieval found, cut into the lines that can be quoted, each with its place in the recording."""

import re
from dataclasses import dataclass
from typing import Any
from uuid import UUID

# The end of a sentence inside a line; abbreviations with one letter ("J. Smith") do not end one.
_SENTENCE_END = re.compile(r"(?<=[^\W\d_]{2}[.?!])[\"'”’)]*\s+|(?<=\d[.?!])\s+(?=[A-Z])|\n+")
_SHORTEST_SENTENCE = 12


@dataclass(frozen=True, slots=True)
class Line:
    """Code points [start, end) of a passage's content; seconds where the medium has a clock."""

    start: int
    end: int
    start_seconds: float | None = None
    end_seconds: float | None = None
    speaker: str | None = None


@dataclass(frozen=True, slots=True)
class WordTime:
    """Code points [start, end) of one word, and when it was said."""

    start: int
    end: int
    start_seconds: float
    end_seconds: float


@dataclass(frozen=True, slots=True)
class Passage:
    """One retrieved chunk; ``number`` is what a model may cite it by, from 1. ``playable``: its recording has media."""

    number: int
    chunk_id: str
    content: str
    asset_id: UUID
    collection_id: UUID
    title: str
    kind: str
    revision: int
    locator: dict[str, Any]
    url: str
    score: float = 0.0
    semantic: float | None = None
    lexical: float | None = None
    lines: tuple[Line, ...] = ()
    words: tuple[WordTime, ...] = ()
    playable: bool = True

    def text(self, line: Line) -> str:
        return self.content[line.start : line.end]

    def sentences(self) -> tuple[Line, ...]:
        """The smallest quotable pieces: a transcript's lines, cut further where punctuation ends a sentence."""
        whole = self.lines or (Line(0, len(self.content)),)
        return tuple(piece for line in whole for piece in self._cut(line))

    def seconds(self, start: int, end: int) -> tuple[float | None, float | None]:
        """When content[start:end] is said: by its words, else by the lines that hold it."""
        spoken = [(w.start_seconds, w.end_seconds) for w in self.words if w.start < end and w.end > start]
        if not spoken:
            held = [line for line in self.lines if line.start < end and line.end > start]
            spoken = [
                (line.start_seconds, line.end_seconds)
                for line in held
                if line.start_seconds is not None and line.end_seconds is not None
            ]
        if not spoken:
            return None, None
        return min(start for start, _ in spoken), max(end for _, end in spoken)

    def speaker(self, start: int, end: int) -> str | None:
        """Who says content[start:end]; None when nobody or more than one."""
        voices = {line.speaker for line in self.lines if line.start < end and line.end > start}
        return voices.pop() if len(voices) == 1 else None

    def _cut(self, line: Line) -> list[Line]:
        pieces: list[Line] = []
        start = line.start
        for match in _SENTENCE_END.finditer(self.content, line.start, line.end):
            if match.start() - start >= _SHORTEST_SENTENCE:
                pieces.append(self._piece(start, match.start(), line))
                start = match.end()
        pieces.append(self._piece(start, line.end, line))
        return [piece for piece in pieces if piece.end > piece.start]

    def _piece(self, start: int, end: int, line: Line) -> Line:
        """[start, end) without the white space around it, timed by words or else by the line it is cut from."""
        text = self.content[start:end]
        start, end = start + len(text) - len(text.lstrip()), end - (len(text) - len(text.rstrip()))
        if (start, end) == (line.start, line.end) or not self.words:
            return Line(start, end, line.start_seconds, line.end_seconds, line.speaker)
        first, last = self.seconds(start, end)
        return Line(start, end, first, last, line.speaker)
