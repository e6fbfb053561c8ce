"""What a speech recogniser must offer, and what can go wrong with one."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from common.errors import TryAgain
from common.transcript import Word

from asr.domain.spans import Span


class EngineFailed(TryAgain):
    """The recogniser broke or does not answer; another attempt, perhaps elsewhere, may do."""

    def __init__(self, message: str) -> None:
        super().__init__(
            message,
            category="engine_unavailable",
            advice="Retry; if it fails again, look at the logs of asr.",
            attempts=3,
        )


@dataclass(frozen=True)
class Recognised:
    """One utterance with its words, timed from the beginning of the recording."""

    utterance: Span
    words: list[Word]


class Engine(Protocol):
    """Turns utterances of a 16 kHz mono recording into words."""

    @property
    def name(self) -> str: ...

    @property
    def fingerprint(self) -> str:
        """Changes whenever the same sound would give other words."""
        ...

    def understands(self, language: str) -> bool:
        """Whether it recognises this language (ISO 639-1)."""
        ...

    def recognise(self, audio: Path, utterances: Sequence[Span]) -> AsyncGenerator[Recognised]:
        """In the order given, each as soon as it is there. Raises EngineFailed."""
        ...

    async def close(self) -> None: ...
