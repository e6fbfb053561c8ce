"""What the tables hold, typed."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from chat.domain.guidance import Guidance

State = Literal["running", "done", "failed", "interrupted", "cancelled"]
Place = Literal["cited", "nearest"]


@dataclass(frozen=True)
class NewAnswer:
    """An answer that is about to be written, by ``guidance``; ``message_id`` when it is one of a session's messages."""

    id: UUID
    user_id: UUID
    question: str
    collection_id: UUID | None
    asset_ids: Sequence[UUID] | None
    model: str
    message_id: UUID | None = None
    guidance: Guidance = field(default_factory=Guidance)


@dataclass(frozen=True)
class AnswerRow:
    """``answer`` is the finished text; while the answer is running or broke off, what has been written of it."""

    id: UUID
    question: str
    collection_id: UUID | None
    model: str
    state: State
    answered: bool
    answer: str
    reason: str | None
    usage: dict[str, Any] | None
    instruction_version: int | None
    instructions: list[dict[str, Any]]
    cached: bool
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True)
class CachedRow:
    """An answer that is done, for somebody else."""

    answered: bool
    answer: str
    reason: str | None


@dataclass(frozen=True)
class CitationRow:
    """``stale``: the asset has a newer revision than the one quoted."""

    answer_id: UUID
    place: Place
    index: int
    asset_id: UUID
    revision: int
    stale: bool
    title: str
    kind: str
    locator: dict[str, Any]
    quote: str
    quote_start_seconds: float | None
    quote_end_seconds: float | None
    url: str
    media_url: str | None


@dataclass(frozen=True)
class EventRow:
    seq: int
    event: str
    data: dict[str, Any]
