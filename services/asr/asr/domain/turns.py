"""Turns: who speaks when, put together from windows that overlap."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr.domain.grouping import NOBODY, Groups
from asr.domain.voices import Turn, Voices


def turns_of(voices: Voices, groups: Groups) -> list[Turn]:
    """In order of time; of several people at once each has a turn. ``voice`` is the number of the group."""
    if not len(voices.windows) or groups.max() == NOBODY:
        return []
    hearing = voices.hearing
    begins = np.rint(voices.windows * hearing.step_seconds / hearing.frame_seconds).astype(np.int64)
    speaking = _speaking(voices, groups, begins)
    turns: list[Turn] = []
    for group in range(speaking.shape[1]):
        for first, after in _runs(speaking[:, group]):
            start, end = (at * hearing.frame_seconds + hearing.frame_length_seconds / 2 for at in (first, after))
            turns.append(Turn(start, end, str(group)))
    return sorted(_without_short_pauses(turns, hearing.shortest_pause_seconds))


def _speaking(voices: Voices, groups: Groups, begins: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Shape (frames, groups): as many as the windows hear on the average, those that they hear best."""
    frames = voices.scores.shape[1]
    heard = np.zeros((int(begins[-1]) + frames, int(groups.max()) + 1), dtype=np.float32)
    count = np.zeros(len(heard), dtype=np.float32)
    windows = np.zeros(len(heard), dtype=np.float32)
    at_once = voices.active.sum(axis=2)
    for scores, own, many, begin in zip(voices.scores, groups, at_once, begins, strict=True):
        stretch = slice(begin, begin + frames)
        count[stretch] += many
        windows[stretch] += 1
        for group in np.unique(own[own != NOBODY]):
            heard[stretch, group] += scores[:, own == group].max(axis=1)
    speakers = np.rint(count / np.maximum(windows, 1))
    rank = np.argsort(np.argsort(-heard, axis=1, kind="stable"), axis=1, kind="stable")
    return (rank < speakers[:, None]) & (heard > 0)


def _runs(active: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Frame ranges [first, after)."""
    edges: Any = np.flatnonzero(np.diff(np.concatenate([[False], active, [False]]).astype(np.int8)))
    return [(int(first), int(after)) for first, after in edges.reshape(-1, 2)]


def _without_short_pauses(turns: list[Turn], shortest: float) -> list[Turn]:
    """Each voice's turns are in order."""
    joined: list[Turn] = []
    for turn in turns:
        if joined and joined[-1].voice == turn.voice and turn.start - joined[-1].end < shortest:
            joined[-1] = joined[-1]._replace(end=turn.end)
        else:
            joined.append(turn)
    return joined
