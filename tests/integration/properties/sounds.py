"""Recordings that differ in nothing but their last samples, with the words that the fast ear hears; and subtitles."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from asr.domain.cut import cut_parts
from asr.domain.spans import Span, SpeechRules, find_speech
from asr.handlers.planning import LONGEST_PART_SECONDS
from asr.providers.listening import listen

from tests.integration.properties.engines import make_sound, word_of

PAUSE_SECONDS = 0.3
PART_SECONDS = 5


@dataclass(frozen=True)
class Sound:
    """``words`` in the order in which they are said, in lower case. ``captions``: WebVTT in the place of sound."""

    number: int
    content: bytes
    sha256: str
    words: tuple[str, ...]
    captions: bool = False


class Studio:
    """Makes recordings of one piece of speech by number."""

    def __init__(self, speech: Path, folder: Path) -> None:
        self._speech = speech
        self._path = folder / "sound.flac"
        self._made: dict[int, Sound] = {}
        self._parts: list[float] = []

    def sound(self, number: int) -> Sound:
        if number not in self._made:
            self._made[number] = self._make(number)
        return self._made[number]

    def parts_begin(self, sound: Sound) -> tuple[float, float]:
        """Seconds at which the two parts of a recording begin."""
        if not self._parts:
            self._path.write_bytes(sound.content)
            spans = find_speech(listen(self._path), SpeechRules(pause_seconds=PAUSE_SECONDS))
            self._parts = [part.start for part in cut_parts(spans, PART_SECONDS, LONGEST_PART_SECONDS)]
        first, second = self._parts
        return first, second

    def _make(self, number: int) -> Sound:
        make_sound(self._speech, number, self._path)
        content = self._path.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        utterances = find_speech(listen(self._path), SpeechRules(pause_seconds=PAUSE_SECONDS))
        words = tuple(word_of(digest, utterance, at) for utterance in utterances for at in range(3))
        return Sound(number, content, digest, words)


def subtitles(number: int) -> Sound:
    """Four cues of three words that nobody else says."""
    cues = [Span(4.0 * at, 4.0 * at + 3.0) for at in range(4)]
    words = [[word_of(f"subtitles {number}", cue, at) for at in range(3)] for cue in cues]
    blocks = [
        f"00:00:{cue.start:06.3f} --> 00:00:{cue.end:06.3f}\n{' '.join(said)}\n"
        for cue, said in zip(cues, words, strict=True)
    ]
    content = "\n".join(["WEBVTT\n", *blocks]).encode()
    return Sound(
        number,
        content,
        hashlib.sha256(content).hexdigest(),
        tuple(word for said in words for word in said),
        captions=True,
    )
