"""What the API takes and gives."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from chat.queries.rows import AnswerRow, CitationRow, State


def without_nul(text: str) -> str:
    if "\x00" in text:
        raise ValueError("must not contain the character NUL")
    return text


Question = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=4000),
    AfterValidator(without_nul),
]


class AnswerRequest(BaseModel):
    """A question; without a scope it is asked of everything the caller may read."""

    model_config = ConfigDict(extra="forbid")

    question: Question = Field(examples=["When do we move to the new office?"])
    collection_id: UUID | None = Field(default=None, description="Only from this collection")
    asset_ids: list[UUID] | None = Field(
        default=None, min_length=1, max_length=200, description="Only from these recordings, documents or conversations"
    )
    top_k: int | None = Field(default=None, ge=1, le=40, description="Passages to answer from")
    model: str | None = Field(default=None, max_length=200, description="One of the models offered; default: the first")
    stream: bool = Field(default=False, description="Server-sent events instead of one JSON document")


class Citation(BaseModel):
    """The words an answer rests on; ``[index]`` in its text points here."""

    index: int
    asset_id: UUID
    revision: int
    stale: bool = Field(description="The transcript has been changed since")
    title: str
    kind: str
    locator: dict[str, Any] = Field(description="Where the passage around the quote lies")
    quote: str = Field(description="Verbatim from the passage")
    quote_start_seconds: float | None
    quote_end_seconds: float | None
    url: str
    media_url: str | None = Field(description="Null where there is nothing to play, as of a subtitle file")


class InstructionUsed(BaseModel):
    """A version of a custom instruction; for everything when ``collection_id`` is null."""

    id: UUID
    collection_id: UUID | None
    version: int


class Answer(BaseModel):
    """An answer; where the library does not hold it, ``answered`` is false, and ``reason`` and ``nearest`` say more."""

    id: UUID
    status: State
    question: str
    answered: bool
    answer: str
    citations: list[Citation]
    nearest: list[Citation]
    reason: str | None
    cached: bool = Field(
        description="Written for the same question before, or for somebody who asks it at this moment; without `usage`"
    )
    model: str
    usage: dict[str, int | None] | None
    instruction_version: int | None = Field(
        description="Version of the custom instruction that applied; of two, of that for the collection"
    )
    instructions: list[InstructionUsed] = Field(description="All that applied, the general one first")
    created_at: datetime
    finished_at: datetime | None


def show_answer(answer: AnswerRow, citations: Sequence[CitationRow]) -> Answer:
    def placed(place: str) -> list[Citation]:
        return [_citation(citation) for citation in citations if citation.place == place]

    return Answer(
        id=answer.id,
        status=answer.state,
        question=answer.question,
        answered=answer.answered,
        answer=answer.answer,
        citations=placed("cited"),
        nearest=placed("nearest"),
        reason=answer.reason,
        model=answer.model,
        cached=answer.cached,
        usage=answer.usage,
        instruction_version=answer.instruction_version,
        instructions=[InstructionUsed.model_validate(one) for one in answer.instructions],
        created_at=answer.created_at,
        finished_at=answer.finished_at,
    )


def _citation(row: CitationRow) -> Citation:
    return Citation.model_validate(row, from_attributes=True)
