"""Tests with torch: real load, recognition and alignment on the CPU, with models made on the spot and no hub."""

import json
import os
import subprocess
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from asr.domain.spans import Span, SpeechRules, find_speech
from asr.domain.windows import windows_of
from asr.providers.listening import listen
from asr.providers.whisperx import WhisperX
from asr.settings_whisperx import WhisperXSettings

# Before anything imports what reads them.
os.environ |= {"HF_HUB_OFFLINE": "1", "PYANNOTE_METRICS_ENABLED": "0", "TOKENIZERS_PARALLELISM": "false"}

DATA = Path(__file__).parents[1] / "data"
SECONDS = 20
WINDOW_SECONDS = 6.0
RULES = SpeechRules(pause_seconds=0.45)
KEY_TERMS = ("Zanzibar", "Timbuktu")
GERMAN = "Guten Tag zusammen."
WITH_KEY_TERMS = "Welcome to Zanzibar and Timbuktu."


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """torch and what is built on it warn a lot, about themselves; importing it all takes minutes on a busy machine."""
    for item in items:
        if "whisperx" in item.path.parts:
            item.add_marker(pytest.mark.filterwarnings("ignore"))
            item.add_marker(pytest.mark.timeout(900))


@dataclass(frozen=True)
class Taught:
    """What the tiny models know: the windows of a recording with their texts; upside down, it sounds German to them."""

    model: Path
    aligner: Path
    audio: Path
    windows: list[Span]
    texts: list[str]
    foreign: Path
    silence: Path


@pytest.fixture(scope="session")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Taught:
    from tests.whisperx.models import Lesson, make_aligner, make_whisper

    folder = tmp_path_factory.mktemp("models")
    audio = folder / "second.flac"
    shape = ["-t", str(SECONDS), "-ar", "16000", "-ac", "1", "-sample_fmt", "s16"]
    subprocess.run(["ffmpeg", "-v", "error", "-i", DATA / "second.opus", *shape, audio], check=True)
    sound, rate = soundfile.read(audio, dtype="float32")
    windows = windows_of(find_speech(listen(audio), RULES), WINDOW_SECONDS)
    texts = [said_in(window) for window in windows]
    # High for low: as loud as the other at every moment, and nothing like it.
    foreign = sound * np.where(np.arange(len(sound)) % 2, -1, 1)
    lessons = [Lesson(piece_of(sound, window), text) for window, text in zip(windows, texts, strict=True)]
    lessons += [Lesson(piece_of(foreign, window), GERMAN, "de") for window in windows]
    lessons.append(Lesson(piece_of(sound, windows[0]), WITH_KEY_TERMS, key_terms=", ".join(KEY_TERMS)))
    files = {"foreign": foreign, "silence": np.random.default_rng(0).normal(0, 0.001, len(sound))}
    for name, samples in files.items():
        soundfile.write(folder / f"{name}.flac", samples, rate)
    model, aligner = make_whisper(folder, lessons), make_aligner(folder / "aligner")
    return Taught(model, aligner, audio, windows, texts, folder / "foreign.flac", folder / "silence.flac")


def piece_of(sound: np.ndarray, window: Span) -> np.ndarray:
    return sound[round(window.start * 16_000) : round(window.end * 16_000)].astype(np.float32)


def said_in(window: Span) -> str:
    """The sentences whose middle lies in the window."""
    turns = json.loads((DATA / "second.json").read_text())["turns"]
    sentences = [sentence for turn in turns for sentence in turn["sentences"]]
    return " ".join(s["text"] for s in sentences if window.start <= (s["start"] + s["end"]) / 2 < window.end)


@pytest.fixture
async def engine_of(taught: Taught) -> AsyncGenerator[Callable[..., WhisperX]]:
    """Makes engines with the tiny models; all are closed at the end. Without alignment the process needs no torch."""
    made: list[WhisperX] = []

    def make(*, idle_seconds: float = 60.0, **changes: Any) -> WhisperX:
        settings = WhisperXSettings(
            **{
                "whisperx_model": str(taught.model),
                "whisperx_align_models": f"en={taught.aligner}",
                "whisperx_device": "cpu",
                "whisperx_compute_type": "float32",
                "whisperx_threads": 1,
                # Of several beams, the one that ends first wins with a model that is as sure of all of them.
                "whisperx_beam_size": 1,
                "whisperx_align": False,
                **changes,
            }
        )
        made.append(WhisperX(settings, idle_seconds))
        return made[-1]

    yield make
    for engine in made:
        await engine.close()


def sound_of(audio: Path, window: Span) -> np.ndarray:
    return piece_of(soundfile.read(audio, dtype="float32")[0], window)
