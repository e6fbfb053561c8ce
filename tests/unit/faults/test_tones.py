"""The recordings of the fault rig say what their transcripts must say, through the service's own ears."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
from asr.domain.cut import cut_parts
from asr.domain.spans import SpeechRules, find_speech
from asr.providers.engine import EngineFailed, Wishes
from asr.providers.listening import listen

from tests.faults import tones


def recorded(tmp_path: Path, number: int, utterances: int) -> Path:
    """As the fetcher keeps it: 16 kHz mono FLAC."""
    (tmp_path / "in.wav").write_bytes(tones.record(number, utterances))
    command = ["ffmpeg", "-v", "error", "-i", str(tmp_path / "in.wav"), "-ar", "16000", "-ac", "1"]
    subprocess.run([*command, str(tmp_path / "out.flac")], check=True, timeout=60)
    return tmp_path / "out.flac"


async def transcribed(audio: Path) -> list[str]:
    spans = find_speech(listen(audio), SpeechRules(pause_seconds=0.45))
    parts = cut_parts(spans, 5, 300)
    engine = tones.Tones()
    return [
        word.word
        for part in parts
        for heard in [h async for h in engine.recognise(audio, part.utterances, Wishes())]
        for word in heard.words
    ]


@pytest.mark.parametrize("number", [0, 12345678, 90909090, 99999999, 11111111])
async def test_a_number_is_heard_as_it_was_said(tmp_path: Path, number: int) -> None:
    audio = recorded(tmp_path, number, 1)
    assert await transcribed(audio) == tones.words_of(number, 1) == [f"call{number:08d}", "alpha"]


async def test_every_utterance_is_found_and_long_recordings_have_several_parts(tmp_path: Path) -> None:
    audio = recorded(tmp_path, 31415926, tones.MOST_UTTERANCES)
    spans = find_speech(listen(audio), SpeechRules(pause_seconds=0.45))
    assert len(spans) == tones.MOST_UTTERANCES
    assert len(cut_parts(spans, 5, 300)) == 3
    assert await transcribed(audio) == tones.words_of(31415926, tones.MOST_UTTERANCES)


def test_silence_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "silence.wav").write_bytes(tones.silence())
    assert find_speech(listen(tmp_path / "silence.wav"), SpeechRules()) == []


def test_noise_is_no_number() -> None:
    with pytest.raises(ValueError, match="no telephone tone"):
        tones.hear(np.random.default_rng(1).normal(0, 0.3, tones.RATE))


async def test_half_a_number_is_refused(tmp_path: Path) -> None:
    audio = recorded(tmp_path, 12345678, 1)
    engine = tones.Tones()
    (span,) = find_speech(listen(audio), SpeechRules(pause_seconds=0.45))
    half = span._replace(end=(span.start + span.end) / 2)
    with pytest.raises(EngineFailed):
        [heard async for heard in engine.recognise(audio, [half], Wishes())]
