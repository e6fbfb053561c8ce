"""The tool `search`: passages that match words or a question, each with its place."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints

from gateway.api.fields import Moment
from gateway.api.models import Kind
from gateway.tools.asking import Asker
from gateway.tools.shapes import NOT_INSTRUCTIONS, Locator, Source, one_line, place_of_passage, quoted
from gateway.tools.tool import NO_NUL, Arguments, Name, Tool, Words

_DESCRIPTION = """Search everything that was said or written in the user's recordings, documents and conversations.

Returns passages, best first, each with its title, the second (or page) where it lies, who speaks, and a link that \
opens it there. Use it to find and quote passages yourself; use `ask` for a finished answer with citations, and \
`get_transcript` to read on around a passage. Recognised speech contains errors: try other words when nothing fits."""


class SearchArguments(Arguments):
    query: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000, pattern=NO_NUL)] = (
        Field(description='Words or a whole question; "quoted words" must appear exactly so')
    )
    mode: Literal["hybrid", "lexical", "semantic", "phrase"] = Field(
        default="hybrid",
        description="hybrid: words and meaning; lexical: words; semantic: meaning; phrase: the exact words in order",
    )
    recording_ids: list[Name] | None = Field(
        default=None, min_length=1, max_length=20, description="Only in these, by id or short id"
    )
    collection_id: UUID | None = Field(default=None, description="Only in this collection")
    kind: Kind | None = Field(default=None, description="Only in recordings, documents or conversations")
    speaker: Words | None = Field(default=None, description="Only what this speaker said, by name or label")
    tag: Words | None = Field(default=None, description="Only what carries this tag")
    recorded_after: Moment | None = Field(default=None, description="ISO 8601; without a zone in UTC")
    recorded_before: Moment | None = Field(default=None, description="ISO 8601; without a zone in UTC")
    limit: int = Field(default=10, ge=1, le=50, description="Most passages to return")
    offset: int = Field(default=0, ge=0, le=900, description="Passages to skip: next_offset of the page before")


class Passage(BaseModel):
    """One passage that was found; `score` is 0 to 1 within this search."""

    chunk_id: UUID
    asset: Source
    text: str
    locator: Locator
    url: str = Field(description="Opens the source at this place")
    score: float


class Passages(BaseModel):
    """One page of passages, best first."""

    query: str
    items: list[Passage]
    suggestion: str | None = Field(default=None, description="The query in another spelling, where a word is unknown")
    next_offset: int | None = Field(default=None, description="The offset of the next page; null on the last")


class _Answer(BaseModel):
    """What the embedder says, as far as it is handed on."""

    items: list[Passage]
    suggestion: str | None = None
    has_more: bool


async def search(asker: Asker, wanted: SearchArguments) -> Passages:
    """Raises ApiError: 404 for what the user may not see, 422, or 503 when the embedder is away."""
    assets = await asker.assets(wanted.recording_ids)
    query = wanted.model_dump(exclude={"query", "recording_ids"}).items()
    answer = await asker.read(
        _Answer,
        "embedder",
        "/api/search",
        [("q", wanted.query), *query, *(("asset_id", asset_id) for asset_id in assets or ())],
    )
    return Passages(
        query=wanted.query,
        items=[item.model_copy(update={"url": asker.link(item.url)}) for item in answer.items],
        suggestion=answer.suggestion,
        next_offset=wanted.offset + wanted.limit if answer.has_more else None,
    )


def in_words(found: Passages) -> str:
    suggested = [f"Did you mean: {one_line(found.suggestion)}"] if found.suggestion else []
    if not found.items:
        return "\n".join(["Nothing was found. Try other words, or fewer filters.", *suggested])
    passages = [
        f"{number}. {place_of_passage(item.asset.title, item.locator)}\n   {item.url}\n{quoted(item.text)}"
        for number, item in enumerate(found.items, 1)
    ]
    more = [f"There is more: call again with offset {found.next_offset}."] if found.next_offset else []
    return "\n\n".join([NOT_INSTRUCTIONS, *passages, *suggested, *more])


TOOL = Tool("search", "Search recordings", _DESCRIPTION, SearchArguments, Passages, search, in_words)
