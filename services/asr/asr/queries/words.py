"""Words as they are kept in a row: ``[[word, start, end, probability], …]``."""

from collections.abc import Sequence
from typing import Any

from common.transcript import Word


def pack(words: Sequence[Word]) -> list[list[Any]]:
    return [[word.word, word.start, word.end, word.probability] for word in words]


def unpack(packed: list[list[Any]]) -> list[Word]:
    return [Word(word=word, start=start, end=end, probability=p) for word, start, end, p in packed]
