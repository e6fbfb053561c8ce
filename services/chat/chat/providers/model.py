"""What every writer of answers offers: a stream of events that ends with done or failed."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from chat.domain.evidence import Candidate
from chat.domain.passages import Passage
from chat.domain.prompt import Prompt
from chat.domain.question import Question
from chat.domain.spans import Span


@dataclass(frozen=True, slots=True)
class Text:
    """The next piece of the answer; may hold ``[n]`` markers, cut anywhere."""

    text: str


@dataclass(frozen=True, slots=True)
class Quote:
    """A citation that the writer has chosen itself, of what it has just written."""

    span: Span


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the provider counts them; None when it does not say."""

    input_tokens: int | None
    output_tokens: int | None


@dataclass(frozen=True, slots=True)
class Done:
    """The answer is whole, or ends because of its length or a refusal."""

    reason: Literal["stop", "length", "refusal"]


@dataclass(frozen=True, slots=True)
class Failed:
    """The answer breaks off. ``message`` and ``advice`` are for people; ``error_type`` for programs."""

    error_type: str
    message: str
    advice: str


Event = Text | Quote | Usage | Done | Failed


@dataclass(frozen=True, slots=True)
class Request:
    """Everything a writer may need: a model reads ``prompt``, the extractive writer ``candidates``.

    ``selected``: the scope holds more passages than these, which were picked because they come close to the question.
    ``as_json``: the model is to write one JSON object, where its provider can see to that. ``most_tokens``: of what
    it writes, in place of the setting.
    """

    question: Question
    passages: Sequence[Passage]
    candidates: Sequence[Candidate]
    prompt: Prompt
    model: str
    selected: bool = False
    as_json: bool = False
    most_tokens: int | None = None


class AnswerModel(Protocol):
    """Closing the generator ends the request to the provider, however far it has come."""

    @property
    def name(self) -> str: ...

    def answer(self, request: Request) -> AsyncGenerator[Event]:
        """Text as it comes; the last event is Done or Failed, errors are never raised."""
        ...


class Windowed(Protocol):
    """A provider that may know how much its models read at once."""

    async def window_tokens(self, model: str) -> int | None:
        """Of prompt and answer together; None where the provider does not say. Errors are never raised."""
        ...
