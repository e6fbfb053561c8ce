"""What the tables of sessions hold, typed."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from chat.queries.rows import CitationRow, State

Role = Literal["user", "assistant"]
# ``removed``: of the answer nothing is left that its asker may read.
MessageState = State | Literal["removed"]


@dataclass(frozen=True)
class NewSession:
    """``collection_id``: what its questions are asked of, None for everything; ``branched_from``: another session."""

    id: UUID
    user_id: UUID
    collection_id: UUID | None
    title: str | None
    branched_from: UUID | None = None


@dataclass(frozen=True)
class SessionRow:
    id: UUID
    collection_id: UUID | None
    title: str | None
    branched_from: UUID | None
    message_count: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class MessageRow:
    """``reply_to`` and everything from ``run_id`` on belong to answers; ``run_id`` is the answer's own id.

    ``content`` of an answer that is not done is what has been written of it. ``error`` is the data of its last event.
    """

    id: UUID
    session_id: UUID
    position: int
    role: Role
    status: MessageState
    content: str
    attempt: int
    reply_to: UUID | None
    created_at: datetime
    run_id: UUID | None
    answered: bool | None
    reason: str | None
    model: str | None
    usage: dict[str, Any] | None
    instruction_version: int | None
    finished_at: datetime | None
    error: dict[str, Any] | None


@dataclass(frozen=True)
class ChunkRow:
    """A passage that an answer was made from; ``stale``: the asset has a newer revision."""

    answer_id: UUID
    number: int
    chunk_id: str
    asset_id: UUID
    revision: int
    stale: bool
    title: str
    kind: str
    locator: dict[str, Any]
    url: str


@dataclass(frozen=True)
class AttachmentRow:
    """A file that came with a question, in the object store at ``uri``."""

    id: UUID
    message_id: UUID
    session_id: UUID
    name: str
    media_type: str
    size_bytes: int
    sha256: str
    uri: str


@dataclass(frozen=True)
class MadeFrom:
    """What answers cite, and what they were made from, by answer; and by question what came with it."""

    citations: dict[UUID, list[CitationRow]]
    chunks: dict[UUID, list[ChunkRow]]
    attachments: dict[UUID, list[AttachmentRow]]
