"""Recordings that say a number in telephone tones, and a speech engine that really hears it.

Every utterance of a recording says its number (eight digits) and which utterance it is (one digit), so that a
transcript tells by itself whose it is and whether a part of it is missing, doubled or in the wrong place.
"""

import asyncio
import io
import os
import wave
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

import numpy as np
import soundfile
from asr.domain.spans import Span
from asr.providers.engine import EngineFailed, Recognised, Wishes
from common.transcript import Word
from numpy.typing import NDArray

RATE = 16_000
NUMBER_DIGITS = 8
MOST_UTTERANCES = 8
# One line for each utterance that is recognised, of all workers together: work that was done twice shows there.
HEARD_VARIABLE = "RIG_HEARD"

_ORDINALS = ("alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel")
_KEYS = ("123A", "456B", "789C", "*0#D")
_LOW = (697.0, 770.0, 852.0, 941.0)
_HIGH = (1209.0, 1336.0, 1477.0, 1633.0)
_TONE_SECONDS, _GAP_SECONDS = 0.06, 0.04
# Longer than what ends an utterance.
_PAUSE_SECONDS = 0.85
# Sound of a tone is this much louder than what remains between two.
_QUIET = 0.02
_RECOGNITION_SECONDS = 0.05

Samples = NDArray[np.float64]


def words_of(number: int, utterances: int) -> list[str]:
    """What a transcript of the recording says, in lower case and without punctuation."""
    return [word for at in range(utterances) for word in _words(f"{number:0{NUMBER_DIGITS}d}", at)]


def _words(digits: str, at: int) -> list[str]:
    return [f"call{digits}", _ORDINALS[at]]


def record(number: int, utterances: int = 1) -> bytes:
    """A WAV file, about 1.2 s long and 1.8 s more for each further utterance."""
    silence = np.zeros(round(RATE * _PAUSE_SECONDS))
    pieces: list[Samples] = [silence[: RATE // 5]]
    for at in range(utterances):
        pieces += [_say(f"{number:0{NUMBER_DIGITS}d}{at}"), silence if at + 1 < utterances else silence[: RATE // 10]]
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(RATE)
        sound.writeframes((np.concatenate(pieces) * 32767).astype("<i2").tobytes())
    return file.getvalue()


def silence(seconds: float = 1.0) -> bytes:
    """A WAV file in which nobody says anything."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(RATE)
        sound.writeframes(bytes(2 * round(RATE * seconds)))
    return file.getvalue()


def _say(digits: str) -> Samples:
    gap = np.zeros(round(RATE * _GAP_SECONDS))
    return np.concatenate([piece for digit in digits for piece in (_tone(digit), gap)])


def _tone(key: str) -> Samples:
    row = next(row for row, keys in enumerate(_KEYS) if key in keys)
    at = np.arange(round(RATE * _TONE_SECONDS)) / RATE
    wave_form = np.sin(2 * np.pi * _LOW[row] * at) + np.sin(2 * np.pi * _HIGH[_KEYS[row].index(key)] * at)
    # Soft at both ends, as a click is no speech.
    return 0.3 * np.hanning(len(at)) ** 0.2 * wave_form


def hear(samples: Samples) -> str:
    """The keys in the sound, in order. Raises ValueError when a stretch of sound is no tone."""
    frame = RATE // 200
    framed = samples[: len(samples) // frame * frame].reshape(-1, frame)
    loud = np.abs(framed).max(axis=1) > _QUIET
    edges = np.flatnonzero(np.diff(np.concatenate([[False], loud, [False]])))
    return "".join(_key(samples[first * frame : last * frame]) for first, last in edges.reshape(-1, 2))


def _key(tone: Samples) -> str:
    """Goertzel's question at eight frequencies: which one of the four low ones, which one of the four high ones."""
    if len(tone) < RATE * _TONE_SECONDS / 2:
        raise ValueError(f"a tone of {len(tone)} samples is too short")
    at = np.arange(len(tone)) / RATE
    power = [abs(np.dot(tone, np.exp(-2j * np.pi * frequency * at))) for frequency in (*_LOW, *_HIGH)]
    low, high = int(np.argmax(power[:4])), int(np.argmax(power[4:]))
    if min(power[low], power[4 + high]) < 3 * (sum(power) - power[low] - power[4 + high]) / 6:
        raise ValueError("this sound is no telephone tone")
    return _KEYS[low][high]


class Tones:
    """An engine that knows telephone tones and nothing else; it takes its time but no processor."""

    name = "tones"
    fingerprint = "tones 1"
    window_seconds = 0.0

    def understands(self, language: str) -> bool:
        return language == "en"

    async def find_language(self, audio: Path, utterances: Sequence[Span]) -> str:
        return "en"

    async def recognise(self, audio: Path, utterances: Sequence[Span], wishes: Wishes) -> AsyncGenerator[Recognised]:
        """Raises EngineFailed for a sound that is no number."""
        for utterance in utterances:
            digits = await asyncio.to_thread(self._digits, audio, utterance)
            await asyncio.sleep(_RECOGNITION_SECONDS)
            yield Recognised(utterance, self._timed(digits, utterance))

    def _digits(self, audio: Path, utterance: Span) -> str:
        first, last = round(utterance.start * RATE), round(utterance.end * RATE)
        samples, _ = soundfile.read(str(audio), start=first, stop=last, dtype="float64")
        try:
            digits = hear(samples)
        except ValueError as error:
            raise EngineFailed(str(error)) from error
        if len(digits) != NUMBER_DIGITS + 1:
            raise EngineFailed(f"heard {len(digits)} digits instead of {NUMBER_DIGITS + 1}: {digits}")
        _note(digits)
        return digits

    def _timed(self, digits: str, utterance: Span) -> list[Word]:
        number, position = _words(digits[:-1], int(digits[-1]))
        middle = round((utterance.start + utterance.end) / 2, 2)
        return [
            Word(word=number, start=utterance.start, end=middle, probability=1.0),
            Word(word=position, start=middle, end=utterance.end, probability=1.0),
        ]

    async def close(self) -> None:
        """There is nothing to close."""


def _note(digits: str) -> None:
    path = os.environ.get(HEARD_VARIABLE)
    if path:
        with Path(path).open("a") as file:
            file.write(f"{digits}\n")
