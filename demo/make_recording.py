"""Speaks a written meeting with flite and writes the recording beside its script, with the time of every sentence.

    python demo/make_recording.py demo/meeting.txt [--questions demo/questions.json]

Needs `flite` and `ffmpeg`. The same text gives the same samples: flite draws no random numbers and the encoder is
told to leave out dates and versions.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import tempfile
import wave
from pathlib import Path
from typing import Any

RATE = 16_000
BYTES_PER_SAMPLE = 2
LEAD_SECONDS = 0.5
SENTENCE_PAUSE_SECONDS = 0.4
TURN_PAUSE_SECONDS = 0.9
QUIET = 200  # samples below this at the ends of a sentence are flite's own silence
TURN = re.compile(r"(?P<speaker>\w+) \((?P<voice>\w+)\): (?P<text>.+)")


def read_turns(script: Path) -> list[dict[str, str]]:
    """Turns as written: speaker, voice and text; blank lines and lines starting with # are skipped."""
    lines = [line.strip() for line in script.read_text(encoding="utf-8").splitlines()]
    matches = [TURN.fullmatch(line) for line in lines if line and not line.startswith("#")]
    if None in matches:
        raise SystemExit(f"{script}: a line is not 'Speaker (voice): text'")
    return [match.groupdict() for match in matches if match]


def split_sentences(text: str) -> list[str]:
    return re.split(r"(?<=[.?!]) ", text)


def speak(voice: str, text: str) -> bytes:
    """16 kHz mono 16-bit samples of one sentence, without the silence around it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sentence.wav"
        subprocess.run(["flite", "-voice", voice, "-t", text, "-o", str(path)], check=True)
        with wave.open(str(path)) as sound:
            if (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) != (RATE, 1, BYTES_PER_SAMPLE):
                raise SystemExit(f"the voice {voice} does not speak 16 kHz mono")
            return trim(sound.readframes(sound.getnframes()))


def trim(samples: bytes) -> bytes:
    """Leaves 50 ms around the first and last sample that can be heard."""
    values = memoryview(samples).cast("h")
    loud = [at for at, value in enumerate(values) if abs(value) > QUIET]
    margin = RATE // 20
    first, last = max(0, loud[0] - margin), min(len(values), loud[-1] + margin)
    return samples[first * BYTES_PER_SAMPLE : last * BYTES_PER_SAMPLE]


def silence(seconds: float) -> bytes:
    return bytes(round(seconds * RATE) * BYTES_PER_SAMPLE)


def perform(turns: list[dict[str, str]]) -> tuple[bytes, list[dict[str, Any]]]:
    """The whole recording and its reference: turns and sentences with their start and end in seconds."""
    sound = bytearray(silence(LEAD_SECONDS))
    reference: list[dict[str, Any]] = []
    for turn in turns:
        sentences: list[dict[str, Any]] = []
        for text in split_sentences(turn["text"]):
            sound += silence(SENTENCE_PAUSE_SECONDS) if sentences else b""
            start = seconds_in(sound)
            sound += speak(turn["voice"], text)
            sentences.append({"text": text, "start": start, "end": seconds_in(sound)})
        reference.append(
            {
                "speaker": turn["speaker"],
                "text": turn["text"],
                "start": sentences[0]["start"],
                "end": sentences[-1]["end"],
                "sentences": sentences,
            }
        )
        sound += silence(TURN_PAUSE_SECONDS)
    return bytes(sound), reference


def seconds_in(sound: bytearray) -> float:
    return round(len(sound) / BYTES_PER_SAMPLE / RATE, 3)


def encode(sound: bytes, target: Path) -> None:
    """Compact Opus in Ogg; raw samples go in by a pipe."""
    source = ["-f", "s16le", "-ar", str(RATE), "-ac", "1", "-i", "pipe:0"]
    exact = ["-map_metadata", "-1", "-fflags", "+bitexact", "-flags:a", "+bitexact"]
    opus = ["-c:a", "libopus", "-b:a", "32k", "-application", "audio"]
    command = ["ffmpeg", "-v", "error", "-y", *source, *opus, *exact, str(target)]
    subprocess.run(command, input=sound, check=True)


def locate_answers(questions: Path, reference: list[dict[str, Any]]) -> None:
    """Writes into the questions where in the recording the answering sentences stand."""
    times = {sentence["text"]: sentence for turn in reference for sentence in turn["sentences"]}
    content = json.loads(questions.read_text(encoding="utf-8"))
    for question in content["questions"]:
        answer = [times[text] for text in question["sentences"]]
        question["start"] = answer[0]["start"] if answer else None
        question["end"] = answer[-1]["end"] if answer else None
    write_json(questions, content)


def write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("script", type=Path)
    arguments.add_argument("--title", default=None)
    arguments.add_argument("--questions", type=Path, default=None)
    given = arguments.parse_args()
    sound, reference = perform(read_turns(given.script))
    target = given.script.with_suffix(".opus")
    encode(sound, target)
    content = {
        "title": given.title or given.script.stem.capitalize(),
        "audio": target.name,
        "language": "en",
        "key_terms": sorted({turn["speaker"] for turn in reference}),
        "duration_seconds": seconds_in(bytearray(sound)),
        "turns": reference,
    }
    write_json(given.script.with_suffix(".json"), content)
    if given.questions:
        locate_answers(given.questions, reference)


if __name__ == "__main__":
    main()
