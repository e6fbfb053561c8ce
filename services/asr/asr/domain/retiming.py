"""Times for words that somebody wrote in place of what was recognised."""

from collections.abc import Sequence
from difflib import SequenceMatcher

from common.transcript import Word

_MARKS = ".,;:!?…\"'“”‘’«»()[]{}-–—。，、；：？！「」『』（）《》〈〉【】・～"


def bare(word: str) -> str:
    """The word without case and the marks around it, as two readings of the same sound are compared."""
    return word.casefold().strip(_MARKS) or word


def retime(words: Sequence[Word], written: Sequence[str], start: float, end: float) -> list[Word]:
    """``written`` as words: those that stay keep their times, the others share the span of what they replace.

    ``start`` and ``end`` bound words that are written before the first and after the last.
    """
    timed: list[Word] = []
    matcher = SequenceMatcher(None, [word.word for word in words], written, autojunk=False)
    for tag, a1, a2, b1, b2 in matcher.get_opcodes():
        if tag == "equal":
            timed += words[a1:a2]
        else:
            timed += _replaced(words, a1, a2, written[b1:b2], start, end)
    return timed


def _replaced(
    words: Sequence[Word], first: int, last: int, written: Sequence[str], start: float, end: float
) -> list[Word]:
    """One word for one keeps the time; otherwise the whole span is divided by length."""
    if len(written) == last - first:
        return [
            Word(word=text, start=word.start, end=word.end)
            for text, word in zip(written, words[first:last], strict=True)
        ]
    begin, until = span_of(words, first, last, start, end)
    return spread(written, begin, until)


def span_of(words: Sequence[Word], first: int, last: int, start: float, end: float) -> tuple[float, float]:
    """When words[first:last] are said; of no words, the pause that they would be said in."""
    if first < last:
        return words[first].start, max(word.end for word in words[first:last])
    begin = words[first - 1].end if first else start
    return begin, max(begin, words[first].start if first < len(words) else end)


def spread(written: Sequence[str], begin: float, until: float) -> list[Word]:
    """The words one after another from ``begin`` to ``until``, each as long as it has letters."""
    total = sum(len(text) for text in written)
    timed: list[Word] = []
    done = 0
    for text in written:
        first = begin + (until - begin) * done / total
        done += len(text)
        last = begin + (until - begin) * done / total
        timed.append(Word(word=text, start=_rounded(first, begin, until), end=_rounded(last, begin, until)))
    return timed


def _rounded(seconds: float, begin: float, until: float) -> float:
    """To the millisecond, but never out of the span."""
    return min(max(round(seconds, 3), begin), until)
