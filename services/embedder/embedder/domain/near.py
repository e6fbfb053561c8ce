"""Which words of the vocabulary a misspelt or misheard word may stand for, and what they weigh.

Candidates share one form with a letter left out (Garbe's symmetric deletion), or a sound; the database finds them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from string import ascii_lowercase

from embedder.domain.stopwords import ENGLISH

# Terms that stand in for one word of a query.
MOST_NEAR = 5
# What the best of them weighs beside the word itself, for a word that nothing readable holds, and for a rare one.
_UNKNOWN_SHARE = 0.8
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
# A slip in a suffix keeps the stemmer from taking the suffix off: these letters make suffixes.
_TAIL = 4
_TAIL_LETTERS = "abdegilmnorsty"


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
    """

    near: tuple[Near, ...] = ()
    empty: frozenset[str] = field(default_factory=frozenset[str])
    suggestion: str | None = None


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
    """The English word without a subject that is one slip away."""
    if not _SHORTEST_STOPWORD <= len(word) <= 10:
        return None
    close = [
        known
        for known in ENGLISH
        if len(known) >= _SHORTEST_STOPWORD
        and "'" not in known
        and distance(word, known, 1) == 1
        # Of three letters any other one makes another word.
        and (len(word) >= _SHORTEST or sorted(word) == sorted(known))
    ]
    return min(close, key=lambda known: (known[0] != word[0], known), default=None)


def choose(word: str, candidates: Sequence[Candidate], *, held_by: int = 0) -> list[Near]:
    """At most ``MOST_NEAR``, the likeliest first. ``word`` is as the candidates are: stemmed; ``held_by``: chunks that
    hold the word itself.

    Likely is what needs few slips, what begins with the same letter, what sounds alike, and what is often said.
    """
    if len(word) < _SHORTEST:
        return []
    likely = {candidate: _likelihood(word, candidate, held_by) for candidate in candidates}
    best = max(likely.values(), default=0.0)
    if not best:
        return []
    kept = sorted(
        (candidate for candidate, value in likely.items() if value >= _UNLIKELY * best),
        key=lambda candidate: (-likely[candidate], candidate.term),
    )
    share = _RARE_SHARE if held_by else _UNKNOWN_SHARE
    return [
        Near(found.word, found.id, found.term, found.df, share * likely[found] / best) for found in kept[:MOST_NEAR]
    ]


def alike(word: str, candidates: Sequence[Candidate]) -> list[Near]:
    """At most ``MOST_NEAR`` of candidates that are all one slip away, the most frequent first."""
    kept = sorted(candidates, key=lambda found: (-found.df, found.term))[:MOST_NEAR]
    return [
        Near(word, found.id, found.term, found.df, _UNKNOWN_SHARE * ((found.df + 1) / (kept[0].df + 1)) ** 0.3)
        for found in kept
    ]


def _likelihood(word: str, candidate: Candidate, held_by: int) -> float:
    slips = distance(word, candidate.term, 2)
    length = min(len(word), len(candidate.term))
    believed = slips == 1 or (slips == 2 and not held_by and (length >= _LONG or (candidate.alike and length > 4)))
    if not believed or (held_by and (length <= _SHORTEST or candidate.df < _MUCH_MORE * held_by)):
        return 0.0
    value = (1.0 if slips == 1 else 0.15) * (candidate.df + 1) ** 0.3
    if word[:1] != candidate.term[:1]:
        value *= 0.4
    return value * (2.0 if candidate.alike else 1.0)


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
