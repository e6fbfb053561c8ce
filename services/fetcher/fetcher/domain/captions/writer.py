"""Collects the text of one cue into lines of words, under the voice and time that its markup sets."""

import re
from dataclasses import dataclass, field

from fetcher.domain.captions.shown import Line, Word, clean


@dataclass
class Writer:
    """Collects text under the voice and time that the tags before it set."""

    lines: list[Line] = field(default_factory=list[Line])
    _words: list[Word] = field(default_factory=list[Word])
    _open: str = ""
    _open_at: int | None = None
    voice: str | None = None
    at: int | None = None
    """When the next word is said."""

    def write(self, text: str) -> None:
        """Line breaks in ``text`` end lines; a word may go on in the next piece."""
        for number, line in enumerate(re.split(r"[\n\u2028\u2029\x85]", text)):
            if number:
                self.end_line()
            self._write_line(line)

    def _write_line(self, text: str) -> None:
        for piece in re.split(r"(\s+)", clean(text)):
            if piece.isspace():
                self._end_word()
            elif piece:
                if not self._open:
                    self._open_at, self.at = self.at, None
                self._open += piece

    def _end_word(self) -> None:
        if self._open:
            self._words.append(Word(self._open, self._open_at))
        self._open, self._open_at = "", None

    def end_line(self) -> None:
        self._end_word()
        if self._words:
            self.lines.append(Line(tuple(self._words), self.voice))
        self._words = []

    def speak(self, voice: str | None) -> None:
        """Another voice begins a line of its own."""
        if voice != self.voice:
            self.end_line()
        self.voice = voice

    def finish(self) -> tuple[Line, ...]:
        self.end_line()
        return tuple(self.lines)
