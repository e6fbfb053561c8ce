"""Cutting a recording into parts that workers take independently, always between utterances."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from asr.domain.spans import Span

# How far from its ideal length a part may end to reach a longer silence.
_SLACK = 0.25


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
    total = utterances[-1].end - utterances[0].start
    ideal = min(total / max(1, round(total / target_seconds)), longest_seconds)
    parts: list[Part] = []
    first = 0
    while first < len(utterances):
        end = _end_of_part(utterances, first, ideal, longest_seconds)
        parts.append(Part(len(parts), tuple(utterances[first:end])))
        first = end
    return parts


def _end_of_part(utterances: Sequence[Span], first: int, ideal: float, longest: float) -> int:
    """Index of the utterance that begins the next part."""
    start = utterances[first].start
    upper = min(ideal * (1 + _SLACK), longest)
    best, best_gap = first + 1, -1.0
    for after in range(first + 1, len(utterances)):
        length = utterances[after - 1].end - start
        if length > upper:
            break
        gap = utterances[after].start - utterances[after - 1].end
        if length < ideal * (1 - _SLACK):
            best = after
        elif gap >= best_gap:
            best, best_gap = after, gap
    else:
        return len(utterances) if utterances[-1].end - start <= upper else best
    return best


def part_fingerprint(part: Part, *ingredients: str) -> str:
    """Equal when the part's words would be equal: same sound (``ingredients`` name it), engine and utterances."""
    return hashlib.sha256(json.dumps([ingredients, part.utterances]).encode()).hexdigest()
