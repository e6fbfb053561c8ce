"""What search and retrieval take and answer."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from embedder.domain.ranking import Mode
from embedder.wanted import Quality

Kind = Literal["recording", "document", "conversation"]
# Lectures and slides are older names of the first two.
Source = Literal["recordings", "documents", "conversations", "lectures", "slides"]
QueryText = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]
# Postgres holds no NUL, and nobody means one.
_PRINTABLE = r"^[^\x00]*$"
SpeakerName = Annotated[str, StringConstraints(max_length=200, pattern=_PRINTABLE)]
LanguageCode = Annotated[str, StringConstraints(max_length=20, pattern=_PRINTABLE)]
Tag = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=_PRINTABLE)]
Status = Literal["pending", "processing", "ready", "failed", "cancelled"]
Offsets = Annotated[list[int], Field(min_length=2, max_length=2)]


class Scores(BaseModel):
    """Raw scores of each leg: BM25, cosine, phrase rank, how much of the query the title or address holds, what the
    reranker said; null where a leg took no part."""

    lexical: float | None = None
    semantic: float | None = None
    phrase: float | None = None
    title: float | None = None
    rerank: float | None = None


class HeardAs(BaseModel):
    """A word of the query that was met by a near one: as it was asked, and as the passage has it."""

    word: str
    text: str


class AssetBrief(BaseModel):
    id: UUID
    title: str
    kind: Kind
    collection_id: UUID


class SearchItem(BaseModel):
    """A passage; ``highlights`` are [from, to) in code points of ``text``, ``score`` is 0 to 1 within this search."""

    chunk_id: UUID
    asset: AssetBrief
    text: str
    highlights: list[Offsets]
    locator: dict[str, Any]
    url: str
    score: float
    scores: Scores
    heard_as: list[HeardAs] = Field(default_factory=list[HeardAs])


class SearchAnswer(BaseModel):
    """``suggestion``: the query in another spelling, where nothing that its asker may read holds one of its words."""

    query: str
    mode: Mode
    suggestion: str | None = None
    has_more: bool
    items: list[SearchItem]


class RetrievalFilters(BaseModel):
    """What narrows a retrieval; an unknown name is an error, because a filter that is ignored widens."""

    model_config = ConfigDict(extra="forbid")

    asset_ids: list[UUID] | None = Field(default=None, max_length=1000)
    speaker: SpeakerName | None = None
    language: LanguageCode | None = None
    tags: list[Tag] | None = Field(default=None, max_length=50, description="All of them")
    statuses: list[Status] | None = Field(default=None, max_length=10, description="One of them")
    recorded_after: AwareDatetime | None = None
    recorded_before: AwareDatetime | None = None
    min_duration_seconds: float | None = Field(default=None, ge=0)
    max_duration_seconds: float | None = Field(default=None, ge=0)


class RetrievalQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    query: QueryText
    top_k: int = Field(default=10, ge=1, le=200)
    mode: Mode = "hybrid"
    quality: Quality = "balanced"
    collection_id: UUID | None = None
    sources: list[Source] | None = Field(default=None, min_length=1)
    filters: RetrievalFilters = RetrievalFilters()
    window: int = Field(
        default=0, ge=0, le=10, description="Add what was said around: so many chunks before and behind each"
    )
    include_words: bool = Field(default=False, description="Add words and lines with their times to the metadata")


class RetrievedChunk(BaseModel):
    """A passage for a program; ``metadata`` names asset, collection, title, kind, revision, locator, url, scores,
    heard_as, and on request ``words`` [[from, to, start, end]], ``lines`` [[from, to, start, end, speaker]] and
    ``window`` {text, start_seconds, end_seconds, first_chunk_index, last_chunk_index} around the content."""

    chunk_id: UUID
    content: str
    source: Literal["recordings", "documents", "conversations"]
    score: float
    metadata: dict[str, Any]


class RetrievalAnswer(BaseModel):
    """``generations``: the index generation of each collection searched, in the same snapshot."""

    chunks: list[RetrievedChunk]
    generations: dict[UUID, int]


class ChunkView(BaseModel):
    """A chunk as it is stored: ``words`` and ``lines`` as in ``RetrievedChunk``."""

    chunk_id: UUID
    chunk_index: int
    text: str
    locator: dict[str, Any]
    words: list[list[float]]
    lines: list[list[Any]]


class ChunkPage(BaseModel):
    items: list[ChunkView]
    next_cursor: str | None
