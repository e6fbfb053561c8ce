"""Putting neighbouring utterances together, for engines that hear a longer stretch at once."""

from collections.abc import Sequence

from asr.domain.spans import Span

# A window this full is not filled further when a longer silence ends it here.
_FULL_ENOUGH = 0.9
# Engines make up words for silences longer than this.
_LONGEST_SILENCE_SECONDS = 3.0


def windows_of(utterances: Sequence[Span], longest_seconds: float) -> list[Span]:
    """Stretches of at most ``longest_seconds`` (unless one utterance alone is longer), each ended by a silence.

    They depend on the whole recording alone, never on how it is cut into parts: so cuts change no word.
    """
    windows: list[Span] = []
    first = 0
    while first < len(utterances):
        end = _end_of_window(utterances, first, longest_seconds)
        windows.append(Span(utterances[first].start, utterances[end - 1].end))
        first = end
    return windows


def _end_of_window(utterances: Sequence[Span], first: int, longest: float) -> int:
    """Index of the utterance that begins the next window."""
    start = utterances[first].start
    best, best_gap = first + 1, 0.0
    for after in range(first + 1, len(utterances) + 1):
        seconds = utterances[after - 1].end - start
        if seconds > longest and after > first + 1:
            break
        gap = utterances[after].start - utterances[after - 1].end if after < len(utterances) else float("inf")
        if gap >= _LONGEST_SILENCE_SECONDS:
            return after
        if seconds < _FULL_ENOUGH * longest or gap >= best_gap:
            best, best_gap = after, gap if seconds >= _FULL_ENOUGH * longest else 0.0
    return best
