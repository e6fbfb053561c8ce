"""AG-UI's request of a run: which thread it belongs to, what is asked, and how the client wants it answered."""

from typing import Annotated, Any, Literal
from uuid import UUID

from common.errors import ApiError, invalid
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic.alias_generators import to_camel

from chat.session_shapes import MessageNew
from chat.shapes import without_nul

_Name = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(without_nul)]
_Text = Annotated[str, Field(max_length=100_000)]


class _Wire(BaseModel):
    """Camel case, as the protocol writes it; what it does not describe is ignored."""

    model_config = ConfigDict(alias_generator=to_camel, extra="ignore")


class ContentPart(_Wire):
    """A piece of a message; Earshot reads those of the type `text`."""

    type: str
    text: _Text = ""


class ThreadMessage(_Wire):
    """A message as the client remembers it. Of an `activity`, the content is an object."""

    id: str
    role: Literal["developer", "system", "assistant", "user", "tool", "activity", "reasoning"]
    content: _Text | Annotated[list[ContentPart], Field(max_length=100)] | dict[str, Any] | None = None

    @property
    def text(self) -> str:
        """Raises ApiError 422 for what is no text."""
        if isinstance(self.content, list):
            for part in self.content:
                if part.type != "text":
                    raise invalid(f"messages: Earshot reads text only, no part of the type {part.type[:50]!r}.")
            return "\n".join(part.text for part in self.content)
        return self.content if isinstance(self.content, str) else ""


class RunWishes(BaseModel):
    """What `forwardedProps` may say to Earshot; its other members are ignored."""

    model_config = ConfigDict(extra="ignore")

    collection_id: UUID | None = Field(default=None, description="Only from this collection; of a new thread")
    model: str | None = Field(default=None, max_length=200, description="One of the models offered; default: the first")
    top_k: int | None = Field(default=None, ge=1, le=40, description="Passages to answer from")


class RunInput(_Wire):
    """AG-UI 1.0's `RunAgentInput`. `state`, `tools` and `context` are taken and not used."""

    thread_id: _Name = Field(description="A chat session's id, or any name of your own: it stands for one session")
    run_id: _Name = Field(description="A new name for each question; the same one again follows the same answer")
    messages: list[ThreadMessage] = Field(
        min_length=1,
        max_length=10_000,
        description="The last message of the user is the question; the others are ignored: Earshot keeps the history",
        examples=[[{"id": "1", "role": "user", "content": "When do we move to the new office?"}]],
    )
    forwarded_props: Any = Field(default=None, description="An object; `collection_id`, `model` and `top_k` are read")
    protocol_version: str | None = None
    resume: list[Any] | None = Field(default=None, description="Nothing to give here: no run is ever interrupted")

    def wishes(self) -> RunWishes:
        """Raises ApiError 422."""
        given: Any = self.forwarded_props
        try:
            return RunWishes.model_validate(given if isinstance(given, dict) else {})
        except ValidationError as error:
            raise _told(error, "forwardedProps.") from None

    def question(self, wishes: RunWishes) -> MessageNew:
        """Raises ApiError 422."""
        if self.resume:
            raise invalid("resume: no run of Earshot is interrupted.", advice="Leave it out and ask again.")
        asked = next((message for message in reversed(self.messages) if message.role == "user"), None)
        if asked is None:
            raise invalid("messages: there is no message of the user.", advice="The last one is the question.")
        try:
            return MessageNew(content=asked.text, model=wishes.model, top_k=wishes.top_k)
        except ValidationError as error:
            raise _told(error, "messages: ") from None


def _told(error: ValidationError, where: str) -> ApiError:
    first = error.errors(include_url=False)[0]
    return invalid(f"{where}{first['loc'][0]}: {first['msg']}.")
