"""The tool `ask`: a question answered from the library, with the quotes that the answer rests on."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints

from gateway.tools.asking import Asker
from gateway.tools.shapes import NOT_INSTRUCTIONS, Citation, Locator, Source, one_line, place_of_quote, quoted
from gateway.tools.tool import NO_NUL, Arguments, Name, Tool

_DESCRIPTION = """Ask a question and get an answer made from the user's recordings, documents and conversations alone.

The answer carries citations: verbatim quotes with title, second (or page) and a link that opens there; [1] \
in the text points at the citation with index 1. When the library does not hold the answer, `answered` is false and \
`nearest` shows the closest passages: say so instead of guessing. May take up to a few minutes."""


class AskArguments(Arguments):
    question: Annotated[
        str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000, pattern=NO_NUL)
    ] = Field(description="A whole question, understandable by itself: earlier ones are not remembered")
    recording_ids: list[Name] | None = Field(
        default=None, min_length=1, max_length=20, description="Only from these, by id or short id"
    )
    collection_id: UUID | None = Field(default=None, description="Only from this collection")


class AnswerGiven(BaseModel):
    """An answer from the library, or an honest no."""

    id: UUID
    answered: bool
    answer: str
    citations: list[Citation]
    nearest: list[Citation] = Field(description="Where there is no answer: what came closest")
    reason: str | None = Field(default=None, description="Why there is no answer")
    model: str


class _Question(BaseModel):
    question: str
    collection_id: UUID | None
    asset_ids: list[UUID] | None


class _Cited(BaseModel):
    index: int
    asset_id: UUID
    revision: int
    stale: bool
    title: str
    kind: str
    locator: Locator
    quote: str
    quote_start_seconds: float | None = None
    quote_end_seconds: float | None = None
    url: str


class _Answer(BaseModel):
    """What the chat service says, as far as it is handed on."""

    id: UUID
    answered: bool
    answer: str
    citations: list[_Cited]
    nearest: list[_Cited]
    reason: str | None = None
    model: str


async def ask(asker: Asker, wanted: AskArguments) -> AnswerGiven:
    """Raises ApiError: 404 for what the user may not see, 422, or 503 when the chat service is away."""
    question = _Question(
        question=wanted.question,
        collection_id=wanted.collection_id,
        asset_ids=await asker.assets(wanted.recording_ids),
    )
    answer = await asker.post(_Answer, "chat", "/api/answers", question)
    same: dict[str, Any] = answer.model_dump(exclude={"citations", "nearest"})
    return AnswerGiven(
        citations=[_citation(cited, asker) for cited in answer.citations],
        nearest=[_citation(cited, asker) for cited in answer.nearest],
        **same,
    )


def _citation(cited: _Cited, asker: Asker) -> Citation:
    same: dict[str, Any] = cited.model_dump(exclude={"asset_id", "title", "kind", "url"})
    asset = Source(id=cited.asset_id, title=cited.title, kind=cited.kind)
    return Citation(asset=asset, url=asker.link(cited.url), **same)


def in_words(given: AnswerGiven) -> str:
    if not given.answered:
        told = f"Not answered: {given.reason or 'the library does not hold the answer.'}"
        return "\n\n".join([told, *_list("What comes closest:", given.nearest)])
    return "\n\n".join([NOT_INSTRUCTIONS, quoted(given.answer), *_list("Citations:", given.citations)])


def _list(heading: str, citations: list[Citation]) -> list[str]:
    return [heading, *map(_line, citations)] if citations else []


def _line(cited: Citation) -> str:
    stale = " (the transcript has been changed since)" if cited.stale else ""
    return f"[{cited.index}] {place_of_quote(cited)}{stale}\n   {cited.url}\n{quoted(one_line(cited.quote))}"


TOOL = Tool("ask", "Ask a question", _DESCRIPTION, AskArguments, AnswerGiven, ask, in_words)
