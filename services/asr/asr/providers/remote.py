"""Speech services elsewhere: sound in pieces that they take, patience with those that are busy, errors with advice."""

import asyncio
import io
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import soundfile  # pyright: ignore[reportMissingTypeStubs]
from common.errors import CannotProcess, TryAgain
from common.transcript import Word
from numpy.typing import NDArray

from asr.domain.spans import Span
from asr.domain.timing import TimedWord, in_order, spread
from asr.domain.voices import Turn
from asr.providers.engine import Recognised, Wishes
from asr.providers.languages import WHISPER_LANGUAGES

RATE = 16_000
# The language of a recording whose service does not tell it (ISO 639: undetermined).
UNDETERMINED = "und"
_ATTEMPTS = 3
_LONGEST_PAUSE_SECONDS = 30.0
_SHORTEST_SECONDS = 1.0
_FRAME = RATE // 100
_BUSY = frozenset({408, 409, 425, 429})


class Refused(Exception):
    """The service answered with an error, or (``status`` 0) not at all."""

    def __init__(self, status: int, message: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.retry_after_seconds = retry_after_seconds

    @property
    def passing(self) -> bool:
        return self.status == 0 or self.status in _BUSY or self.status >= 500


@dataclass(frozen=True)
class Answer:
    """What a service made of a piece of sound; times in seconds from its beginning, None where it tells none."""

    words: Sequence[TimedWord]
    turns: Sequence[Turn] = ()
    language: str | None = None


class SpeechService(Protocol):
    """One service; ``most_bytes`` of FLAC is what it takes at once."""

    @property
    def name(self) -> str: ...

    @property
    def fingerprint(self) -> str: ...

    @property
    def most_bytes(self) -> int: ...

    @property
    def key_setting(self) -> str: ...

    async def transcribe(self, sound: bytes, wishes: Wishes) -> Answer:
        """Raises Refused."""
        ...

    async def close(self) -> None: ...


class RemoteEngine:
    """An engine made of a service elsewhere."""

    def __init__(self, service: SpeechService, window_seconds: float) -> None:
        self._service = service
        self.name: str = service.name
        self.window_seconds: float = window_seconds

    @property
    def fingerprint(self) -> str:
        return f"{self._service.fingerprint} window {self.window_seconds:g}"

    def understands(self, language: str) -> bool:
        return language in WHISPER_LANGUAGES

    async def find_language(self, audio: Path, utterances: Sequence[Span]) -> str:
        """What the service takes the first window for. Raises TryAgain, CannotProcess."""
        if not utterances:
            return UNDETERMINED
        sound = await asyncio.to_thread(_read, audio, utterances[0])
        answer = await self._ask(sound[: 30 * RATE], Wishes(UNDETERMINED))
        return answer.language or UNDETERMINED

    async def recognise(self, audio: Path, utterances: Sequence[Span], wishes: Wishes) -> AsyncGenerator[Recognised]:
        """In the order given, each as soon as it is there. Raises TryAgain, CannotProcess.

        Turns are told only where the service heard all of it in one request: it names voices anew in each.
        """
        for utterance in utterances:
            sound = await asyncio.to_thread(_read, audio, utterance)
            words: list[Word] = []
            turns: list[Turn] = []
            requests = 0
            async for start, seconds, answer in self._pieces(sound, wishes):
                requests += 1
                begin = utterance.start + start
                timed = in_order(spread(answer.words, seconds), seconds)
                words += [_word(word, begin) for word in timed if word.word]
                turns += [Turn(begin + max(0.0, t.start), begin + min(t.end, seconds), t.voice) for t in answer.turns]
            at_once = requests == len(utterances) == 1
            yield Recognised(utterance, words, tuple(turns) if at_once else ())

    async def _pieces(self, sound: NDArray[np.int16], wishes: Wishes) -> AsyncGenerator[tuple[float, float, Answer]]:
        """(start, seconds, answer) of the whole, or of both halves where the whole is more than the service takes."""
        encoded = await asyncio.to_thread(_flac, sound)
        if len(encoded) <= self._service.most_bytes:
            try:
                yield 0.0, len(sound) / RATE, await self._ask_patiently(encoded, wishes)
                return
            except Refused as refused:
                if refused.status != 413 or len(sound) < 2 * _SHORTEST_SECONDS * RATE:
                    raise self._failure(refused) from refused
        middle = _quietest_near_the_middle(sound)
        for start, piece in ((0, sound[:middle]), (middle, sound[middle:])):
            async for inner, seconds, answer in self._pieces(piece, wishes):
                yield start / RATE + inner, seconds, answer

    async def _ask(self, sound: NDArray[np.int16], wishes: Wishes) -> Answer:
        try:
            return await self._ask_patiently(await asyncio.to_thread(_flac, sound), wishes)
        except Refused as refused:
            raise self._failure(refused) from refused

    async def _ask_patiently(self, encoded: bytes, wishes: Wishes) -> Answer:
        """A few attempts, as far apart as the service asks. Raises Refused."""
        for attempt in range(1, _ATTEMPTS):
            try:
                return await self._service.transcribe(encoded, wishes)
            except Refused as refused:
                pause = 2.0**attempt if refused.retry_after_seconds is None else refused.retry_after_seconds
                if not refused.passing or pause > _LONGEST_PAUSE_SECONDS:
                    raise
            await asyncio.sleep(pause)
        return await self._service.transcribe(encoded, wishes)

    def _failure(self, refused: Refused) -> TryAgain | CannotProcess:
        """What the refusal means for the recording."""
        name = self.name
        if refused.passing:
            return TryAgain(
                f"The speech service {name} is busy or away: {refused.message}",
                category="engine_unavailable",
                advice="Retry in a while, or ask for another engine.",
            )
        if refused.status in (401, 403):
            message = f"The speech service {name} does not accept this installation's key."
            advice = f"Check {self._service.key_setting} and the account it belongs to, then retry."
        else:
            message = f"The speech service {name} refused the sound ({refused.status}): {refused.message}"
            advice = "Check the model and address that are set for it, or ask for another engine."
        return CannotProcess(message, category="engine_unavailable", advice=advice, retryable=True)

    async def close(self) -> None:
        await self._service.close()


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that ``Retry-After`` asks for; a date counts as unsaid."""
    with suppress(KeyError, ValueError):
        return max(0.0, float(headers["retry-after"]))
    return None


def unreadable(name: str, error: Exception, advice: str) -> CannotProcess:
    """For an answer in no form that is known."""
    message = f"The answer of the speech service {name} cannot be read: {error!r}"
    return CannotProcess(message, category="engine_unavailable", advice=advice, retryable=True)


def _read(path: Path, span: Span) -> NDArray[np.int16]:
    with soundfile.SoundFile(str(path)) as file:
        first, last = round(span.start * RATE), round(span.end * RATE)
        file.seek(min(first, file.frames))
        return file.read(max(0, min(last, file.frames) - first), dtype="int16").astype(np.int16)


def _flac(sound: NDArray[np.int16]) -> bytes:
    encoded = io.BytesIO()
    soundfile.write(encoded, sound, RATE, format="FLAC", subtype="PCM_16")
    return encoded.getvalue()


def _quietest_near_the_middle(sound: NDArray[np.int16]) -> int:
    """A sample in the middle half where a cut hurts least."""
    frames = sound[: len(sound) // _FRAME * _FRAME].reshape(-1, _FRAME).astype(np.float64)
    power = np.convolve((frames**2).mean(axis=1), np.ones(10), "same")
    quarter = len(power) // 4
    return int(quarter + np.argmin(power[quarter : len(power) - quarter])) * _FRAME


def _word(word: TimedWord, begin: float) -> Word:
    start, end = begin + (word.start or 0.0), begin + (word.end or 0.0)
    return Word(word=word.word, start=round(start, 3), end=round(end, 3), probability=word.probability)
