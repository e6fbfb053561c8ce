"""Words: the word error rate and the realtime factor of every engine that can recognise on this machine.

Each goes the whole way of a recording: listen, cut at silences, recognise part by part, join. Beside pocketsphinx
stands its own decoder, given the whole recording in one piece: what cutting costs or gains.
"""

import subprocess
import sys
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from uuid import UUID

import psutil
from asr.domain.accuracy import word_error_rate
from asr.domain.cut import cut_parts
from asr.domain.formats.openai import text_of
from asr.domain.join import Heading, join_parts
from asr.domain.windows import windows_of
from asr.providers import weights
from asr.providers.engine import Engine, Wishes
from asr.providers.pocketsphinx import PocketSphinx
from asr.providers.whisperx import WhisperX
from asr.settings import AsrSettings
from bench.lines import Line
from bench.speech.recordings import RECORDINGS, Recording, default_settings, prepare
from common.transcript import Word

LONGEST_PART_SECONDS = 300.0


@dataclass(frozen=True)
class Recognition:
    """Seconds for each second of sound: ``factor`` by the clock, ``processor_factor`` of processors, children's too."""

    error_rate: float
    factor: float
    processor_factor: float


async def recognise(engine: Engine, recording: Recording, settings: AsrSettings) -> Recognition:
    begun, used = perf_counter(), processor_seconds()
    windows = windows_of(recording.utterances(settings), engine.window_seconds)
    parts: list[list[Word]] = []
    for part in cut_parts(windows, settings.part_seconds, LONGEST_PART_SECONDS):
        async with aclosing(engine.recognise(recording.sound, part.utterances, Wishes())) as heard:
            parts.append([word async for one in heard for word in one.words])
    heading = Heading(UUID(int=1), 1, True, "en", engine.name, recording.seconds, diarize=False, key_terms=())
    said = text_of(join_parts(heading, parts).segments)
    took, used = perf_counter() - begun, processor_seconds() - used
    return Recognition(word_error_rate(recording.text, said), took / recording.seconds, used / recording.seconds)


def processor_seconds() -> float:
    """Of this process and those that it started and that still run: engines keep theirs."""
    us = psutil.Process()
    return sum(times.user + times.system for times in (each.cpu_times() for each in [us, *us.children(recursive=True)]))


def by_the_decoder_alone(recording: Recording) -> Recognition:
    """In a process of its own, because it keeps the interpreter to itself; loading the model is not counted."""
    command = [sys.executable, "-m", "bench.speech.decoder", str(recording.sound)]
    said, *took = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return Recognition(word_error_rate(recording.text, said), *(float(seconds) / recording.seconds for seconds in took))


def engines(settings: AsrSettings) -> tuple[list[Engine], list[Line]]:
    """Those that can recognise here without asking anybody, and a line for each that cannot."""
    here: list[Engine] = [PocketSphinx(1, settings.idle_seconds)]
    if not weights.installed():
        return here, [Line("whisperx: not measured", "not installed: `uv sync --all-packages --extra whisperx`")]
    if not weights.at_hand(settings.whisperx_model, settings.whisperx_model_dir):
        how = weights.how_to_get(settings.whisperx_model, settings.whisperx_model_dir)
        return here, [Line("whisperx: not measured", f"its weights are not here: {how}")]
    return [*here, WhisperX(settings, settings.idle_seconds)], []


async def run() -> list[Line]:
    settings = default_settings()
    able, lines = engines(settings)
    with TemporaryDirectory() as folder:
        recordings = [prepare(source, Path(folder)) for source in RECORDINGS]
        for engine in reversed(able):
            lines = [*await measure(engine, recordings, settings), *lines]
            await engine.close()
    return lines


async def measure(engine: Engine, recordings: Sequence[Recording], settings: AsrSettings) -> list[Line]:
    lines: list[Line] = []
    await _load(engine, recordings[0], settings)
    for recording in recordings:
        ours = await recognise(engine, recording, settings)
        peer = by_the_decoder_alone(recording) if isinstance(engine, PocketSphinx) else None
        lines += _lines(f"{engine.name}, {recording.name}", ours, peer)
    return lines


async def _load(engine: Engine, recording: Recording, settings: AsrSettings) -> None:
    """Models are loaded once for many recordings, so that is not counted."""
    first = recording.utterances(settings)[:1]
    async with aclosing(engine.recognise(recording.sound, first, Wishes())) as heard:
        assert [one async for one in heard]


def _lines(what: str, ours: Recognition, peer: Recognition | None) -> list[Line]:
    error = Line(
        f"{what}: word error rate",
        f"{ours.error_rate:.3f}",
        f"its decoder alone, uncut {peer.error_rate:.3f}" if peer else "",
    )
    return [
        error,
        _per_second("… seconds for each second of sound", ours.factor, peer and peer.factor),
        _per_second("… of processors", ours.processor_factor, peer and peer.processor_factor),
    ]


def _per_second(what: str, ours: float, peer: float | None) -> Line:
    if peer is None:
        return Line(what, f"{ours:.3f}")
    return Line(what, f"{ours:.3f}", f"{peer:.3f}", f"{ours / peer:.2f}")
