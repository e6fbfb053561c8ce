"""What finds voices must offer, and what can go wrong with it."""

from pathlib import Path
from typing import Protocol

from asr.domain.grouping import Groups, Limits
from asr.domain.stretch import Stretch
from asr.domain.voices import Voices


class DiarizerFailed(Exception):
    """Voices cannot be found; ``advice`` where another attempt helps nothing until it is taken."""

    def __init__(self, reason: str, advice: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.advice = advice


class Diarizer(Protocol):
    """Tells the voices of a 16 kHz mono recording apart."""

    @property
    def name(self) -> str: ...

    @property
    def fingerprint(self) -> str:
        """Changes whenever voices it finds cannot be compared with those it found before."""
        ...

    async def find_voices(self, audio: Path, stretch: Stretch) -> Voices:
        """Raises DiarizerFailed."""
        ...

    async def group(self, voices: Voices, limits: Limits) -> Groups:
        """Which of the voices of a whole recording are the same person's. Raises DiarizerFailed."""
        ...

    async def close(self) -> None: ...


async def find_twice(diarizer: Diarizer, audio: Path, stretch: Stretch) -> Voices:
    """A process that broke is started anew once; what fails twice, or has advice, is left for a person to try again."""
    try:
        return await diarizer.find_voices(audio, stretch)
    except DiarizerFailed as error:
        if error.advice is not None:
            raise
    return await diarizer.find_voices(audio, stretch)
