"""The captions document: what the fetcher makes of a subtitle file, and asr makes a transcript of."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from common.transcript import Speaker, Word

SubtitleFormat = Literal["srt", "vtt", "ttml", "json"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class Cue(_Part):
    """What one voice says from ``start`` to ``end`` (seconds), white space single and nothing of markup left.

    ``word_starts``: where the file times words, one for each word of ``text``; None where it does not. ``words``: all
    of them with both their times, where it is a transcript already.
    """

    start: float
    end: float
    text: str
    speaker: str | None = None
    word_starts: list[float | None] | None = None
    words: list[Word] | None = None


class Captions(_Part):
    """Cues in the order of their beginnings; ``notes`` are lines of ``code: sentence for a person``.

    ``speakers``: of a file that was a transcript; each cue's ``speaker`` is then the id of one of them, else a name.
    ``sound_seconds``: how long the sound lasts that they came with; None where there is none.
    """

    format: SubtitleFormat
    language: str | None = None
    cues: list[Cue] = Field(min_length=1)
    notes: list[str] = []
    speakers: list[Speaker] | None = None
    sound_seconds: float | None = None

    @property
    def duration_seconds(self) -> float:
        return max(self.sound_seconds or 0.0, *(cue.end for cue in self.cues))
