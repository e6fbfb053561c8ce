"""What the tables of summaries hold, typed."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

WorkState = Literal["waiting", "running", "done", "failed"]


@dataclass(frozen=True)
class TranscriptRow:
    """Where the newest transcript of a recording lies."""

    asset_id: UUID
    run: int
    revision: int
    title: str
    language: str
    duration_seconds: float
    transcript_uri: str
    transcript_sha256: str


@dataclass(frozen=True)
class WorkRow:
    """``base_version``: the newest version of the summary when the work was asked for, 0 where there was none."""

    id: UUID
    asset_id: UUID
    run: int
    collection_id: UUID
    priority: Literal["interactive", "bulk"]
    revision: int
    model: str
    template: dict[str, Any]
    base_version: int
    user_id: UUID | None
    state: WorkState
    steps_done: int
    steps_total: int
    error: dict[str, Any] | None
    updated_at: datetime

    @property
    def pending(self) -> bool:
        return self.state in ("waiting", "running")


@dataclass(frozen=True)
class NewWork:
    """Work to be done in ``wait_seconds``."""

    id: UUID
    asset_id: UUID
    run: int
    collection_id: UUID
    priority: Literal["interactive", "bulk"]
    revision: int
    model: str
    template: dict[str, Any]
    base_version: int
    user_id: UUID | None
    wait_seconds: float


@dataclass(frozen=True)
class NewSummary:
    """A version that is to be kept; its number is the one behind the newest."""

    asset_id: UUID
    revision: int
    edited: bool
    model: str
    template: str
    language: str
    content: dict[str, Any]
    citations: list[dict[str, Any]]
    dropped: int
    note: str | None
    usage: dict[str, Any] | None
    user_id: UUID | None


@dataclass(frozen=True)
class SummaryRow(NewSummary):
    version: int
    created_at: datetime


@dataclass(frozen=True)
class NodeRow:
    """What a model said, settled: see `domain.findings.Notes`."""

    key: bytes
    notes: dict[str, Any]
    usage: dict[str, Any] | None


@dataclass(frozen=True)
class ChaptersRow:
    asset_id: UUID
    revision: int
    model: str
    chapters: list[dict[str, Any]]


@dataclass(frozen=True)
class WishRow:
    """What a collection wants of its summaries."""

    automatic: bool
    template: dict[str, Any]
