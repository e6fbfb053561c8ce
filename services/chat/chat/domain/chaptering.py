"""Chapters: where the subject changes, found by likeness of neighbouring windows, with titles of characteristic words.

After M. A. Hearst, "TextTiling: Segmenting Text into Multi-paragraph Subtopic Passages" (1997): the deeper the valley
of likeness between two windows, the surer the border between them.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from chat.domain import wording
from chat.domain.numbers import numbers_in
from chat.domain.stretches import Piece

# Words on each side of a possible border, and between two such places.
_WINDOW_WORDS = 100
_STEP_WORDS = 20
_TITLE_WORDS = 3
_LONGEST_TITLE = 80
_SPACES = re.compile(r"\s+")
_NO_SUBJECT = wording.vocabulary("""
    good morning afternoon evening hello welcome thank thanks please sure today tomorrow yesterday right great fine
    first last next back come came take make need like know look give find time times
""")
_WITHOUT_TITLE = "Untitled"


@dataclass(frozen=True, slots=True)
class Chapter:
    """From ``start`` to ``end``, in seconds of the recording."""

    title: str
    start: float
    end: float


def least_seconds(duration_seconds: float) -> float:
    """Shorter chapters are of no use in a recording of this length."""
    return min(180.0, max(30.0, duration_seconds / 24))


def find_chapters(pieces: Sequence[Piece], duration_seconds: float) -> list[Chapter]:
    """By the words alone: in order, without gaps, from the beginning to the end; none shorter than ``least_seconds``
    unless the recording is. Nothing where nothing is said."""
    if not pieces or duration_seconds <= 0:
        return []
    borders = [Chapter("", start, start) for start in [0.0, *_shifts(pieces)]]
    return name_chapters(tidy(borders, duration_seconds), pieces)


def tidy(begun: Sequence[Chapter], duration_seconds: float) -> list[Chapter]:
    """Chapters by where they begin, in any order, as ones that follow each other from 0 to the end.

    What is too short belongs to what comes before it. Ends are not looked at.
    """
    if not begun or duration_seconds <= 0:
        return []
    least = least_seconds(duration_seconds)
    ordered = sorted((c for c in begun if 0 <= c.start < duration_seconds), key=lambda c: c.start)
    kept: list[Chapter] = [replace(ordered[0], start=0.0)] if ordered else [Chapter("", 0.0, 0.0)]
    for chapter in ordered[1:]:
        same = _same_title(chapter.title, kept[-1].title)
        if chapter.start - kept[-1].start >= least and duration_seconds - chapter.start >= least and not same:
            kept.append(chapter)
    ends = [*(chapter.start for chapter in kept[1:]), duration_seconds]
    return [replace(chapter, end=end) for chapter, end in zip(kept, ends, strict=True)]


def name_chapters(chapters: Sequence[Chapter], pieces: Sequence[Piece]) -> list[Chapter]:
    """Titles that have a word of what is said there stay; others are made of the chapter's characteristic words."""
    talks = [" ".join(p.text for p in pieces if c.start <= p.start_seconds < c.end) for c in chapters]
    counts = [_forms(talk) for talk in talks]
    chapters_with = Counter(stem for count in counts for stem in count)
    named: list[Chapter] = []
    for chapter, talk, count in zip(chapters, talks, counts, strict=True):
        given = _clean(chapter.title)
        told = set(wording.telling_stems(given)) & wording.stems(talk)
        title = given if told else _characteristic(count, chapters_with, len(chapters))
        named.append(replace(chapter, title=title or _WITHOUT_TITLE))
    return named


def _same_title(one: str, other: str) -> bool:
    a, b = set(wording.telling_stems(one)), set(wording.telling_stems(other))
    return bool(a) and 2 * len(a & b) >= len(a | b)


def _clean(title: str) -> str:
    said = _SPACES.sub(" ", title).strip(" .,:;-–—*#\"'“”")
    if len(said) <= _LONGEST_TITLE:
        return said
    return said[: _LONGEST_TITLE - 1].rsplit(" ", 1)[0] + "…"


def _forms(talk: str) -> dict[str, Counter[str]]:
    """Stem to the forms in which it is said."""
    forms: dict[str, Counter[str]] = {}
    for word, start, end in wording.places(talk):
        telling = wording.telling_stems(word)
        if telling and len(word) > 3 and word not in _NO_SUBJECT and not numbers_in(word):
            forms.setdefault(telling[0], Counter())[talk[start:end]] += 1
    return forms


def _characteristic(count: dict[str, Counter[str]], chapters_with: Counter[str], chapters: int) -> str:
    """The words that are said here more than elsewhere, in the form they are mostly said in."""

    def weight(stem: str) -> float:
        return sum(count[stem].values()) * math.log(1 + chapters / chapters_with[stem])

    best = sorted(count, key=lambda stem: (-weight(stem), stem))[:_TITLE_WORDS]
    words = [max(count[stem].items(), key=lambda form: (form[1], form[0]))[0] for stem in best]
    title = ", ".join(words)
    return title[:1].upper() + title[1:]


@dataclass(frozen=True, slots=True)
class _Place:
    """A possible border: before the word ``number``, said at ``seconds``."""

    number: int
    seconds: float


def _shifts(pieces: Sequence[Piece]) -> list[float]:
    """Seconds at which another subject begins, in order."""
    stems: list[str] = []
    places: list[_Place] = []
    for piece in pieces:
        # A border stands before a piece: never within what one person says in a row.
        if not places or len(stems) - places[-1].number >= _STEP_WORDS:
            places.append(_Place(len(stems), piece.start_seconds))
        stems += [stem for word in wording.tokens(piece.text) for stem in wording.telling_stems(word) or ("",)]
    inner = [p for p in places if _WINDOW_WORDS // 2 <= p.number <= len(stems) - _WINDOW_WORDS // 2]
    if len(inner) < 3:
        return []
    likeness = [_likeness(stems, place.number) for place in inner]
    depths = _depths(_smooth(likeness))
    mean = sum(depths) / len(depths)
    spread = math.sqrt(sum((depth - mean) ** 2 for depth in depths) / len(depths))
    cutoff = mean + spread / 2
    peaks = [i for i, depth in enumerate(depths) if depth > cutoff and depth >= max(depths[max(0, i - 1) : i + 2])]
    return [inner[i].seconds for i in peaks]


def _likeness(stems: Sequence[str], at: int) -> float:
    """Cosine of the words in the window before and the window after."""
    before = Counter(stem for stem in stems[max(0, at - _WINDOW_WORDS) : at] if stem)
    after = Counter(stem for stem in stems[at : at + _WINDOW_WORDS] if stem)
    product = sum(count * after[stem] for stem, count in before.items())
    sizes = math.sqrt(sum(c * c for c in before.values())) * math.sqrt(sum(c * c for c in after.values()))
    return product / sizes if sizes else 0.0


def _smooth(values: Sequence[float]) -> list[float]:
    return [sum(near := values[max(0, i - 1) : i + 2]) / len(near) for i in range(len(values))]


def _depths(likeness: Sequence[float]) -> list[float]:
    """How far likeness rises on both sides of each place."""
    return [_rise(likeness, i, -1) + _rise(likeness, i, 1) for i in range(len(likeness))]


def _rise(likeness: Sequence[float], at: int, step: int) -> float:
    top = likeness[at]
    i = at + step
    while 0 <= i < len(likeness) and likeness[i] >= top:
        top = likeness[i]
        i += step
    return top - likeness[at]
