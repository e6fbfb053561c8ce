"""The recordings whose words and speakers are known, as the fetcher leaves them."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import soundfile
from asr.domain.spans import Span, SpeechRules, find_speech
from asr.providers.listening import listen
from asr.settings import AsrSettings

ROOT = Path(__file__).parents[3]
# Synthetic voices, made of scripts of our own.
RECORDINGS = (ROOT / "demo" / "meeting.opus", ROOT / "tests" / "data" / "second.opus")


@dataclass(frozen=True)
class Recording:
    """``sound``: 16 kHz mono FLAC; ``text``: what is said, as its script has it."""

    name: str
    sound: Path
    seconds: float
    text: str

    def utterances(self, settings: AsrSettings) -> list[Span]:
        return find_speech(listen(self.sound), SpeechRules(pause_seconds=settings.pause_seconds))


def prepare(source: Path, folder: Path) -> Recording:
    """Converts it; its turns stand beside it in JSON."""
    sound = folder / f"{source.stem}.flac"
    shape = ["-ar", "16000", "-ac", "1", "-sample_fmt", "s16"]
    subprocess.run(["ffmpeg", "-v", "error", "-i", source, *shape, sound], check=True)
    told: dict[str, Any] = json.loads(source.with_suffix(".json").read_text())
    text = " ".join(turn["text"] for turn in told["turns"])
    return Recording(source.name, sound, soundfile.info(sound).duration, text)


def default_settings(**changes: Any) -> AsrSettings:
    """What an operator who sets nothing has; nothing is opened."""
    return AsrSettings(database_url="postgresql://nobody@localhost/none", **changes)
