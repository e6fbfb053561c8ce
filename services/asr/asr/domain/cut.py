"""Cutting a recording into parts that workers take independently, always between utterances."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from asr.domain.spans import Span

# How far from its ideal length a part may end to reach a longer silence.
_SLACK = 0.25
_LONG_SILENCE_SECONDS = 2.0
_ROUNDING = 1e-6


@dataclass(frozen=True)
class Part:
    """Consecutive utterances of one recording, recognised together by one worker."""

    index: int
    utterances: tuple[Span, ...]

    @property
    def start(self) -> float:
        return self.utterances[0].start

    @property
    def end(self) -> float:
        return self.utterances[-1].end

    @property
    def speech_seconds(self) -> float:
        return sum(utterance.seconds for utterance in self.utterances)


def cut_parts(utterances: Sequence[Span], target_seconds: float, longest_seconds: float) -> list[Part]:
    """Parts of about ``target_seconds``, none over ``longest_seconds`` unless one utterance alone is.

    Of the silences near the ideal length the longest is taken. Silence between parts belongs to none of them.
    """
    if not utterances:
        return []
    parts: list[Part] = []
    first = 0
    while first < len(utterances):
        # Reckoned anew from what is left, so that the last part is no remnant.
        left = utterances[-1].end - utterances[first].start
        ideal = min(left / max(1, round(left / target_seconds)), longest_seconds)
        end = _end_of_part(utterances, first, ideal, longest_seconds)
        parts.append(Part(len(parts), tuple(utterances[first:end])))
        first = end
    return parts


def _end_of_part(utterances: Sequence[Span], first: int, ideal: float, longest: float) -> int:
    """Index of the utterance that begins the next part."""
    start = utterances[first].start
    upper = min(ideal * (1 + _SLACK), longest)
    if utterances[-1].end - start <= min(ideal + _ROUNDING, longest):
        return len(utterances)
    best, best_merit = first + 1, float("-inf")
    for after in range(first + 1, len(utterances)):
        length = utterances[after - 1].end - start
        if length > upper:
            break
        merit = _merit(utterances[after].start - utterances[after - 1].end, length / ideal - 1)
        if merit >= best_merit:
            best, best_merit = after, merit
    return best


def _merit(gap_seconds: float, deviation: float) -> float:
    """How good a silence is to cut in; beyond the slack the ideal length is all that counts."""
    if abs(deviation) > _SLACK:
        return -1.0 - abs(deviation)
    return min(gap_seconds, _LONG_SILENCE_SECONDS) - 2 * abs(deviation)


def part_fingerprint(part: Part, *ingredients: str) -> str:
    """Equal when the part's words would be equal: same sound (``ingredients`` name it), engine and utterances."""
    return hashlib.sha256(json.dumps([ingredients, part.utterances]).encode()).hexdigest()
