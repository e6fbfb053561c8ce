"""Whose words are whose: the built-in diarizer and pocketsphinx together, on recordings whose speakers are known."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from asr.domain.attribution import attribute
from asr.domain.cut import cut_parts
from asr.domain.grouping import Limits
from asr.domain.spans import SpeechRules, find_speech
from asr.domain.stretch import Stretch
from asr.domain.turns import turns_of
from asr.domain.voices import join_voices
from asr.providers.diarizers import ModelDiarizer
from asr.providers.engine import Wishes
from asr.providers.listening import listen
from asr.providers.pocketsphinx import PocketSphinx

_RULES = SpeechRules(pause_seconds=0.45)


@dataclass(frozen=True)
class Told:
    """``right_share`` of the words, 0 to 1, go to their speaker; voices are named after whom they mostly say."""

    parts: int
    words: int
    right_share: float
    voices: int
    people: int
    named_after: int  # different people whom the voices are named after


async def tell_speakers(recording: Path, diarizer: ModelDiarizer, folder: Path) -> Told:
    """``recording``: an Opus file with its turns beside it in JSON."""
    audio = folder / f"{recording.stem}.flac"
    shape = ["-ar", "16000", "-ac", "1", "-sample_fmt", "s16"]
    subprocess.run(["ffmpeg", "-v", "error", "-i", recording, *shape, audio], check=True)
    utterances = find_speech(listen(audio), _RULES)
    parts = cut_parts(utterances, 60.0, 300.0)
    ends = [*(part.start for part in parts[1:]), None]
    voices = join_voices(
        [
            await diarizer.find_voices(audio, Stretch(part.start if part.index else None, end, part.utterances))
            for part, end in zip(parts, ends, strict=True)
        ]
    )
    turns = turns_of(voices, await diarizer.group(voices, Limits()))
    engine = PocketSphinx(1, 60)
    words = [word async for said in engine.recognise(audio, utterances, Wishes()) for word in said.words]
    await engine.close()
    said_by = json.loads(recording.with_suffix(".json").read_text())["turns"]
    expected = [_speaker(said_by, (word.start + word.end) / 2) for word in words]
    found = attribute(words, turns)
    name = {voice: max(set(expected), key=lambda one: _both(found, expected, voice, one)) for voice in set(found)}
    share = np.mean([name[voice] == who for voice, who in zip(found, expected, strict=True)])
    people = {turn["speaker"] for turn in said_by}
    return Told(len(parts), len(words), float(share), len(name), len(people), len(set(name.values())))


def _speaker(turns: list[dict[str, Any]], at: float) -> str:
    return min(turns, key=lambda turn: max(turn["start"] - at, at - turn["end"], 0.0))["speaker"]


def _both(found: list[str], expected: list[str], voice: str, who: str) -> int:
    return sum(pair == (voice, who) for pair in zip(found, expected, strict=True))
