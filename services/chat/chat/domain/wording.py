"""Reads words: tokens with their places, blunt stems, and which words tell what a text is about."""

import re
from functools import lru_cache


def vocabulary(words: str) -> frozenset[str]:
    """A set of words written as one text."""
    return frozenset(words.split())


_TOKEN = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_SUFFIXES = (
    ("iest", "y"), ("ies", "y"), ("ied", "y"), ("ing", ""), ("edly", ""), ("ed", ""), ("es", ""), ("s", ""), ("ly", ""),
)  # fmt: skip

# Words that say nothing about the subject of a question: grammar, and the verbs that only frame it.
_STOP = vocabulary("""
    a an and are as at be because but by for from had has have he her hers him his how i if in into is it its me my
    no not of on or our ours she so such than that the their theirs them then there these they this those to us was
    we were what when where which while who whom whose why will with would you your yours about actually also am any
    anyone anything been being both can could did do does doing done each every few get gets getting go goes going
    got just kind kinds let many may maybe might more most much must off one only other others ought over own please
    quite rather really same shall should some somebody someone something sort still thing things too very want
    wants well yes yeah okay oh uh um according conversation discussion long meeting people recording speaker agree
    agreed answer answered ask asked asks comment commented conclude concluded consider considered decide decided
    decides describe described discuss discussed discusses explain explained feel felt mention mentioned mentions
    opinion opinions plan planned propose proposed recommend recommended respond responded said say saying says
    speak spoke state stated suggest suggested suggests summarise summarize talk talked talks tell telling tells
    think thinking thinks thought thoughts told view views happen happened happens
""")


def places(text: str) -> list[tuple[str, int, int]]:
    """Each word as ``tokens`` gives it, with the code points [start, end) where it stands."""
    return [(match.group().lower().replace("’", "'"), match.start(), match.end()) for match in _TOKEN.finditer(text)]


def tokens(text: str) -> list[str]:
    """Words in lower case, apostrophes kept inside."""
    return [word for word, _, _ in places(text)]


def stems(text: str) -> set[str]:
    return {stem(word) for word in tokens(text)}


def telling_stems(text: str) -> tuple[str, ...]:
    """Stems of the words that carry meaning, each once, in order."""
    return tuple(dict.fromkeys(stem(word) for word in tokens(text) if word not in _STOP and len(word) > 1))


def capitalised_stems(text: str) -> frozenset[str]:
    """Stems of words written with a capital after the first one, abbreviations aside: names, in English."""
    words = [match.group() for match in _TOKEN.finditer(text)]
    return frozenset(stem(word.lower()) for word in words[1:] if word[0].isupper() and not word.isupper())


@lru_cache(maxsize=20_000)
def stem(word: str) -> str:
    """Enough to match plural, tense and possession; never shorter than three letters."""
    word = word.removesuffix("'s").removesuffix("'")
    for suffix, instead in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= 3 and not word.endswith("ss"):
            word = word[: -len(suffix)] + instead
            break
    doubled = len(word) > 4 and word[-1] == word[-2]
    return word[:-1] if doubled or (len(word) > 3 and word.endswith("e")) else word
