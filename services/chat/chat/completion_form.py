"""OpenAI's request of a chat completion: which question it asks, of what, after which conversation."""

from dataclasses import replace
from typing import Annotated, Any, Literal
from uuid import UUID

from common.openai import bad_request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from chat.domain.attachments import MOST_BYTES, Attachment, check_all, decode, read_attachment
from chat.domain.history import Turn
from chat.shapes import AnswerRequest

# Whatever model answers here; every other name is one of those that are offered.
ANY_MODEL = "earshot"
_LONGEST_WISHES = 4000
_File = Annotated[str, Field(max_length=4 * MOST_BYTES // 3 + 100)]
_Text = Annotated[str, Field(max_length=100_000)]


class ImageUrl(BaseModel):
    model_config = ConfigDict(extra="ignore")

    url: _File


class File(BaseModel):
    model_config = ConfigDict(extra="ignore")

    file_data: _File | None = None
    filename: str | None = Field(default=None, max_length=1000)


class Part(BaseModel):
    """A piece of a message: text, an image, or a PDF."""

    model_config = ConfigDict(extra="ignore")

    type: str
    text: _Text = ""
    image_url: ImageUrl | None = None
    file: File | None = None

    def attachment(self, *, earlier: bool) -> Attachment:
        """Raises ApiError 400 for what is none."""
        try:
            return replace(self._read(), earlier=earlier)
        except ValueError as error:
            raise bad_request("messages", f"A part of the type {self.type[:50]!r}: {error}.") from None

    def _read(self) -> Attachment:
        """Raises ValueError."""
        if self.type == "image_url" and self.image_url is not None:
            if not self.image_url.url.startswith("data:"):
                raise ValueError("Earshot fetches no images: send it as a data URL")
            return read_attachment(None, None, decode(self.image_url.url))
        if self.type == "file" and self.file is not None and self.file.file_data is not None:
            return read_attachment(self.file.filename, None, decode(self.file.file_data))
        raise ValueError("Earshot reads text, image_url with a data URL, and file with file_data")


class ChatMessage(BaseModel):
    """``system`` and ``developer`` say how to answer; the last message asks; what is between is the conversation."""

    model_config = ConfigDict(extra="ignore")

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: _Text | Annotated[list[Part], Field(max_length=100)] | None = None

    @property
    def text(self) -> str:
        if self.content is None or isinstance(self.content, str):
            return self.content or ""
        return "\n".join(part.text for part in self.content if part.type == "text")

    def attachments(self, *, earlier: bool) -> list[Attachment]:
        """Raises ApiError 400 for parts that are neither text nor files."""
        parts = self.content if isinstance(self.content, list) else []
        return [part.attachment(earlier=earlier) for part in parts if part.type != "text"]


class StreamOptions(BaseModel):
    model_config = ConfigDict(extra="ignore")

    include_usage: bool = False


class CompletionRequest(BaseModel):
    """OpenAI's parameters; those that say nothing to Earshot are accepted and ignored. The last three are its own."""

    model_config = ConfigDict(extra="ignore")

    messages: list[ChatMessage] = Field(
        min_length=1, max_length=500, examples=[[{"role": "user", "content": "When do we move to the new office?"}]]
    )
    model: str = Field(default=ANY_MODEL, max_length=200, description="`earshot`, or one of the models offered")
    stream: bool = Field(default=False, description="Server-sent events instead of one JSON document")
    stream_options: StreamOptions | None = None
    n: int | None = Field(default=None, description="At most 1")
    tool_choice: Any = Field(default=None, description="Earshot calls no tools: `none` or `auto`")
    response_format: dict[str, Any] | None = Field(default=None, description="Only `text`")
    collection_id: UUID | None = Field(default=None, description="Only from this collection")
    asset_ids: list[UUID] | None = Field(
        default=None, max_length=200, description="Only from these recordings, documents or conversations"
    )
    top_k: int | None = Field(default=None, description="Passages to answer from, 1 to 40")

    def attachments(self, most_bytes: int) -> list[Attachment]:
        """Of all messages, the last one's at the end. Raises ApiError 400."""
        *earlier, last = self.messages
        own = last.attachments(earlier=False)
        try:
            check_all(own, most_bytes)
        except ValueError as error:
            raise bad_request("messages", f"{error}.") from None
        return [*(file for message in earlier for file in message.attachments(earlier=True)), *own]

    def question(self) -> tuple[AnswerRequest, list[Turn], str]:
        """The question with its scope, the conversation before it, and the wishes. Raises ApiError 400."""
        self._check()
        *earlier, last = self.messages
        if last.role != "user":
            raise bad_request("messages", "The last message must be the user's: it is the question.")
        talk = [Turn(m.role, m.text) for m in earlier if m.role in ("user", "assistant") and m.text]
        wishes = "\n".join(m.text for m in earlier if m.role in ("system", "developer"))
        try:
            asked = AnswerRequest(
                question=last.text,
                collection_id=self.collection_id,
                asset_ids=self.asset_ids,
                top_k=self.top_k,
                model=None if self.model == ANY_MODEL else self.model,
            )
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            field = str(first["loc"][0])
            raise bad_request("messages" if field == "question" else field, f"{field}: {first['msg']}.") from None
        return asked, talk, wishes[:_LONGEST_WISHES]

    def _check(self) -> None:
        if self.n not in (None, 1):
            raise bad_request("n", "Earshot gives one answer at a time: leave n out.")
        if self.tool_choice not in (None, "none", "auto"):
            raise bad_request("tool_choice", "Earshot calls no tools: leave tool_choice out.")
        if self.response_format and self.response_format.get("type") != "text":
            raise bad_request("response_format", "Earshot answers in text: leave response_format out.")
