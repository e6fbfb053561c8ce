"""Which of the passages that are indexed already a changed text still has, so that an edit moves no other border."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from common.spacing import blank_between, has_no_blanks

# What reads the same somewhere else in the recording is another passage.
_SAME_PLACE_SECONDS = 1.0


@dataclass(frozen=True)
class Passage:
    """Text that begins ``start_seconds`` into the recording."""

    text: str
    start_seconds: float


def find_held(pieces: Sequence[Passage], held: Sequence[Passage]) -> list[tuple[int, int]]:
    """Spans [first, last) of ``pieces`` that, one after another, are passages of ``held``, in the order of both."""
    beginning: defaultdict[str, list[int]] = defaultdict(list)
    for number, passage in enumerate(held):
        beginning[_first_word(passage.text)].append(number)
    texts = [piece.text for piece in pieces]
    spans: list[tuple[int, int]] = []
    at = following = 0
    while at < len(pieces):
        for number in beginning.get(_first_word(texts[at]), ()):
            near = abs(held[number].start_seconds - pieces[at].start_seconds) < _SAME_PLACE_SECONDS
            last = _matched(texts, at, held[number].text) if near and number >= following else None
            if last is not None:
                spans.append((at, last))
                following, at = number + 1, last
                break
        else:
            at += 1
    return spans


def _first_word(text: str) -> str:
    return text[:1] if has_no_blanks(text[:1]) else text.split(" ", 1)[0]


def _matched(texts: Sequence[str], at: int, passage: str) -> int | None:
    """Where the texts from ``at`` on end that make up the passage; None when they do not."""
    done = 0
    while at < len(texts) and passage.startswith(texts[at], done):
        done += len(texts[at])
        at += 1
        if done == len(passage):
            return at
        if passage[done] == " ":
            done += 1
        elif blank_between(texts[at - 1], passage[done:], one_sentence=True):
            return None
    return None


def share_evenly(tokens: Sequence[int], target: int, limit: int) -> list[tuple[int, int]]:
    """Spans of about equal size, as few as hold ``target`` tokens each, one where ``limit`` holds them all."""
    total = sum(tokens)
    most = max(limit, *tokens)
    pieces = 1 if total <= most else ceil(total / target)
    while True:
        spans = _shared(tokens, pieces)
        if all(sum(tokens[first:last]) <= most for first, last in spans):
            return spans
        pieces += 1


def _shared(tokens: Sequence[int], pieces: int) -> list[tuple[int, int]]:
    """A unit belongs to the piece that its middle falls into."""
    share = max(sum(tokens), 1) / pieces
    begins: list[int] = []
    piece, done = -1, 0
    for at, size in enumerate(tokens):
        falls = min(int((done + size / 2) / share), pieces - 1)
        if falls > piece:
            begins.append(at)
            piece = falls
        done += size
    return list(zip(begins, [*begins[1:], len(tokens)], strict=True))
