"""WhisperX without its packages: what its process is asked with, and what its failures mean for people."""

from pathlib import Path
from typing import Any

import pytest
from asr.domain.spans import Span
from asr.providers import whisperx
from asr.providers.engine import Wishes
from asr.providers.whisperx import WhisperX, failure
from asr.providers.whisperx_models import fitting, missing
from asr.providers.whisperx_work import told_of
from asr.settings_whisperx import WhisperXSettings
from common.errors import CannotProcess, TryAgain


@pytest.mark.parametrize(
    ("wishes", "prompt", "terms"),
    [
        (Wishes("de"), "House style.", "-"),
        (Wishes("de", ("Kubernetes", "Anna")), "House style.", "Kubernetes, Anna"),
        (Wishes("de", (), "Good day."), "Good day.", "-"),
    ],
)
async def test_a_collections_prompt_takes_the_place_of_the_installations(
    monkeypatch: pytest.MonkeyPatch, wishes: Wishes, prompt: str, terms: str
) -> None:
    monkeypatch.setattr(whisperx, "_MODULE", "tests.unit.asr.asked_process")
    engine = WhisperX(WhisperXSettings(whisperx_initial_prompt="House style."), 60.0)
    heard = [one async for one in engine.recognise(Path("a.flac"), [Span(0, 1)], wishes)]
    await engine.close()
    assert [word.word for word in heard[0].words] == ["de", prompt, terms]


@pytest.mark.parametrize(
    ("prompt", "terms", "kept"), [(10, 0, 10), (400, 0, 223), (10, 200, 10), (400, 200, 23), (400, 223, 0), (5, 900, 0)]
)
def test_prompt_and_terms_leave_whisper_half_of_its_context(prompt: int, terms: int, kept: int) -> None:
    given = list(range(prompt))
    assert fitting(given, terms, 448) == given[prompt - kept :]


class GatedRepoError(OSError):
    """Known by its name, as the hub's own is: its package is not here."""


def behind(first: Exception, then: Exception) -> Exception:
    """``then``, raised while ``first`` was handled: the loader tries what is on disk when the hub refuses."""
    then.__context__ = first
    return then


@pytest.mark.parametrize(
    ("why", "advice"),
    [
        (missing("some/gated", behind(GatedRepoError("403"), OSError("not on disk"))), "huggingface.co/some/gated"),
        (missing("large-v3", OSError("not on disk")), "hf download Systran/faster-whisper-large-v3 --cache-dir /m"),
    ],
)
def test_missing_and_gated_weights_say_what_to_do(why: Any, advice: str) -> None:
    settings = WhisperXSettings(whisperx_model="large-v3", whisperx_model_dir=Path("/m"))
    found = failure(told_of(why), settings)
    assert isinstance(found, CannotProcess)
    assert (found.category, found.retryable) == ("engine_unavailable", True)
    assert advice in found.advice
    assert ("HF_TOKEN" in found.advice) == ("gated" in advice)


def test_too_little_memory_and_slow_loading_say_what_to_do() -> None:
    settings = WhisperXSettings()
    memory = failure({"kind": "memory", "message": "CUDA out of memory"}, settings)
    assert isinstance(memory, CannotProcess)
    assert "ASR_WHISPERX_MODEL" in memory.advice
    loading = failure({"kind": "loading", "message": "still loading"}, settings)
    assert isinstance(loading, TryAgain)
    assert (loading.category, loading.attempts > 3) == ("engine_unavailable", True)
    assert "hf download" in loading.advice
