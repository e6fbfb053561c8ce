"""The transcript document: what asr stores, the API answers and the embedder reads."""

from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class Word(_Part):
    """One word as said; ``start`` and ``end`` in seconds from the beginning of the recording."""

    word: str
    start: float
    end: float
    probability: float | None = None


class Speaker(_Part):
    """A voice of one recording; ``label`` until somebody gives it a ``name``."""

    id: str
    label: str
    name: str | None = None
    profile_id: UUID | None = None


class Segment(_Part):
    """A stretch of one speaker's talk; ``speaker`` is a ``Speaker.id``."""

    id: str
    start: float
    end: float
    speaker: str
    text: str
    words: list[Word] | None = None


class Transcript(_Part):
    """Everything that was said; ``complete`` is false while parts are still being recognised."""

    asset_id: UUID
    revision: int = Field(ge=0)
    complete: bool
    language: str
    engine: str
    duration_seconds: float
    warnings: list[str] = []
    speakers: list[Speaker] = []
    segments: list[Segment] = []
