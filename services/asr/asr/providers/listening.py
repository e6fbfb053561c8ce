"""Listening to a recording frame by frame: voice activity (WebRTC's detector) and loudness."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf  # pyright: ignore[reportMissingTypeStubs]
import webrtcvad as _webrtcvad  # type: ignore[import-untyped]
from common.errors import CannotProcess
from numpy.typing import NDArray

from asr.domain.spans import Frames

webrtcvad: Any = _webrtcvad

RATE = 16_000
FRAME_SECONDS = 0.03
_FRAME = int(RATE * FRAME_SECONDS)
_BLOCK_FRAMES = 1000
# 0 takes most for speech, 3 least; 2 keeps soft word ends and lets go of hum.
_AGGRESSIVENESS = 2
_FULL_SCALE = 32768.0


def listen(path: Path) -> Frames:
    """Reads a 16 kHz mono file in blocks; about a second per hour of sound. Raises CannotProcess when damaged."""
    detector = webrtcvad.Vad(_AGGRESSIVENESS)
    speech: list[bool] = []
    loudness: list[float] = []
    for block in _blocks(path):
        loudness.extend(_loudness(block))
        sound = block.tobytes()
        speech.extend(detector.is_speech(sound[at : at + 2 * _FRAME], RATE) for at in range(0, len(sound), 2 * _FRAME))
    return Frames(FRAME_SECONDS, speech, loudness)


def _blocks(path: Path) -> Iterator[NDArray[np.int16]]:
    """Samples in whole frames; the last one is filled up with silence."""
    try:
        with sf.SoundFile(str(path)) as sound:
            if (sound.samplerate, sound.channels) != (RATE, 1):
                raise _damaged(f"{sound.samplerate} Hz, {sound.channels} channels instead of {RATE} Hz mono")
            for block in sound.blocks(_FRAME * _BLOCK_FRAMES, dtype="int16"):
                yield np.pad(block.astype(np.int16), (0, -len(block) % _FRAME))
    except sf.LibsndfileError as error:
        raise _damaged(str(error)) from error


def _loudness(block: NDArray[np.int16]) -> list[float]:
    """dBFS of each frame."""
    frames = block.reshape(-1, _FRAME).astype(np.float64) / _FULL_SCALE
    power = np.maximum((frames**2).mean(axis=1), 1e-12)
    return (10 * np.log10(power)).tolist()


def _damaged(reason: str) -> CannotProcess:
    return CannotProcess(
        f"The sound of this recording cannot be read: {reason}",
        category="damaged",
        advice="Retry from the fetch stage; if it fails again, check the recording in a player.",
        retryable=True,
    )
