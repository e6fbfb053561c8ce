"""What a summary consists of, and what a collection may ask of its summaries."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints


def _without_nul(text: str) -> str:
    if "\x00" in text:
        raise ValueError("must not contain the character NUL")
    return text


Words = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000), AfterValidator(_without_nul)
]
Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), AfterValidator(_without_nul)
]
Index = Annotated[int, Field(ge=1, le=10_000)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TemplateSection(_Part):
    """A section of its own beside ours: what belongs there, in a sentence."""

    title: Annotated[Name, StringConstraints(max_length=80)]
    instruction: Annotated[Words, StringConstraints(max_length=500)]


class Template(_Part):
    """How summaries are written: further sections, and a wish about all of it. The default is ours."""

    name: Annotated[Name, StringConstraints(max_length=80)] = "default"
    sections: list[TemplateSection] = Field(default_factory=list[TemplateSection], max_length=8)
    instruction: Annotated[str, StringConstraints(max_length=1000), AfterValidator(_without_nul)] = ""


class Statement(_Part):
    """``citations``: indices of the citations that it rests on."""

    text: Words
    citations: list[Index] = Field(default_factory=list[Index], max_length=20)


class ActionItem(Statement):
    """What is to be done; ``who`` and ``when`` only where it was said."""

    who: Name | None = None
    when: Name | None = None


class Topic(_Part):
    """What was said in one chapter; ``start`` and ``end`` in seconds."""

    title: Name
    start: float = Field(ge=0, allow_inf_nan=False)
    end: float = Field(ge=0, allow_inf_nan=False)
    statements: list[Statement] = Field(default_factory=list[Statement], max_length=50)


class SpeakerView(_Part):
    """What one speaker stands for."""

    speaker: Name
    statements: list[Statement] = Field(default_factory=list[Statement], max_length=50)


class Section(_Part):
    """A section that the template asked for."""

    title: Name
    statements: list[Statement] = Field(default_factory=list[Statement], max_length=50)


class Content(_Part):
    """A summary, the bottom line first."""

    bottom_line: list[Statement] = Field(default_factory=list[Statement], max_length=20)
    action_items: list[ActionItem] = Field(default_factory=list[ActionItem], max_length=200)
    decisions: list[Statement] = Field(default_factory=list[Statement], max_length=200)
    topics: list[Topic] = Field(default_factory=list[Topic], max_length=200)
    speakers: list[SpeakerView] = Field(default_factory=list[SpeakerView], max_length=100)
    sections: list[Section] = Field(default_factory=list[Section], max_length=20)

    def cited(self) -> set[int]:
        """Indices of all citations."""
        grouped = [s for group in (*self.topics, *self.speakers, *self.sections) for s in group.statements]
        return {i for s in (*self.bottom_line, *self.action_items, *self.decisions, *grouped) for i in s.citations}
