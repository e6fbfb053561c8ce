"""Word error rate: how far a transcript is from what was said."""

import re
from collections.abc import Sequence

_NOT_WORD = re.compile(r"[^\w' ]+")


def plain_words(text: str) -> list[str]:
    """Lower case, without punctuation; hyphens part words."""
    return _NOT_WORD.sub(" ", text.lower().replace("’", "'")).split()


def word_error_rate(reference: str, recognised: str) -> float:
    """Substitutions, deletions and insertions per word of the reference (so it may exceed 1).

    An empty reference gives 0 when nothing was recognised and 1 otherwise.
    """
    expected, got = plain_words(reference), plain_words(recognised)
    if not expected:
        return float(bool(got))
    return edit_distance(expected, got) / len(expected)


def edit_distance(left: Sequence[str], right: Sequence[str]) -> int:
    """Levenshtein distance over words, in memory proportional to ``right``."""
    row = list(range(len(right) + 1))
    for at, word in enumerate(left, 1):
        diagonal, row[0] = row[0], at
        for to, other in enumerate(right, 1):
            diagonal, row[to] = row[to], min(row[to] + 1, row[to - 1] + 1, diagonal + (word != other))
    return row[-1]
