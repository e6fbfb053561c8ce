"""Too little memory: the batch is halved, then the numbers are made smaller. Only the shortage itself is made up."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from asr.providers.whisperx import options_of
from asr.providers.whisperx_memory import (
    BATCH_HALVED,
    PRECISION_LOWERED,
    SMALLEST_COMPUTE_TYPE,
    Frugal,
    MemoryShort,
)
from asr.providers.whisperx_models import Heard, Prompt, Sound, Whisper
from asr.settings_whisperx import WhisperXSettings

from tests.whisperx.conftest import Taught, sound_of

SHORT = "CUDA failed with error out of memory"


class Cramped(Whisper):
    """A Whisper on a GPU that holds ``rows`` windows at once in ``compute_type``, and more when they are 8-bit."""

    rows: dict[str, int]

    def recognise(self, features: list[Sound], prompt: Prompt, **more: Any) -> list[Heard]:
        if len(features) > self.rows.get(self.compute_type, 0):
            raise RuntimeError(SHORT)
        return super().recognise(features, prompt, **more)


@pytest.fixture
def frugal(taught: Taught) -> Callable[..., Frugal]:
    options = options_of(
        WhisperXSettings(
            whisperx_model=str(taught.model), whisperx_device="cpu", whisperx_threads=1, whisperx_beam_size=1
        )
    )

    def make(rows: dict[str, int]) -> Frugal:
        def load(compute_type: str) -> Whisper:
            if compute_type not in rows:
                raise RuntimeError(SHORT)
            whisper = Cramped(options, compute_type)
            whisper.rows = rows
            return whisper

        return Frugal(load, "float32", lambda _whisper: 4)

    return make


def features_of(held: Frugal, taught: Taught) -> Sequence[Sound]:
    return [held.whisper.features(sound_of(taught.audio, window)) for window in taught.windows]


def texts(held: Frugal, taught: Taught) -> list[str]:
    return [one.text for one in held.recognise(features_of(held, taught), Prompt("en"), None)]


def test_half_the_batch_and_half_again_until_it_fits(frugal: Callable[..., Frugal], taught: Taught) -> None:
    held = frugal({"float32": 1})
    assert texts(held, taught) == taught.texts
    assert held.batch_size == 1
    assert held.warnings == [BATCH_HALVED]


def test_then_smaller_numbers(frugal: Callable[..., Frugal], taught: Taught) -> None:
    held = frugal({"float32": 0, SMALLEST_COMPUTE_TYPE: 2})
    assert texts(held, taught) == taught.texts
    assert held.whisper.compute_type == SMALLEST_COMPUTE_TYPE
    assert held.warnings == [BATCH_HALVED, PRECISION_LOWERED]


def test_a_model_that_does_not_even_load_is_loaded_smaller(frugal: Callable[..., Frugal], taught: Taught) -> None:
    held = frugal({SMALLEST_COMPUTE_TYPE: 4})
    assert texts(held, taught) == taught.texts
    assert held.warnings == [PRECISION_LOWERED]


def test_then_it_gives_up(frugal: Callable[..., Frugal], taught: Taught) -> None:
    with pytest.raises(MemoryShort):
        frugal({})
    held = frugal({"float32": 0, SMALLEST_COMPUTE_TYPE: 0})
    with pytest.raises(MemoryShort):
        texts(held, taught)
