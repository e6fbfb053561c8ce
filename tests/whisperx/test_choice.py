"""Which engine ``auto`` takes where WhisperX is installed, and what its words depend on."""

from pathlib import Path

import pytest
from asr.providers.engines import Engines, installed_engines
from asr.providers.weights import at_hand, repository
from asr.providers.whisperx import WhisperX
from asr.settings import AsrSettings
from asr.settings_whisperx import WhisperXSettings
from faster_whisper.utils import _MODELS


def settings(**changes: object) -> AsrSettings:
    return AsrSettings(database_url="postgresql://a:a@localhost/x", **changes)  # type: ignore[arg-type]


def engine_taken(**changes: object) -> str:
    return Engines("auto", installed_engines(settings(**changes))).choose(None).name


def test_auto_takes_it_where_its_weights_are(tmp_path: Path) -> None:
    assert engine_taken(whisperx_model=str(tmp_path)) == "pocketsphinx"
    (tmp_path / "model.bin").touch()
    assert engine_taken(whisperx_model=str(tmp_path)) == "whisperx"
    cache = tmp_path / "cache"
    assert engine_taken(whisperx_model_dir=cache) == "pocketsphinx"
    assert Engines("auto", installed_engines(settings(whisperx_model_dir=cache))).choose("whisperx").name == "whisperx"
    kept = cache / "models--Systran--faster-whisper-large-v3"
    (kept / "refs").mkdir(parents=True)
    (kept / "refs" / "main").write_text("abc")
    (kept / "snapshots" / "abc").mkdir(parents=True)
    (kept / "snapshots" / "abc" / "model.bin").touch()
    assert engine_taken(whisperx_model_dir=cache) == "whisperx"
    assert at_hand("large-v3", cache)


def test_names_stand_for_the_same_repositories_as_in_faster_whisper() -> None:
    assert {name: repository(name) for name in _MODELS} == _MODELS


def test_what_changes_words_changes_the_fingerprint_and_nothing_else_does() -> None:
    def fingerprint(**changes: object) -> str:
        return WhisperX(WhisperXSettings(**changes), 60.0).fingerprint  # type: ignore[arg-type]

    first = fingerprint()
    assert fingerprint(whisperx_batch_size=2, whisperx_threads=3, whisperx_device_index=1) == first
    for change in ({"whisperx_model": "small"}, {"whisperx_beam_size": 1}, {"whisperx_initial_prompt": "Hm."}):
        assert fingerprint(**change) != first


def test_languages() -> None:
    assert WhisperX(WhisperXSettings(), 60.0).understands("sw")
    english = WhisperX(WhisperXSettings(whisperx_model="small.en"), 60.0)
    assert english.understands("en")
    assert not english.understands("sw")


def test_alignment_models_that_cannot_be_read_are_said_at_start() -> None:
    with pytest.raises(ValueError, match="ASR_WHISPERX_ALIGN_MODELS"):
        WhisperX(WhisperXSettings(whisperx_align_models="/models/wav2vec2"), 60.0)
