"""How well speakers are told apart, and how fast: printed as JSON for ``bench.speech.speakers``, which starts this.

    PYTHONPATH=tests:. .venv-whisperx/bin/python -m bench.speech.voices

The diarization error is that of the built-in models on pyannote's own sample, in three parts, beside pyannote.audio's
whole-file pipeline with the same models; the words are pocketsphinx's. Needs the extra whisperx.
"""

import asyncio
import json
import os
import warnings
from collections.abc import Callable
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import soundfile
import torch
from asr.domain.grouping import Limits, group_voices
from asr.domain.spans import Span
from asr.domain.stretch import Stretch
from asr.domain.turns import turns_of
from asr.domain.voices import join_voices
from asr.providers.diarizers import ModelDiarizer, choose_diarizer
from asr.providers.voices_builtin import BuiltinVoices
from asr.providers.voices_find import find_voices
from bench.lines import Line
from bench.speech.recordings import RECORDINGS, default_settings

from tests.whisperx.told import tell_speakers
from tests.whisperx.voices import SAMPLE, Annotation, annotation, error_rate, reference, whole_file_pipeline

ERROR_GOAL, WORDS_GOAL = 0.10, 0.95
BATCH = 32
_SEAMS = (None, 10.0, 20.0, None)


def by_parts(ears: BuiltinVoices, seconds: float) -> Annotation:
    parts = [Stretch(start, end, (Span(start or 0.0, end or seconds),)) for start, end in pairwise(_SEAMS)]
    voices = join_voices([find_voices(ears, str(SAMPLE), part, BATCH) for part in parts])
    return annotation(turns_of(voices, group_voices(voices, Limits())))


def whole(ears: BuiltinVoices) -> Annotation:
    samples, rate = soundfile.read(SAMPLE, dtype="float32")
    sound = {"waveform": torch.from_numpy(samples)[None], "sample_rate": rate, "uri": "sample"}
    return whole_file_pipeline(ears)(sound).speaker_diarization


def diarization() -> list[Line]:
    ears, seconds = BuiltinVoices("cpu"), soundfile.info(SAMPLE).duration
    by_parts(ears, seconds)  # loads what is loaded late
    ours, our_factor = _measured(lambda: by_parts(ears, seconds), seconds)
    theirs, their_factor = _measured(lambda: whole(ears), seconds)
    return [
        Line(
            f"built-in diarizer, {SAMPLE.name} in three parts: diarization error",
            f"{ours:.3f}",
            f"pyannote.audio, whole file, same models {theirs:.3f}",
            goal=f"≤ {ERROR_GOAL:.2f}",
            met=ours <= ERROR_GOAL,
        ),
        Line(
            "… seconds of work for each second of sound",
            f"{our_factor:.3f}",
            f"{their_factor:.3f}",
            f"{our_factor / their_factor:.2f}",
        ),
    ]


def _measured(find: Callable[[], Annotation], seconds: float) -> tuple[float, float]:
    """Diarization error rate and realtime factor."""
    begun = perf_counter()
    found = find()
    return error_rate(reference(), found, seconds), (perf_counter() - begun) / seconds


async def words() -> list[Line]:
    diarizer = choose_diarizer(default_settings(diarizer="builtin", diarizer_device="cpu"))
    assert isinstance(diarizer, ModelDiarizer)
    lines: list[Line] = []
    with TemporaryDirectory() as folder:
        for recording in RECORDINGS:
            told = await tell_speakers(recording, diarizer, Path(folder))
            lines.append(
                Line(
                    f"words with the right speaker, {recording.name}",
                    f"{told.right_share:.1%} of {told.words}",
                    f"{told.voices} speakers found of {told.people}",
                    goal=f"≥ {WORDS_GOAL:.0%}",
                    met=told.right_share >= WORDS_GOAL and told.voices == told.people,
                )
            )
    await diarizer.close()
    return lines


def main() -> None:
    warnings.simplefilter("ignore")
    os.environ["PYANNOTE_METRICS_ENABLED"] = "0"
    lines = [*diarization(), *asyncio.run(words())]
    print(json.dumps([asdict(line) for line in lines]))


if __name__ == "__main__":
    main()
