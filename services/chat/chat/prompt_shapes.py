"""What the routes of prompts take and give."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from chat.domain.templates import LONGEST, Purpose
from chat.queries.instruction_rows import PromptRow
from chat.shapes import without_nul

PromptText = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST), AfterValidator(without_nul)]


class PromptWrite(BaseModel):
    """A prompt instead of the built-in one; what its placeholders are is in `GET /api/prompts/{purpose}`."""

    model_config = ConfigDict(extra="forbid")

    text: PromptText = Field(
        examples=["You answer questions about our board meetings.\n\nRules:\n{rules}\n- Answer in two sentences."]
    )


class PromptPlaceholder(BaseModel):
    """A place in a prompt, written `{name}`, that Earshot fills."""

    name: str
    about: str
    required: bool


class PromptDefault(BaseModel):
    """The prompt that is built in."""

    purpose: str
    about: str
    text: str
    placeholders: list[PromptPlaceholder]
    max_length: int = Field(description="Of a text instead of it, in characters")

    @classmethod
    def of(cls, purpose: Purpose) -> Self:
        places = [PromptPlaceholder.model_validate(one, from_attributes=True) for one in purpose.placeholders]
        return cls(
            purpose=purpose.name,
            about=purpose.about,
            text=purpose.default,
            placeholders=places,
            max_length=LONGEST,
        )


class Prompt(PromptDefault):
    """The prompt that is used now."""

    customised: bool = Field(description="False: the built-in one is used")
    version: int = Field(description="Rises with every change; 0: there was none. The value for If-Match")
    problem: str | None = Field(description="Why a customised prompt is not used, after an upgrade of Earshot")
    updated_by: UUID | None
    updated_at: datetime | None


class PromptList(BaseModel):
    items: list[Prompt]
    next_cursor: str | None = None


class PromptVersion(BaseModel):
    """A change of the prompt; ``text`` is null where the built-in one was gone back to."""

    version: int
    text: str | None
    created_by: UUID
    created_at: datetime


class PromptVersionList(BaseModel):
    items: list[PromptVersion]
    next_cursor: str | None


def show_prompt(purpose: Purpose, row: PromptRow | None) -> Prompt:
    builtin = PromptDefault.of(purpose)
    written = row.text if row else None
    problems = purpose.problems(written) if written is not None else []
    return Prompt(
        purpose=purpose.name,
        about=purpose.about,
        text=builtin.text if written is None else written,
        placeholders=builtin.placeholders,
        max_length=builtin.max_length,
        customised=written is not None,
        version=row.version if row else 0,
        problem=" ".join(["The built-in prompt is used instead.", *problems]) if problems else None,
        updated_by=row.updated_by if row else None,
        updated_at=row.updated_at if row else None,
    )
