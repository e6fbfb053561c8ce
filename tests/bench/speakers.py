"""How well speakers are told apart, and how fast: part by part beside pyannote.audio's whole-file pipeline.

    PYTHONPATH=tests:. .venv-whisperx/bin/python -m bench.speakers

Both use the built-in models on pyannote's own sample. Needs the extra whisperx, so `make bench` does not run it.
"""

import os
import warnings
from collections.abc import Callable
from itertools import pairwise
from time import perf_counter

import soundfile
import torch
from asr.domain.grouping import Limits, group_voices
from asr.domain.spans import Span
from asr.domain.stretch import Stretch
from asr.domain.turns import turns_of
from asr.domain.voices import join_voices
from asr.providers.voices_builtin import BuiltinVoices
from asr.providers.voices_find import find_voices
from bench.search import show

from tests.whisperx.voices import SAMPLE, Annotation, annotation, error_rate, reference, whole_file_pipeline

_SEAMS = (None, 10.0, 20.0, None)


def by_parts(ears: BuiltinVoices, seconds: float) -> Annotation:
    parts = [Stretch(start, end, (Span(start or 0.0, end or seconds),)) for start, end in pairwise(_SEAMS)]
    voices = join_voices([find_voices(ears, str(SAMPLE), part, 32) for part in parts])
    return annotation(turns_of(voices, group_voices(voices, Limits())))


def whole(ears: BuiltinVoices) -> Annotation:
    samples, rate = soundfile.read(SAMPLE, dtype="float32")
    sound = {"waveform": torch.from_numpy(samples)[None], "sample_rate": rate, "uri": "sample"}
    return whole_file_pipeline(ears)(sound).speaker_diarization


def main() -> None:
    warnings.simplefilter("ignore")
    os.environ["PYANNOTE_METRICS_ENABLED"] = "0"
    ears, seconds = BuiltinVoices("cpu"), soundfile.info(SAMPLE).duration
    ways: dict[str, Callable[[], Annotation]] = {
        "three parts, grouped once": lambda: by_parts(ears, seconds),
        "pyannote.audio, whole file": lambda: whole(ears),
    }
    rows: list[list[str]] = []
    for name, way in ways.items():
        started = perf_counter()
        found = way()
        factor = (perf_counter() - started) / seconds
        rows.append([name, f"{error_rate(reference(), found, seconds):.3f}", f"{factor:.3f}"])
    show(f"Speakers of {SAMPLE.name}, built-in models", ("how", "diarization error", "realtime factor"), rows)


if __name__ == "__main__":
    main()
