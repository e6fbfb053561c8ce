"""Which windows of a recording are listened to with which part: each with exactly one, seams or not."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from asr.domain.spans import Span


@dataclass(frozen=True)
class Stretch:
    """The part of a recording whose voices are wanted: from ``start`` (None: its beginning) to ``end`` (None: its end).

    Seconds. ``end`` is where the next part's speech begins.
    """

    start: float | None
    end: float | None
    utterances: tuple[Span, ...]


def windows_in(stretch: Stretch, *, total: int, window: int, step: int, rate: int) -> list[int]:
    """Numbers of the windows whose middle lies in the stretch and in which somebody speaks.

    ``total``, ``window`` and ``step`` count samples of ``rate`` a second. Window n begins at ``n * step`` whatever the
    part, the last one reaches past the end: so all parts together listen to the very windows that would be listened
    to in the whole recording, sound before and after the part included.
    """
    first, last = 0, max(0, math.ceil((total - window) / step))
    if stretch.start is not None:
        first = max(first, math.ceil((stretch.start * rate - window / 2) / step))
    if stretch.end is not None:
        last = min(last, math.ceil((stretch.end * rate - window / 2) / step) - 1)
    return [
        number
        for number in range(first, last + 1)
        if _speech_in(stretch, Span(number * step / rate, (number * step + window) / rate))
    ]


def _speech_in(stretch: Stretch, window: Span) -> bool:
    if stretch.end is not None and window.end > stretch.end:
        return True  # the next part's first words
    return _overlaps(stretch.utterances, window)


def _overlaps(utterances: Sequence[Span], window: Span) -> bool:
    return any(utterance.start < window.end and utterance.end > window.start for utterance in utterances)
