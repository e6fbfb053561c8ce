"""Where sentences end; capital letters and full stops for engines that write neither."""

import re
from collections.abc import Iterable, Sequence

from common.transcript import Word

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = ("January", "February", "April", "June", "July", "August", "September", "October", "November", "December")
_FIRST_PERSON = ("I", "I'm", "I'll", "I've", "I'd")
# Ordinary words, too; a month after these words only.
_DOUBTFUL_MONTHS = {"may": "May", "march": "March"}
_BEFORE_MONTH = {"in", "of", "since", "until", "by", "last", "next"}
# Engines whose text is lower case without punctuation; all others write sentences.
_BARE = frozenset({"pocketsphinx"})
_ABBREVIATIONS = {"Mr.", "Mrs.", "Ms.", "Dr.", "Prof.", "St.", "Sr.", "Jr.", "No.", "vs.", "e.g.", "i.e.", "etc."}
_INITIAL = re.compile(r"^[A-Z]\.$")
_ENDS = re.compile(r"[.!?…。！？][\"'”’»)\]」』）]*$")


def is_bare(engine: str) -> bool:
    """Whether what it writes still needs capital letters and full stops."""
    return engine in _BARE


def ends_sentence(word: str) -> bool:
    """Whether a sentence may be taken to end with this word, as written by an engine that knows punctuation."""
    return bool(_ENDS.search(word)) and word not in _ABBREVIATIONS and not _INITIAL.match(word)


def spellings(key_terms: Iterable[str]) -> dict[str, str]:
    """Lower case to proper spelling: what English always capitalises, and the words of the user's key terms."""
    words = [*_DAYS, *_MONTHS, *_FIRST_PERSON, *(word for term in key_terms for word in term.split())]
    return {word.lower(): word for word in words}


def as_sentence(words: Sequence[Word], proper: dict[str, str]) -> list[Word]:
    """The same words with a capital at the beginning and a full stop at the end.

    pocketsphinx writes lower case without punctuation. A stretch between two pauses is as near to a sentence as
    its output gets, and readers, quotes and sentence splitters need ends; questions cannot be told from it.
    """
    spelled = [_spell(word, words[at - 1].word if at else "", proper) for at, word in enumerate(words)]
    if spelled:
        first = spelled[0]
        spelled[0] = first[:1].upper() + first[1:]
        if not _ENDS.search(spelled[-1]):
            spelled[-1] += "."
    return [word.model_copy(update={"word": text}) for word, text in zip(words, spelled, strict=True)]


def _spell(word: Word, before: str, proper: dict[str, str]) -> str:
    if before.lower() in _BEFORE_MONTH and word.word in _DOUBTFUL_MONTHS:
        return _DOUBTFUL_MONTHS[word.word]
    stem, mark, rest = word.word.partition("'s")
    return proper.get(word.word, proper.get(stem, stem) + mark + rest if mark else word.word)
