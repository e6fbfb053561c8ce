"""What every writer of answers offers: a stream of events that ends with done or failed."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from pydantic import SecretStr

from chat.domain.evidence import Candidate
from chat.domain.passages import Passage
from chat.domain.prompt import Prompt
from chat.domain.question import Question
from chat.domain.spans import Span


@dataclass(frozen=True, slots=True)
class Text:
    """The next piece of the answer; may hold ``[n]`` markers, cut anywhere.

    ``verbatim``: words of the library, without markers.
    """

    text: str
    verbatim: bool = False


@dataclass(frozen=True, slots=True)
class Quote:
    """A citation that the writer has chosen itself, of what it has just written."""

    span: Span


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the provider counts them, all since the beginning; None when it does not say.

    ``cached_tokens`` of the input were read from the provider's cache of prompts.
    """

    input_tokens: int | None
    output_tokens: int | None
    cached_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Done:
    """The answer is whole, or ends because of its length or a refusal."""

    reason: Literal["stop", "length", "refusal"]


@dataclass(frozen=True, slots=True)
class Failed:
    """The answer breaks off. ``message`` and ``advice`` are for people; ``error_type`` for programs.

    ``in_stream``: the provider had begun its reply, so that its SDK has not tried again.
    """

    error_type: str
    message: str
    advice: str
    in_stream: bool = False


Event = Text | Quote | Usage | Done | Failed


@dataclass(frozen=True, slots=True)
class Request:
    """Everything a writer may need: a model reads ``prompt``, the extractive writer ``candidates``.

    ``selected``: the scope holds more passages than these, which were picked because they come close to the question.
    ``max_tokens`` bound the answer. ``key`` is the asker's own for the provider; without it the installation's is used.
    ``as_json``: the model is to write one JSON object, where its provider can see to that.
    """

    question: Question
    passages: Sequence[Passage]
    candidates: Sequence[Candidate]
    prompt: Prompt
    model: str
    selected: bool = False
    max_tokens: int = 1024
    key: SecretStr | None = None
    as_json: bool = False


class AnswerModel(Protocol):
    """Closing the generator ends the request to the provider, however far it has come."""

    @property
    def name(self) -> str: ...

    def answer(self, request: Request) -> AsyncGenerator[Event]:
        """Text as it comes; the last event is Done or Failed, errors are never raised."""
        ...


@runtime_checkable
class Windowed(Protocol):
    """A provider that can be asked how much its models read and write at once."""

    async def window_tokens(self, model: str) -> int | None:
        """None where it does not say."""
        ...
