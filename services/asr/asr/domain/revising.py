"""What one revision changes in another: the rows that are exchanged, and what others are told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from common.transcript import Segment, Transcript

# As many as a message names; beyond that its reader looks at the whole.
_MOST = 100

Placed = tuple[int, Segment]


@dataclass(frozen=True)
class Exchange:
    """Segments that end with the revision before (by id), and those that begin with the new one."""

    gone: list[str]
    come: list[Placed]


@dataclass(frozen=True)
class Changes:
    """Spans (from, to in seconds) that read differently, the segments now at them, and whether names changed."""

    spans: list[tuple[float, float]]
    segment_ids: list[str]
    speakers: bool


def place(segments: Sequence[Segment], known: Mapping[str, int]) -> list[Placed]:
    """Every segment with its position, by which those that begin at once are told apart; a new one has its
    neighbour's."""
    placed: list[Placed] = []
    position = 0
    for segment in segments:
        position = known.get(segment.id, position)
        placed.append((position, segment))
    return placed


def exchange(before: Sequence[Placed], after: Sequence[Placed]) -> Exchange:
    held = {segment.id: (position, segment) for position, segment in before}
    kept = {segment.id for position, segment in after if held.get(segment.id) == (position, segment)}
    return Exchange(
        [segment_id for segment_id in held if segment_id not in kept],
        [(position, segment) for position, segment in after if segment.id not in kept],
    )


def changes(before: Transcript, after: Transcript) -> Changes:
    """Ids are left out where there are more than a message may name, and spans are then drawn together."""
    held = {segment.id: segment for segment in before.segments}
    now = {segment.id: segment for segment in after.segments}
    differing = [segment for segment in after.segments if held.get(segment.id) != segment]
    missing = [segment for segment in before.segments if segment.id not in now]
    spans = sorted((segment.start, segment.end) for segment in [*differing, *missing])
    ids = [segment.id for segment in differing]
    return Changes(_drawn_together(spans), ids if len(ids) <= _MOST else [], before.speakers != after.speakers)


def _drawn_together(spans: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Overlapping spans as one; the nearest ones, too, while there are too many."""
    joined: list[tuple[float, float]] = []
    for start, end in spans:
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    if len(joined) <= _MOST:
        return joined
    gaps = sorted(range(1, len(joined)), key=lambda at: joined[at][0] - joined[at - 1][1], reverse=True)
    begins = [0, *sorted(gaps[: _MOST - 1])]
    ends = [*begins[1:], len(joined)]
    return [(joined[first][0], joined[last - 1][1]) for first, last in zip(begins, ends, strict=True)]
