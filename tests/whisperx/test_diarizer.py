"""Speakers by real models: the built-in ones measured, pyannote's pipelines used part by part, what cannot be had."""

import asyncio
import itertools
import os
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from asr.domain.grouping import Limits, group_voices
from asr.domain.packing import pack, unpack
from asr.domain.spans import Span
from asr.domain.stretch import Stretch
from asr.domain.turns import turns_of
from asr.domain.voices import OWN_GROUPING, Voices, join_voices
from asr.providers.diarizer import DiarizerFailed
from asr.providers.diarizers import ModelDiarizer, choose_diarizer
from asr.providers.voices_builtin import BuiltinVoices
from asr.providers.voices_find import find_voices
from asr.settings import AsrSettings

from tests.whisperx.told import tell_speakers
from tests.whisperx.voices import (
    DATA,
    DEMO,
    SAMPLE,
    annotation,
    error_rate,
    make_pipeline,
    reference,
    whole_file_pipeline,
)

# Before anything imports what reads them.
os.environ |= {"HF_HUB_OFFLINE": "1", "PYANNOTE_METRICS_ENABLED": "0"}
pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.timeout(1800)]
SEAMS = (7.3, 15.2, 24.0)


@pytest.fixture(scope="session")
def ears() -> BuiltinVoices:
    return BuiltinVoices("cpu")


@pytest.fixture
async def diarizer_of() -> AsyncGenerator[Callable[..., ModelDiarizer]]:
    """Makes diarizers as an operator sets them; all are closed at the end."""
    made: list[ModelDiarizer] = []

    def make(**changes: Any) -> ModelDiarizer:
        chosen = choose_diarizer(settings(**changes))
        assert isinstance(chosen, ModelDiarizer)
        made.append(chosen)
        return chosen

    yield make
    for one in made:
        await one.close()


def settings(**changes: Any) -> AsrSettings:
    values = {"database_url": "postgresql://none", "object_store_url": "file:///tmp", "diarizer_device": "cpu"}
    return AsrSettings(**values | changes)


def stretches(seconds: float, seams: tuple[float, ...]) -> list[Stretch]:
    edges = [None, *seams, None]
    return [Stretch(start, end, (Span(start or 0.0, end or seconds),)) for start, end in itertools.pairwise(edges)]


def test_the_sample_is_diarized_within_ten_percent(ears: BuiltinVoices) -> None:
    seconds = soundfile.info(SAMPLE).duration
    voices = find_voices(ears, str(SAMPLE), stretches(seconds, ())[0], 16)
    turns = turns_of(voices, group_voices(voices, Limits()))
    rate = error_rate(reference(), annotation(turns), seconds)
    print(f"diarization error rate of the built-in diarizer on {SAMPLE.name}: {rate:.3f}")
    assert rate <= 0.10


def test_parts_give_the_speakers_of_pyannotes_whole_file_pipeline(ears: BuiltinVoices) -> None:
    seconds = soundfile.info(SAMPLE).duration
    parts = [find_voices(ears, str(SAMPLE), stretch, 16) for stretch in stretches(seconds, SEAMS)]
    assert all(len(part.windows) for part in parts)
    voices = join_voices([unpack(pack(part)) for part in parts])
    turns = turns_of(voices, group_voices(voices, Limits()))
    samples, rate = soundfile.read(SAMPLE, dtype="float32")
    whole = whole_file_pipeline(ears)({"waveform": torch.from_numpy(samples)[None], "sample_rate": rate, "uri": "it"})
    expected = whole.speaker_diarization
    difference = error_rate(expected, annotation(turns), seconds)
    print(f"difference of parts to the whole file, as a diarization error rate: {difference:.4f}")
    assert difference <= 0.005
    assert len({turn.voice for turn in turns}) == len(expected.labels())


@pytest.mark.parametrize("recording", [DATA / "second", DEMO / "meeting"], ids=["second", "meeting"])
async def test_words_are_their_speakers(
    recording: Path, diarizer_of: Callable[..., ModelDiarizer], tmp_path: Path
) -> None:
    diarizer = diarizer_of()
    assert diarizer.name == "builtin"
    told = await tell_speakers(recording.with_suffix(".opus"), diarizer, tmp_path)
    print(f"words with the right speaker in {recording.name}: {told.right_share:.3f}")
    assert told.parts > 1
    assert told.voices == told.people == told.named_after
    assert told.right_share >= 0.95


@pytest.fixture(scope="session")
def noise(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Something to listen to that changes all the time."""
    target = tmp_path_factory.mktemp("noise") / "noise.flac"
    chance = np.random.default_rng(3)
    loud = np.repeat(chance.uniform(0, 0.5, 28), 16_000)
    soundfile.write(target, (loud * chance.normal(size=len(loud)) * 0.3).clip(-1, 1), 16_000)
    return target


@pytest.mark.parametrize("clustering", ["AgglomerativeClustering", "VBxClustering"])
async def test_a_pyannote_pipeline_is_used_part_by_part(
    clustering: str, diarizer_of: Callable[..., ModelDiarizer], noise: Path, tmp_path: Path
) -> None:
    diarizer = diarizer_of(diarizer_model=str(make_pipeline(tmp_path / "pipeline", clustering)))
    assert diarizer.name == "pyannote"
    (whole,) = [await diarizer.find_voices(noise, one) for one in stretches(28.0, ())]
    parts = [await diarizer.find_voices(noise, one) for one in stretches(28.0, (9.0, 18.5))]
    voices = join_voices(parts)
    same(voices, whole)
    assert (voices.hearing.window_seconds, voices.hearing.step_seconds) == (10.0, 1.0)
    assert voices.prints.shape[2] == 256
    assert (voices.hearing.method == OWN_GROUPING) == (clustering == "VBxClustering")
    for limits, most in ((Limits(), 99), (Limits(1, 1), 1)):
        groups = await diarizer.group(voices, limits)
        assert groups.shape == voices.speaks.shape
        assert groups.max() < most
        assert (groups[~voices.speaks] == -1).all()


def same(found: Voices, expected: Voices) -> None:
    np.testing.assert_array_equal(found.windows, expected.windows)
    np.testing.assert_allclose(found.scores, expected.scores, atol=0.01)
    np.testing.assert_array_equal(found.known, expected.known)
    np.testing.assert_allclose(found.prints, expected.prints, atol=0.01, rtol=0.01)


async def test_a_pipeline_that_cannot_be_had_names_the_page(diarizer_of: Callable[..., ModelDiarizer]) -> None:
    diarizer = diarizer_of(diarizer="pyannote", diarizer_model="pyannote/speaker-diarization-3.1")
    with pytest.raises(DiarizerFailed) as failed:
        await diarizer.find_voices(SAMPLE, stretches(30.0, ())[0])
    assert "pyannote/speaker-diarization-3.1" in failed.value.reason
    assert failed.value.advice is not None
    assert "https://hf.co/pyannote/speaker-diarization-3.1" in failed.value.advice


async def test_a_folder_without_a_pipeline_is_told(diarizer_of: Callable[..., ModelDiarizer], tmp_path: Path) -> None:
    diarizer = diarizer_of(diarizer_model=str(tmp_path))
    with pytest.raises(DiarizerFailed) as failed:
        await diarizer.find_voices(SAMPLE, stretches(30.0, ())[0])
    assert failed.value.advice is not None
    assert "ASR_DIARIZER_MODEL" in failed.value.advice


async def test_the_loop_keeps_beating_and_damage_is_reported(
    diarizer_of: Callable[..., ModelDiarizer], tmp_path: Path
) -> None:
    damaged = tmp_path / "damaged.flac"
    damaged.write_bytes(b"no sound")
    diarizer, beats = diarizer_of(), 0
    listening = asyncio.create_task(diarizer.find_voices(damaged, stretches(30.0, ())[0]))
    while not listening.done():
        await asyncio.sleep(0.05)
        beats += 1
    with pytest.raises(DiarizerFailed):
        await listening
    assert beats > 5


async def test_a_killed_process_is_started_again(diarizer_of: Callable[..., ModelDiarizer]) -> None:
    diarizer = diarizer_of()
    first = await diarizer.find_voices(SAMPLE, Stretch(None, 2.0, (Span(0.0, 2.0),)))
    process = diarizer._child.kill()
    assert process is not None
    await process.wait()
    second = await diarizer.find_voices(SAMPLE, Stretch(None, 2.0, (Span(0.0, 2.0),)))
    same(second, first)


def test_a_diarizer_that_is_set_without_its_model_is_refused() -> None:
    with pytest.raises(ValueError, match="ASR_DIARIZER_MODEL"):
        choose_diarizer(settings(diarizer="pyannote"))
    assert choose_diarizer(settings(diarizer="none")) is None
