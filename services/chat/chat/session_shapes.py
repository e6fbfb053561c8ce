"""What the routes of sessions take and give."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from chat.domain.attachments import MOST, MOST_BYTES, Attachment, decode, read_attachment
from chat.queries.session_rows import AttachmentRow, MadeFrom, MessageRow, MessageState, Role, SessionRow
from chat.shapes import Citation, Question, without_nul

_PREVIEW = 200
Title = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), AfterValidator(without_nul)
]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SessionNew(_Body):
    """A session whose questions are asked of one collection, or of everything the caller may read."""

    collection_id: UUID | None = Field(default=None, description="Only from this collection")
    title: Title | None = Field(default=None, description="By default made from the first question")


class SessionEdit(_Body):
    title: Title


class AttachmentNew(_Body):
    """An image (JPEG, PNG, GIF, WebP) or a PDF, at most 10 MB; known by its first bytes, whatever it is called."""

    name: str | None = Field(default=None, max_length=1000, examples=["whiteboard.jpg"])
    media_type: str | None = Field(default=None, max_length=100, description="Need not be said; if it is, it must fit")
    data: str = Field(max_length=4 * MOST_BYTES // 3 + 100, description="Base64, or a data URL of it")

    def read(self) -> Attachment:
        """Raises ValueError."""
        return read_attachment(self.name, self.media_type, decode(self.data))


class MessageNew(_Body):
    """The next question; what it leaves out is understood from the session."""

    content: Question = Field(examples=["When do we move to the new office?"])
    attachments: list[AttachmentNew] = Field(
        default_factory=list[AttachmentNew],
        max_length=MOST,
        description="For a model that reads images, PDFs: see `vision`, `pdf` of GET /api/models",
    )
    model: str | None = Field(default=None, max_length=200, description="One of the models offered; default: the first")
    top_k: int | None = Field(default=None, ge=1, le=40, description="Passages to answer from")
    stream: bool = Field(default=False, description="Server-sent events instead of one JSON document")


class MessageRetry(_Body):
    model: str | None = Field(default=None, max_length=200, description="One of the models offered; default: the first")
    top_k: int | None = Field(default=None, ge=1, le=40, description="Passages to answer from")
    stream: bool = Field(default=False, description="Server-sent events instead of one JSON document")


class SessionBranch(_Body):
    message_id: UUID = Field(description="The last answer to take along; of a question, what came before it")
    title: Title | None = Field(default=None, description="By default that of the session")


class Chunk(BaseModel):
    """A passage that an answer was made from, cited or not."""

    number: int
    chunk_id: str
    asset_id: UUID
    revision: int
    stale: bool = Field(description="The transcript has been changed since")
    title: str
    kind: str
    locator: dict[str, Any]
    url: str


class MessageError(BaseModel):
    """Why an answer broke off."""

    error_type: str
    message: str
    advice: str | None


class MessageAttachment(BaseModel):
    """A file that came with a question."""

    id: UUID
    name: str
    media_type: str
    size_bytes: int
    url: str = Field(description="Where it can be read by whoever may read the session")

    @classmethod
    def of(cls, row: AttachmentRow) -> Self:
        url = f"/api/chat/sessions/{row.session_id}/attachments/{row.id}"
        return cls(id=row.id, name=row.name, media_type=row.media_type, size_bytes=row.size_bytes, url=url)


class Message(BaseModel):
    """A question (`user`) or its answer (`assistant`), which begins as `running`.

    An answer that was `removed` was made from something that is deleted, or closed to you at the moment: nothing of it
    is shown. Whatever is not `done` or `running` can be retried.
    """

    id: UUID
    session_id: UUID
    role: Role
    status: MessageState
    content: str = Field(description="Every `[n]` points at the citation of that index")
    attachments: list[MessageAttachment] = Field(description="Of a question")
    reply_to: UUID | None = Field(description="The question that an answer answers")
    run_id: UUID | None = Field(description="This attempt at the answer; also an id for GET /api/answers/{answer_id}")
    attempt: int
    answered: bool | None = Field(description="False where the library does not hold the answer: see reason, nearest")
    reason: str | None
    citations: list[Citation]
    nearest: list[Citation]
    chunks: list[Chunk] = Field(description="The passages that the answer was made from")
    error: MessageError | None
    model: str | None
    usage: dict[str, int | None] | None
    instruction_version: int | None = Field(description="Version of the custom instruction that applied to the answer")
    created_at: datetime
    finished_at: datetime | None


class LastMessage(BaseModel):
    """The end of a session, for lists."""

    id: UUID
    role: Role
    status: MessageState
    content: str = Field(description="At most 200 characters")
    created_at: datetime

    @classmethod
    def of(cls, row: MessageRow) -> Self:
        short = row.content if len(row.content) <= _PREVIEW else row.content[: _PREVIEW - 1] + "…"
        return cls(id=row.id, role=row.role, status=row.status, content=short, created_at=row.created_at)


class Session(BaseModel):
    """Questions and answers in a row, yours alone."""

    id: UUID
    collection_id: UUID | None
    title: str | None = Field(description="Null until something is asked")
    branched_from: UUID | None = Field(description="The session that it begins like, while that is there")
    message_count: int
    last_message: LastMessage | None
    created_at: datetime
    updated_at: datetime


class SessionWhole(Session):
    """A session with its latest messages, oldest first."""

    messages: list[Message]
    has_earlier: bool = Field(description="GET …/messages gives those before, too")


class SessionList(BaseModel):
    items: list[Session]
    next_cursor: str | None


class MessageList(BaseModel):
    items: list[Message]
    next_cursor: str | None


def show_session(row: SessionRow, last: MessageRow | None) -> Session:
    return Session(
        id=row.id,
        collection_id=row.collection_id,
        title=row.title,
        branched_from=row.branched_from,
        message_count=row.message_count,
        last_message=LastMessage.of(last) if last else None,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def show_messages(rows: Sequence[MessageRow], made: MadeFrom) -> list[Message]:
    return [show_message(row, made) for row in rows]


def show_message(row: MessageRow, made: MadeFrom) -> Message:
    cited = made.citations.get(row.run_id, []) if row.run_id else []
    used = made.chunks.get(row.run_id, []) if row.run_id else []
    return Message(
        id=row.id,
        session_id=row.session_id,
        role=row.role,
        status=row.status,
        content=row.content,
        attachments=[MessageAttachment.of(one) for one in made.attachments.get(row.id, [])],
        reply_to=row.reply_to,
        run_id=row.run_id,
        attempt=row.attempt,
        answered=row.answered,
        reason=row.reason,
        citations=[Citation.model_validate(one, from_attributes=True) for one in cited if one.place == "cited"],
        nearest=[Citation.model_validate(one, from_attributes=True) for one in cited if one.place == "nearest"],
        chunks=[Chunk.model_validate(one, from_attributes=True) for one in used],
        error=MessageError.model_validate(row.error) if row.error else None,
        model=row.model,
        usage=row.usage,
        instruction_version=row.instruction_version,
        created_at=row.created_at,
        finished_at=row.finished_at,
    )
