"""Cues in order, each for some time, and none of them twice: what was repaired is counted."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from fetcher.domain.captions.shown import Line, Shown

# As long as reading a cue takes that nobody gave an end.
_MS_PER_CHARACTER = 60
_LEAST_MS, _MOST_MS = 500, 7000
# Captions that roll go on where the ones before end.
_ADJACENT_MS = 100
# So often must a file show words again, with new ones below them, to be taken as rolling.
_ROLLING_SHARE, _LEAST_ROLLS = 0.25, 2
_TELLING_WORDS = 2
# A screen holds no more.
_MOST_LINES = 6


@dataclass(frozen=True)
class Tidied:
    """``reordered`` tells whether cues stood out of order; the others count cues."""

    shown: list[Shown]
    reordered: bool
    doubled: int
    without_duration: int


def tidy(shown: Sequence[Shown]) -> Tidied:
    ordered = sorted(shown, key=lambda one: one.start)
    unique = _without_doubles(ordered)
    timed = [_with_duration(one, following) for one, following in zip(unique, [*unique[1:], None], strict=True)]
    return Tidied(
        shown=timed,
        reordered=any(after.start < before.start for before, after in pairwise(shown)),
        doubled=len(ordered) - len(unique),
        without_duration=sum(one.end <= one.start for one in unique),
    )


def _without_doubles(ordered: Sequence[Shown]) -> list[Shown]:
    """The same words at the same time are one cue: layers of a style, or a file pasted into itself."""
    seen: set[tuple[int, int, tuple[Line, ...]]] = set()
    kept: list[Shown] = []
    for one in ordered:
        key = (one.start, one.end, one.lines)
        if key not in seen:
            kept.append(one)
        seen.add(key)
    return kept


def _with_duration(one: Shown, following: Shown | None) -> Shown:
    if one.end > one.start:
        return one
    reading = min(_MOST_MS, max(_LEAST_MS, _MS_PER_CHARACTER * sum(map(len, one.texts))))
    end = one.start + reading
    if following is not None and following.start > one.start:
        end = min(end, following.start)
    return replace(one, end=end)


def unrolled(shown: Sequence[Shown]) -> list[Shown]:
    """Captions that roll up or grow show old words again: each word stays once, where it appears first."""
    pairs = list(pairwise(shown))
    old = [0, *(_words_shown_before(before, after) for before, after in pairs)]
    telling = sum(_TELLING_WORDS <= count < len(after.texts) for count, (_, after) in zip(old[1:], pairs, strict=True))
    if telling < max(_LEAST_ROLLS, _ROLLING_SHARE * len(pairs)):
        return list(shown)
    return [replace(one, lines=left) for one, count in zip(shown, old, strict=True) if (left := _without(one, count))]


def _words_shown_before(before: Shown, after: Shown) -> int:
    """How many words at the top of ``after`` were the last ones of ``before``, from the beginning of a line on."""
    if after.start - before.end > _ADJACENT_MS or after.start == before.start:
        return 0
    shows = [(line.speaker, text) for line in after.lines for text in line.texts]
    for first in range(max(0, len(before.lines) - _MOST_LINES), len(before.lines)):
        words = [(line.speaker, text) for line in before.lines[first:] for text in line.texts]
        if shows[: len(words)] == words:
            return len(words)
    return 0


def _without(one: Shown, count: int) -> tuple[Line, ...]:
    """The lines less their first ``count`` words."""
    left: list[Line] = []
    for line in one.lines:
        dropped = min(count, len(line.words))
        count -= dropped
        if dropped < len(line.words):
            left.append(replace(line, words=line.words[dropped:]))
    return tuple(left)
