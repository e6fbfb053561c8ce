"""A second opinion on whether anybody speaks, by detectors whose weights come inside their packages."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from asr.providers.whisperx_models import RATE, Sound

Detector = Callable[[Sound], bool]
_ONSET = 0.5


def detector_of(method: str, device: str) -> Detector:
    """``silero`` (inside faster-whisper), ``pyannote`` (inside whisperx), or ``none``, which believes everything."""
    if method == "silero":
        return _silero()
    return _pyannote(device) if method == "pyannote" else lambda _sound: True


def _silero() -> Detector:
    library: Any = import_module("faster_whisper.vad")
    options = library.VadOptions(threshold=_ONSET)
    return lambda sound: bool(library.get_speech_timestamps(sound, options))


def _pyannote(device: str) -> Detector:
    torch: Any = import_module("torch")
    whisperx_vads: Any = import_module("whisperx.vads")
    model = whisperx_vads.Pyannote(torch.device(device), vad_onset=_ONSET, vad_offset=0.363)

    def hears_speech(sound: Sound) -> bool:
        scores = model({"waveform": torch.from_numpy(sound)[None], "sample_rate": RATE})
        return bool(scores.data.max() >= _ONSET)

    return hears_speech
