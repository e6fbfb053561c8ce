"""Words of a text: folded as phrase search compares them, stemmed as BM25 counts them."""

import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

import regex
import snowballstemmer  # pyright: ignore[reportMissingTypeStubs]

from embedder.domain.stopwords import ENGLISH

# Scripts without spaces give one word per character, so that phrases of them are found; numbers keep their points.
_WORD = regex.compile(
    r"[\p{Han}\p{Hiragana}\p{Katakana}]|\p{N}+(?:[.,:]\p{N}+)+|[\p{L}\p{M}\p{N}]+(?:['’][\p{L}\p{M}\p{N}]+)*"
)
_LATIN = regex.compile(r"\p{Latin}")
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
    if code not in _STEMMERS:
        return word
    # A stemmer keeps the word it works on in itself: one per call, so that threads do not meet in it.
    stemmer = cast("Any", snowballstemmer).stemmer(_STEMMERS[code])
    return str(stemmer.stemWord(word)) or None


def term_counts(words: list[str], code: str) -> dict[str, int]:
    """How often each term occurs among folded words."""
    counts: dict[str, int] = {}
    for word in words:
        found = term(word, code)
        if found is not None:
            counts[found] = counts.get(found, 0) + 1
    return counts


def matches(text: str, wanted: set[str], code: str) -> list[tuple[int, int]]:
    """Offsets of the words of ``text`` whose term is wanted, exact to the surface form."""
    return [(token.start, token.end) for token in tokens(text) if term(token.word, code) in wanted]


def find_phrase(words: list[str], phrase: list[str]) -> list[int]:
    """Indexes in ``words`` at which ``phrase`` begins; both folded."""
    length = len(phrase)
    return [i for i in range(len(words) - length + 1) if words[i : i + length] == phrase] if phrase else []
