"""What a speech recogniser must offer, and what can go wrong with one."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from common.errors import TryAgain
from common.transcript import Word

from asr.domain.spans import Span
from asr.domain.voices import Turn


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
class Wishes:
    """What the words of a recording depend on beside its sound: ``language`` is the one chosen or found (ISO 639-1).

    ``initial_prompt``: text in the style that the transcript shall have; empty: the engine's own, if it has one.
    """

    language: str = "en"
    key_terms: tuple[str, ...] = ()
    initial_prompt: str = ""


@dataclass(frozen=True)
class Recognised:
    """One utterance with its words, timed from the beginning of the recording.

    ``turns``: from an engine that tells voices apart itself; its names hold for one call of ``recognise``.
    ``warnings``: what the transcript must say of these words, each as ``code: sentence for a person``.
    """

    utterance: Span
    words: list[Word]
    turns: tuple[Turn, ...] = ()
    warnings: tuple[str, ...] = ()


class Engine(Protocol):
    """Turns utterances of a 16 kHz mono recording into words."""

    @property
    def name(self) -> str: ...

    @property
    def fingerprint(self) -> str:
        """Changes whenever the same sound would give other words."""
        ...

    @property
    def window_seconds(self) -> float:
        """Neighbouring utterances are put together up to this length and given to it in one piece; 0: each alone."""
        ...

    def understands(self, language: str) -> bool:
        """Whether it recognises this language (ISO 639-1)."""
        ...

    async def find_language(self, audio: Path, utterances: Sequence[Span]) -> str:
        """The language that is spoken, for a recording whose owner named none. Raises EngineFailed."""
        ...

    def recognise(self, audio: Path, utterances: Sequence[Span], wishes: Wishes) -> AsyncGenerator[Recognised]:
        """In the order given, each as soon as it is there. Raises EngineFailed."""
        ...

    async def close(self) -> None: ...
