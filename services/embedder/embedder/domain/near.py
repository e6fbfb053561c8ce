"""Which words of the vocabulary a misspelt or misheard word may stand for, and what they weigh.

Candidates share one form with a letter left out (Garbe's symmetric deletion), or a sound; the database finds them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from string import ascii_lowercase

from embedder.domain.stopwords import ENGLISH, SHORT

# Terms that stand in for one word of a query.
MOST_NEAR = 5
# What the best of them weighs beside the word itself, for a word that nothing readable holds, and for a rare one.
_UNKNOWN_SHARE = 0.6
_RARE_SHARE = 0.3
# A rare word may be a slip of one that so many times more chunks hold.
_MUCH_MORE = 8
# Shorter words have too many neighbours.
_SHORTEST = 4
_SHORTEST_STOPWORD = 3
# Two slips are believed of long words, and of words that sound alike.
_LONG = 7
# A candidate that is so much less likely than the best is left out.
_UNLIKELY = 0.15
_LONGEST_SUFFIX = 6
# A slip in a suffix keeps the stemmer from taking the suffix off: these letters make suffixes.
_TAIL = 4
_TAIL_LETTERS = "abdegilmnorsty"
_STOPWORDS = sorted(known for known in ENGLISH if len(known) >= 2 and "'" not in known)
# The likeliest in questions, in this order.
_OFTEN = (
    "the of and what to in that is was for on about how did do with at by be this are from or who when where why which"
)
_PLACES = {known: place for place, known in enumerate(_OFTEN.split())}


@dataclass(frozen=True)
class Candidate:
    """A term that chunks hold; ``alike``: it sounds like the word asked for."""

    word: str
    id: int
    term: str
    df: int
    alike: bool


@dataclass(frozen=True)
class Near:
    """A term that stands in for ``word`` of the query: ``share`` of the weight it would have itself, ``surface`` as a
    readable passage writes it."""

    word: str
    id: int
    term: str
    df: int
    share: float
    surface: str = ""


@dataclass(frozen=True)
class Spelling:
    """What is made of a query's unknown words: ``empty`` ones are misspelt words that say nothing.

    ``suggestion`` is the query in another spelling, of words that its asker may read; None when it is fine.
    ``meant`` is what to look for the meaning of: short words that say nothing are put right in it too.
    """

    near: tuple[Near, ...] = ()
    empty: frozenset[str] = field(default_factory=frozenset[str])
    suggestion: str | None = None
    meant: str | None = None


def distance(a: str, b: str, most: int) -> int:
    """Letters added, left out, exchanged or swapped with the next (optimal string alignment); ``most`` + 1 if more."""
    if abs(len(a) - len(b)) > most:
        return most + 1
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, letter in enumerate(a, 1):
        earlier, before, row = before, row, [i]
        for j, other in enumerate(b, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != other))
            if i > 1 and j > 1 and letter == b[j - 2] and a[i - 2] == other:
                cost = min(cost, earlier[j - 2] + 1)
            row.append(cost)
        if min(row) > most:
            return most + 1
    return min(row[-1], most + 1)


def may_be_misspelt(word: str) -> bool:
    return len(word) >= _SHORTEST_STOPWORD and not any(character.isdigit() for character in word)


def meant_stopword(word: str) -> str | None:
    """The English word without a subject that is one slip away; the likeliest in a question, when there are several."""
    if not _SHORTEST_STOPWORD <= len(word) <= 10 or word in SHORT:
        return None
    close = [known for known in _STOPWORDS if distance(word, known, 1) == 1]
    return min(close, key=lambda known: (_PLACES.get(known, len(_PLACES)), known), default=None)


def is_plain_slip(word: str, known: str) -> bool:
    """Whether to tell people so: of three letters any other one makes another word."""
    return len(word) >= _SHORTEST or sorted(word) == sorted(known)


def heads(word: str) -> list[tuple[str, str]]:
    """The word cut in two where a suffix may begin, the whole word first. A slip keeps the stemmer from finding it."""
    shortest = max(_SHORTEST, len(word) - _LONGEST_SUFFIX)
    return [(word[:end], word[end:]) for end in range(len(word), shortest - 1, -1)]


def likelihood(word: str, candidate: Candidate, held_by: int = 0) -> float:
    """Of the candidate being meant by ``word``, which is as terms are: stemmed; ``held_by``: chunks that hold it.

    Likely is what needs few slips, what begins with the same letter, what sounds alike, and what is often said.
    """
    slips = distance(word, candidate.term, 2)
    length = min(len(word), len(candidate.term))
    believed = slips == 1 or (slips == 2 and not held_by and (length >= _LONG or (candidate.alike and length > 4)))
    swapped = sorted(word) == sorted(candidate.term)
    # Of three letters it is believed only that one is missing or two are swapped.
    believed = believed and (len(word) >= _SHORTEST or swapped or len(candidate.term) > len(word))
    if not believed or (held_by and (length <= _SHORTEST or candidate.df < _MUCH_MORE * held_by)):
        return 0.0
    value = (1.0 if slips == 1 else 0.15) * (candidate.df + 1) ** 0.3 * len(candidate.term) / len(word)
    if swapped:
        value *= 1.5
    elif word[:1] != candidate.term[:1]:
        value *= 0.4
    return value * (2.0 if candidate.alike else 1.0)


def choose(word: str, likely: Mapping[Candidate, float], *, held_by: int = 0) -> list[Near]:
    """At most ``MOST_NEAR`` of candidates by how likely they are, the likeliest first."""
    best = max(likely.values(), default=0.0)
    if not best:
        return []
    kept = sorted(
        (candidate for candidate, value in likely.items() if value >= _UNLIKELY * best),
        key=lambda candidate: (-likely[candidate], candidate.term),
    )
    share = _RARE_SHARE if held_by else _UNKNOWN_SHARE
    return [Near(word, found.id, found.term, found.df, share * likely[found] / best) for found in kept[:MOST_NEAR]]


def tail_variants(word: str) -> list[str]:
    """The word with one slip in its last letters put right, in every way that makes a suffix."""
    if len(word) < _SHORTEST + 2 or not set(word) <= set(ascii_lowercase):
        return []
    made: set[str] = set()
    for i in range(len(word) - _TAIL, len(word)):
        head, rest = word[:i], word[i:]
        made.add(head + rest[1:])
        made.update(head + letter + rest[1:] for letter in _TAIL_LETTERS)
        made.update(head + letter + rest for letter in _TAIL_LETTERS)
        if len(rest) > 1:
            made.add(head + rest[1] + rest[0] + rest[2:])
    made.update(word + letter for letter in _TAIL_LETTERS)
    return sorted(made - {word})
