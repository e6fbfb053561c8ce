"""Words and text: blanks stand between words, but not where a script has none."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import pairwise

# Chinese and Japanese: every character is taken for a word, since no dictionary tells them.
_CJK = (
    r"\u3005-\u3007\u3021-\u3029\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u3105-\u312f\u31f0-\u31ff"
    r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9d\U00020000-\U0003ffff"
)
# Thai, Lao, Tibetan, Burmese and Khmer write sentences without blanks, and put one between them.
_SOUTH_EAST = r"\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff"
_CJK_CHARACTER = re.compile(f"[{_CJK}]")
_UNSPACED = re.compile(f"[{_CJK}{_SOUTH_EAST}]")
_PIECE = re.compile(r"\S+")
# Categories of Unicode: what belongs to the character before it, and to the one behind it.
_CLOSING = frozenset({"Pe", "Pf", "Po", "Pd", "Mn", "Mc", "Me", "Lm", "Sk"})
_OPENING = frozenset({"Ps", "Pi"})


def split_words(text: str) -> list[str]:
    """The words of a text, with the marks around them; nothing but blanks is left out."""
    return text.split() if text.isascii() else [text[start:end] for start, end in word_spans(text)]


def word_spans(text: str) -> list[tuple[int, int]]:
    """Where they stand: code points [start, end)."""
    return [span for piece in _PIECE.finditer(text) for span in _inside(piece.group(), piece.start())]


def _inside(piece: str, offset: int) -> Iterator[tuple[int, int]]:
    begin = 0
    if _CJK_CHARACTER.search(piece):
        for at in range(1, len(piece)):
            if _parted(piece[at - 1], piece[at]):
                yield offset + begin, offset + at
                begin = at
    yield offset + begin, offset + len(piece)


def _parted(before: str, after: str) -> bool:
    if _is_cjk(after):
        return unicodedata.category(before) not in _OPENING
    return _is_cjk(before) and unicodedata.category(after) not in _CLOSING


def has_no_blanks(letter: str) -> bool:
    """Whether words of its script follow each other without blanks."""
    return bool(_UNSPACED.match(letter))


def _is_cjk(character: str) -> bool:
    return bool(_CJK_CHARACTER.match(character))


def as_text(words: Iterable[str]) -> str:
    """Words of one sentence as they are written."""
    return _joined(words, _UNSPACED)


def join_texts(texts: Iterable[str]) -> str:
    """Sentences one after another."""
    return _joined(texts, _CJK_CHARACTER)


def _joined(texts: Iterable[str], unspaced: re.Pattern[str]) -> str:
    listed = [text for text in texts if text]
    written = " ".join(listed)
    if written.isascii():
        return written
    pieces = listed[:1]
    for before, after in pairwise(listed):
        pieces += ["" if _adjoin(before, after, unspaced) else " ", after]
    return "".join(pieces)


def blank_between(before: str, after: str, *, one_sentence: bool = False) -> str:
    """What stands between two sentences, or two pieces of one: a blank, or nothing."""
    unspaced = _UNSPACED if one_sentence else _CJK_CHARACTER
    return "" if not before or not after or _adjoin(before, after, unspaced) else " "


def _adjoin(before: str, after: str, unspaced: re.Pattern[str]) -> bool:
    """Whether the letters on both sides are written without a blank, whatever marks lie between them."""
    last = next(filter(str.isalnum, reversed(before)), "")
    first = next(filter(str.isalnum, after), "")
    if last.isdecimal() or first.isdecimal():
        return bool(_CJK_CHARACTER.match(last) or _CJK_CHARACTER.match(first))
    known = [letter for letter in (last, first) if letter]
    return bool(known) and all(unspaced.match(letter) for letter in known)
