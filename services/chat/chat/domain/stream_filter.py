"""Splits a model's stream into plain text and citation markers; a marker is held back until it is whole."""

import re
from dataclasses import dataclass

_BEGUN = re.compile(r"\[[\d\s,;–-]*\Z")
_WHOLE = re.compile(r"\[\s*\d+(?:\s*[,;–-]\s*\d+)*\s*\]\Z")
_PART = re.compile(r"(\d+)(?:\s*[–-]\s*(\d+))?")
# More than this between the brackets is no citation; it also bounds what a hostile stream can make us hold.
_LONGEST_MARKER = 60
_WIDEST_RANGE = 50


@dataclass(frozen=True, slots=True)
class Marker:
    """``[3]``, ``[1, 2]`` or ``[1-3]``: the passage numbers that the text before it rests on."""

    numbers: tuple[int, ...]


class StreamFilter:
    """Feed it chunks cut anywhere; the pieces joined are the same for every way of cutting."""

    def __init__(self) -> None:
        self._held = ""

    def feed(self, chunk: str) -> list[str | Marker]:
        pieces: list[str | Marker] = []
        for char in chunk:
            self._take(char, pieces)
        return _joined(pieces)

    def finish(self) -> list[str | Marker]:
        """What is left when the stream ends: the beginning of a marker is dropped, other text is kept."""
        held, self._held = self._held, ""
        rest = held[1:].strip(" \t") if not any(char.isdigit() for char in held) else ""
        return [rest] if rest else []

    def _take(self, char: str, pieces: list[str | Marker]) -> None:
        if not self._held:
            if char == "[":
                self._held = char
            else:
                pieces.append(char)
            return
        if char == "[" or len(self._held) > _LONGEST_MARKER:
            # Released without its bracket, so that no marker can be put together from what follows.
            pieces.append(self._held[1:])
            self._held = ""
            self._take(char, pieces)
            return
        self._held += char
        if _BEGUN.match(self._held):
            return
        held, self._held = self._held, ""
        pieces.append(Marker(_numbers(held)) if _WHOLE.match(held) else held)


def _numbers(marker: str) -> tuple[int, ...]:
    numbers: list[int] = []
    for first, last in _PART.findall(marker):
        low, high = int(first), int(last or first)
        numbers.extend(range(low, min(high, low + _WIDEST_RANGE) + 1))
    return tuple(dict.fromkeys(numbers))


def _joined(pieces: list[str | Marker]) -> list[str | Marker]:
    """Neighbouring texts made one."""
    joined: list[str | Marker] = []
    for piece in pieces:
        if isinstance(piece, str) and joined and isinstance(joined[-1], str):
            joined[-1] += piece
        elif piece:
            joined.append(piece)
    return joined
