"""Who speaks when, as far as the sound alone tells."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
# In the place of a linkage, where the diarizer groups voices itself.
OWN_GROUPING = "own"


class Turn(NamedTuple):
    """One voice heard from ``start`` to ``end`` (seconds of the recording).

    ``voice`` names it within what was heard together; the same name elsewhere may be somebody else.
    """

    start: float
    end: float
    voice: str


@dataclass(frozen=True)
class Voiceprint:
    """What a speaker of a recording sounds like, in the space of ``model``; never shown to anybody."""

    speaker_id: str
    model: str
    vector: tuple[float, ...]
    seconds: float  # of speech


@dataclass(frozen=True)
class Hearing:
    """How voices were heard: by which models, in what windows and frames, and how they are to be grouped.

    Voices that were heard in different ways cannot be compared. ``method``: a linkage, or OWN_GROUPING.
    """

    by: str
    window_seconds: float
    step_seconds: float
    frame_seconds: float  # from the beginning of one frame to that of the next
    frame_length_seconds: float  # frames may overlap
    onset: float  # a voice is active in a frame where its score is above this
    method: str
    threshold: float
    smallest_group: int
    shortest_pause_seconds: float  # shorter silences within a turn are part of it


@dataclass(frozen=True)
class Voices:
    """The voices of some windows of a recording, each window told apart by itself.

    ``windows``: their numbers, window n begins at n steps. ``scores[w, frame, voice]``: 0 to 1. ``prints[w, voice]``:
    the voice's embedding, NaN where it says too little.
    """

    hearing: Hearing
    windows: NDArray[np.int32]
    scores: Floats
    prints: Floats

    @property
    def active(self) -> NDArray[np.bool_]:
        """Shape of ``scores``: who speaks in which frame."""
        return self.scores > self.hearing.onset

    @property
    def speaks(self) -> NDArray[np.bool_]:
        """Shape (windows, voices): who speaks at all."""
        return np.max(self.scores, axis=1) > self.hearing.onset

    @property
    def known(self) -> NDArray[np.bool_]:
        """Shape (windows, voices): who has an embedding."""
        return ~np.isnan(np.max(self.prints, axis=2))

    @property
    def clean_share(self) -> NDArray[np.float64]:
        """Shape (windows, voices): the share of each window in which this voice speaks and no other does."""
        active = self.active
        alone = active & (active.sum(axis=2, keepdims=True) == 1)
        return alone.mean(axis=1)


class DifferentHearings(Exception):
    """Parts of one recording were listened to in different ways."""


def join_voices(parts: Sequence[Voices]) -> Voices:
    """All windows of several parts, in order of time. Raises DifferentHearings."""
    parts = [part for part in parts if len(part.windows)] or parts[:1]
    if len({part.hearing for part in parts}) != 1:
        raise DifferentHearings
    windows = np.concatenate([part.windows for part in parts])
    # A plan that changed while it was carried out may have left a window in two parts.
    _, order = np.unique(windows, return_index=True)
    return Voices(
        parts[0].hearing,
        windows[order],
        np.concatenate([part.scores for part in parts])[order],
        np.concatenate([part.prints for part in parts])[order],
    )
