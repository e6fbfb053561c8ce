"""What the routes of instructions take and give."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from chat.queries.instruction_rows import ActivationRow, VersionRow
from chat.session_shapes import Title
from chat.shapes import Citation, Question, without_nul

LONGEST_INSTRUCTION = 8000
InstructionText = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=LONGEST_INSTRUCTION),
    AfterValidator(without_nul),
]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class InstructionNew(_Body):
    """How answers are to be written; nothing changes until a version of it is active."""

    text: InstructionText = Field(examples=["Answer in three bullet points. Give sums in euros."])
    name: Title | None = Field(default=None, description="By default made from the text")
    collection_id: UUID | None = Field(default=None, description="For questions to this collection; null: for all")
    activate: bool = Field(default=False, description="Use it from now on, instead of what is active in its place")


class InstructionEdit(_Body):
    """What is given changes; together it is one new version, and the active one stays what it is."""

    text: InstructionText | None = None
    name: Title | None = None
    activate: bool = Field(default=False, description="Use the new version from now on")

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if self.text is None and self.name is None:
            raise ValueError("give text, name or both; to activate a version alone, POST …/versions/{n}/activate")
        return self


class Instruction(BaseModel):
    """The newest version of an instruction, and which of its versions is active, if any."""

    id: UUID
    collection_id: UUID | None = Field(description="Null: for the whole installation")
    name: str
    text: str
    version: int = Field(description="The newest; the value for If-Match")
    active_version: int | None = Field(description="What answers are written by; null: it is not used")
    created_by: UUID
    created_at: datetime
    updated_by: UUID
    updated_at: datetime


class InstructionList(BaseModel):
    items: list[Instruction]
    next_cursor: str | None


class Activation(BaseModel):
    """A time in which the version was active; without an end it is so now."""

    begun_by: UUID
    begun_at: datetime
    ended_by: UUID | None
    ended_at: datetime | None


class InstructionVersion(BaseModel):
    """One text that the instruction had, by whom and when it was written, and when it was active."""

    version: int
    name: str
    text: str
    active: bool
    created_by: UUID
    created_at: datetime
    activations: list[Activation]


class InstructionVersionList(BaseModel):
    items: list[InstructionVersion]
    next_cursor: str | None


class PreviewRequest(_Body):
    """Questions to answer twice: by a draft, and by what is active."""

    questions: list[Question] = Field(min_length=1, max_length=5, examples=[["When do we move to the new office?"]])
    text: InstructionText | None = Field(default=None, description="The draft; it is stored nowhere")
    version: int | None = Field(default=None, ge=1, description="Instead of a text; default: the newest version")
    model: str | None = Field(default=None, max_length=200, description="One of the models offered; default: the first")
    top_k: int | None = Field(default=None, ge=1, le=40, description="Passages to answer from")

    @model_validator(mode="after")
    def _names_one_draft(self) -> Self:
        if self.text is not None and self.version is not None:
            raise ValueError("give either a text or a version, not both")
        return self


class PreviewError(BaseModel):
    """Why there is no answer to this question."""

    error_type: str
    message: str
    advice: str | None


class PreviewAnswer(BaseModel):
    """An answer as `POST /api/answers` would give it, but kept nowhere."""

    answered: bool
    answer: str
    reason: str | None
    citations: list[Citation]
    nearest: list[Citation]
    error: PreviewError | None = None


class PreviewItem(BaseModel):
    question: str
    draft: PreviewAnswer
    active: PreviewAnswer


class Preview(BaseModel):
    """Each question with both answers. Where the model reads no instructions, `note` says so, and they are the same."""

    model: str
    has_effect: bool
    note: str | None
    active_version: int | None = Field(description="Of this instruction; null: it is not used")
    items: list[PreviewItem]


def show_versions(
    rows: Sequence[VersionRow], activations: Sequence[ActivationRow], active: int | None
) -> list[InstructionVersion]:
    return [
        InstructionVersion(
            version=row.version,
            name=row.name,
            text=row.text,
            active=row.version == active,
            created_by=row.created_by,
            created_at=row.created_at,
            activations=[
                Activation.model_validate(one, from_attributes=True)
                for one in activations
                if one.version == row.version
            ],
        )
        for row in rows
    ]
