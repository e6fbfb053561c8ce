"""Finding voices: windows of a recording through a segmentation model and a voice encoder."""

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
import soundfile as sf  # pyright: ignore[reportMissingTypeStubs]
from numpy.typing import NDArray

from asr.domain.grouping import Groups, Limits
from asr.domain.stretch import Stretch, windows_in
from asr.domain.voices import Floats, Hearing, Voices


class Ears(Protocol):
    """Two models in one process: who of at most a few speaks in a window, and what somebody sounds like."""

    by: str
    rate: int
    window_seconds: float
    step_seconds: float
    frame_seconds: float
    frame_length_seconds: float
    clean_only: bool  # whether a voice is to be known by what it says alone
    grouping: dict[str, Any]

    def scores(self, windows: Floats) -> Floats:
        """Shape (windows, frames, voices) of windows of samples."""
        ...

    def least_frames(self, frames: int) -> int:
        """How many frames of a window a voice must be alone in to be known by them."""
        ...

    def prints(self, windows: Floats, masks: NDArray[np.bool_]) -> Floats:
        """The embedding of what each mask (of frames, one for each window) leaves; NaN where that is too little."""
        ...

    def groups(self, voices: Voices, limits: Limits) -> Groups:
        """As ``asr.domain.grouping.group_voices``."""
        ...


def hearing_with(ears: Ears) -> Hearing:
    return Hearing(
        by=ears.by,
        window_seconds=ears.window_seconds,
        step_seconds=ears.step_seconds,
        frame_seconds=ears.frame_seconds,
        frame_length_seconds=ears.frame_length_seconds,
        **ears.grouping,
    )


def find_voices(ears: Ears, path: str, stretch: Stretch, batch: int) -> Voices:
    """The voices of the windows that belong to the stretch. Raises what reading the file and the models raise."""
    window, step = round(ears.window_seconds * ears.rate), round(ears.step_seconds * ears.rate)
    found: list[Voices] = []
    with sf.SoundFile(path) as sound:
        numbers = windows_in(stretch, total=sound.frames, window=window, step=step, rate=ears.rate)
        for some, samples in _read(sound, numbers, window, step, batch):
            found.append(_listen(ears, some, samples))
    if not found:
        nothing = np.zeros((0, 1, 1), dtype=np.float32)
        return Voices(hearing_with(ears), np.zeros(0, dtype=np.int32), nothing, nothing)
    parts = [(voices.windows, voices.scores, voices.prints) for voices in found]
    windows, scores, prints = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Voices(hearing_with(ears), windows, scores, prints)


def _read(sound: Any, numbers: list[int], window: int, step: int, batch: int) -> Iterator[tuple[list[int], Floats]]:
    """Batches of windows; what reaches past the end is silence."""
    for at in range(0, len(numbers), batch):
        some = numbers[at : at + batch]
        rows: list[Floats] = []
        for number in some:
            sound.seek(min(number * step, sound.frames))
            rows.append(sound.read(window, dtype="float32", fill_value=0.0))
        yield some, np.stack(rows)


def _listen(ears: Ears, numbers: list[int], samples: Floats) -> Voices:
    nothing = np.zeros((0, 0, 0), dtype=np.float32)
    heard = Voices(hearing_with(ears), np.array(numbers, dtype=np.int32), ears.scores(samples), nothing)
    active = heard.active
    alone = active & (active.sum(axis=2, keepdims=True) == 1)
    least = ears.least_frames(active.shape[1])
    # Clean speech tells a voice best; a voice that is never alone is known by what there is.
    known_alone = alone.sum(axis=1, keepdims=True) > least
    masks = np.where(known_alone, alone, active) if ears.clean_only else active
    at, voice = np.nonzero(heard.speaks)
    step = len(numbers)  # no more at once than there are windows, whoever speaks in them
    some = [(at[n : n + step], voice[n : n + step]) for n in range(0, max(1, len(at)), step)]
    prints = np.concatenate([ears.prints(samples[own], masks[own, :, voices]) for own, voices in some])
    every = np.full((*heard.speaks.shape, prints.shape[1]), np.nan, dtype=np.float32)
    every[at, voice] = prints
    return Voices(heard.hearing, heard.windows, heard.scores, every)
