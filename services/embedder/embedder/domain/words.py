"""Words of a text: folded as phrase search compares them, stemmed as BM25 counts them."""

import unicodedata
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

import regex
import snowballstemmer  # pyright: ignore[reportMissingTypeStubs]

from embedder.domain.stopwords import ENGLISH

# Scripts without spaces give one word per character, so that phrases of them are found; numbers keep their points.
_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
_LETTER = rf"(?:(?![{_UNSPACED}])[\p{{L}}\p{{M}}\p{{N}}])"
_WORD = regex.compile(
    rf"(?![\p{{N}}])[{_UNSPACED}]\p{{M}}*|\p{{N}}+(?:[.,:]\p{{N}}+)+|{_LETTER}+(?:['’]{_LETTER}+)*|\p{{N}}+"
)
_LATIN = regex.compile(r"\p{Latin}")
_WITHOUT_SPACES = regex.compile(rf"[{_UNSPACED}]")
_HYPHENS = "-‐‑"
# Articles and prepositions that are written as part of the next word; the French stemmer knows its own.
_ELISIONS = {
    "it": regex.compile(
        r"^(?:c|l|un|d|m|t|s|v|all|dall|dell|nell|sull|coll|pell|gl|agl|dagl|degl|negl|sugl|quest|quell)'(?=.)"
    ),
    "ca": regex.compile(r"^(?:d|l|m|n|s|t)'(?=.)"),
}
_STEMMERS = {
    "ar": "arabic",
    "ca": "catalan",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "en": "english",
    "es": "spanish",
    "et": "estonian",
    "eu": "basque",
    "fi": "finnish",
    "fr": "french",
    "ga": "irish",
    "hi": "hindi",
    "hu": "hungarian",
    "hy": "armenian",
    "id": "indonesian",
    "it": "italian",
    "lt": "lithuanian",
    "ne": "nepali",
    "nl": "dutch",
    "no": "norwegian",
    "nb": "norwegian",
    "nn": "norwegian",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sr": "serbian",
    "sv": "swedish",
    "ta": "tamil",
    "tr": "turkish",
    "yi": "yiddish",
}
# Longer than any word of a language; what is longer is noise that must not fill an index row.
_LONGEST = 60


@dataclass(frozen=True, slots=True)
class Token:
    """A word at ``start`` to ``end`` (code points, end not included) of its text."""

    word: str
    start: int
    end: int


def tokens(text: str) -> list[Token]:
    """Every word of ``text`` in order, folded."""
    return [Token(fold(match.group()), match.start(), match.end()) for match in _WORD.finditer(text)]


@lru_cache(maxsize=50_000)
def fold(word: str) -> str:
    """Without case, and Latin letters without accents: ``Café`` and ``cafe`` are one word."""
    folded = word.casefold().replace("’", "'")[:_LONGEST]
    if folded.isascii():
        return folded.replace(",", "") if folded[:1].isdigit() else folded
    kept: list[str] = []
    after_latin = False
    for character in unicodedata.normalize("NFKD", folded).casefold():
        if not "\u0300" <= character <= "\u036f":
            after_latin = bool(_LATIN.match(character))
        elif after_latin:
            continue
        kept.append(character)
    return unicodedata.normalize("NFC", "".join(kept))


def language_code(language: str) -> str:
    """``en`` of ``en-US``; what is not known stays as it is and is not stemmed."""
    return language.replace("_", "-").split("-", 1)[0].lower()


@lru_cache(maxsize=200_000)
def term(word: str, code: str) -> str | None:
    """What a folded word counts as in the language ``code``; None for words that say nothing."""
    if code == "en" and word in ENGLISH:
        return None
    return stems([word], code)[0] or None


def stems(words: Sequence[str], code: str) -> list[str]:
    """Folded words as their language counts them; nothing is kept, so that guesses do not crowd out what is said."""
    if code not in _STEMMERS:
        return list(words)
    # A stemmer keeps the word it works on in itself: one per call, so that threads do not meet in it.
    stemmer = cast("Any", snowballstemmer).stemmer(_STEMMERS[code])
    elision = _ELISIONS.get(code)
    bare = [elision.sub("", word) for word in words] if elision else words
    return [str(stemmer.stemWord(word)) for word in bare]


def units(text: str, code: str) -> list[Token]:
    """What BM25 counts: the terms of ``text`` with the places of their surface forms, in order of their beginnings.

    Beside the words themselves: pairs of neighbouring characters where a script has no spaces, and compounds with
    hyphens as one word too, so that ``email`` finds ``e-mail`` and the other way round.
    """
    found = tokens(text)
    made: list[Token] = []
    for i, token in enumerate(found):
        if (counted := term(token.word, code)) is not None:
            made.append(Token(counted, token.start, token.end))
        if pair := _pair(found, i):
            made.append(pair)
        elif (compound := _compound(text, found, i)) and (counted := term(compound.word, code)):
            made.append(Token(counted, compound.start, compound.end))
    return made


def asked_units(text: str, code: str) -> list[Token]:
    """``units`` of a query: a character that is part of a pair does not count by itself."""
    found = units(text, code)
    pairs = [unit for unit in found if len(unit.word) > 1 and _is_unspaced(unit.word)]
    paired = {place for unit in pairs for place in range(unit.start, unit.end)}
    return [unit for unit in found if unit in pairs or not (_is_unspaced(unit.word) and unit.start in paired)]


def _is_unspaced(word: str) -> bool:
    return bool(_WITHOUT_SPACES.match(word))


def _pair(found: Sequence[Token], i: int) -> Token | None:
    """The two characters that begin at the i-th token, in a script without spaces."""
    if i + 1 >= len(found) or not _is_unspaced(found[i].word):
        return None
    here, following = found[i], found[i + 1]
    if here.end != following.start or not _is_unspaced(following.word):
        return None
    return Token(here.word + following.word, here.start, following.end)


def _compound(text: str, found: Sequence[Token], i: int) -> Token | None:
    """The whole compound of which the i-th token is the first part; numbers with hyphens are none."""
    if i and _hyphenated(text, found[i - 1], found[i]):
        return None
    last = i
    while last + 1 < len(found) and _hyphenated(text, found[last], found[last + 1]):
        last += 1
    joined = "".join(token.word for token in found[i : last + 1])
    if last == i or joined.isdigit() or len(joined) > _LONGEST:
        return None
    return Token(joined, found[i].start, found[last].end)


def _hyphenated(text: str, before: Token, after: Token) -> bool:
    return after.start == before.end + 1 and text[before.end] in _HYPHENS


def term_counts(text: str, code: str) -> dict[str, int]:
    """How often each term occurs in a text."""
    counts: dict[str, int] = {}
    for unit in units(text, code):
        counts[unit.word] = counts.get(unit.word, 0) + 1
    return counts


def spans(found: Iterable[Token]) -> list[tuple[int, int]]:
    """Offsets of units; those that overlap are one."""
    merged: list[tuple[int, int]] = []
    for unit in sorted(found, key=lambda unit: (unit.start, unit.end)):
        if merged and unit.start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(unit.end, merged[-1][1]))
        else:
            merged.append((unit.start, unit.end))
    return merged


def matches(text: str, wanted: Collection[str], code: str) -> list[tuple[int, int]]:
    """Offsets of the words of ``text`` whose term is wanted, exact to the surface form."""
    return spans(unit for unit in units(text, code) if unit.word in wanted)


def find_phrase(words: list[str], phrase: list[str]) -> list[int]:
    """Indexes in ``words`` at which ``phrase`` begins; both folded."""
    length = len(phrase)
    return [i for i in range(len(words) - length + 1) if words[i : i + length] == phrase] if phrase else []
