"""Times for words that an engine left untimed, and times that stay in order."""

from collections.abc import Sequence
from typing import NamedTuple

from common.spacing import split_words


class TimedWord(NamedTuple):
    """A word with start and end in seconds; None where the engine could not tell."""

    word: str
    start: float | None
    end: float | None
    probability: float | None


def spread(words: Sequence[TimedWord], seconds: float) -> list[TimedWord]:
    """Words without times get their share, by letters, of the stretch between their timed neighbours."""
    timed: list[TimedWord] = []
    at = 0
    while at < len(words):
        if words[at].start is not None and words[at].end is not None:
            timed.append(words[at])
            at += 1
            continue
        after = at
        while after < len(words) and (words[after].start is None or words[after].end is None):
            after += 1
        begin = timed[-1].end or 0.0 if timed else 0.0
        end = words[after].start if after < len(words) else seconds
        timed.extend(_share(words[at:after], begin, max(begin, end or 0.0)))
        at = after
    return timed


def as_written(timed: Sequence[TimedWord], written: Sequence[str]) -> list[TimedWord] | None:
    """``written`` with the times of what it is made of: aligners time each character of some scripts by itself.

    None where the two are not the same text.
    """
    words: list[TimedWord] = []
    at = 0
    for text in written:
        first, length = at, 0
        while at < len(timed) and length < len(text):
            length += len(timed[at].word)
            at += 1
        if "".join(part.word for part in timed[first:at]) != text:
            return None
        words.append(_together(text, timed[first:at]))
    return words if at == len(timed) else None


def _together(text: str, parts: Sequence[TimedWord]) -> TimedWord:
    starts = [part.start for part in parts if part.start is not None]
    ends = [part.end for part in parts if part.end is not None]
    sure = [part.probability for part in parts if part.probability is not None]
    return TimedWord(text, min(starts, default=None), max(ends, default=None), sum(sure) / len(sure) if sure else None)


def evenly(text: str, seconds: float) -> list[TimedWord]:
    """The words of a text of which nothing is known but its length."""
    return spread([TimedWord(word, None, None, None) for word in split_words(text)], seconds)


def _share(words: Sequence[TimedWord], begin: float, end: float) -> list[TimedWord]:
    letters = sum(len(word.word) for word in words) or 1
    shared: list[TimedWord] = []
    for word in words:
        start = begin if not shared else shared[-1].end or begin
        shared.append(word._replace(start=start, end=start + (end - begin) * len(word.word) / letters))
    return shared


def in_order(words: Sequence[TimedWord], seconds: float) -> list[TimedWord]:
    """The same words; none begins before the one before it, none ends before it begins, all within ``seconds``."""
    ordered: list[TimedWord] = []
    latest = 0.0
    for word in words:
        start = min(max(word.start or 0.0, latest), seconds)
        ordered.append(word._replace(start=start, end=min(max(word.end or 0.0, start), seconds)))
        latest = start
    return ordered
