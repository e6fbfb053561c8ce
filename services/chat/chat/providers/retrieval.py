"""Asks the embedder for passages, on the user's behalf: what the user may not read does not come back."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

import httpx
from common import tracing
from common.errors import ApiError, unavailable
from common.identity import IDENTITY_HEADER, SERVICE_HEADER, Caller, Signer
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from chat import metrics
from chat.domain.passages import Line, Passage, WordTime

_LONGEST_QUERY = 1000
_KINDS = {"recordings": "recording", "documents": "document", "conversations": "conversation"}


class _Scores(BaseModel):
    lexical: float | None = None
    semantic: float | None = None


class _Metadata(BaseModel):
    model_config = ConfigDict(extra="ignore")

    asset_id: UUID
    collection_id: UUID
    title: str
    kind: str | None = None
    revision: int = 0
    locator: dict[str, Any] = Field(default_factory=dict)
    url: str = ""
    scores: _Scores = _Scores()
    words: list[tuple[int, int, float, float]] = Field(default_factory=list[tuple[int, int, float, float]])
    lines: list[tuple[int, int, float, float, str | None]] = Field(
        default_factory=list[tuple[int, int, float, float, str | None]]
    )


class _Chunk(BaseModel):
    chunk_id: str
    content: str
    source: Literal["recordings", "documents", "conversations"]
    score: float
    metadata: _Metadata


class _Reply(BaseModel):
    chunks: list[_Chunk]
    generations: dict[UUID, int]


@dataclass(frozen=True, slots=True)
class Retrieved:
    """Passages best first, numbered from 1, and of each collection that was searched the generation of its index."""

    passages: list[Passage]
    generations: dict[UUID, int]


class Retrieval:
    """A client of ``POST /api/retrieval/query``."""

    def __init__(self, client: httpx.AsyncClient, signer: Signer) -> None:
        self._client = client
        self._signer = signer

    async def find(
        self,
        caller: Caller,
        query: str,
        top_k: int,
        collection_id: UUID | None = None,
        asset_ids: Sequence[UUID] | None = None,
    ) -> Retrieved:
        """All of one snapshot of the index, as far as the caller may read.

        Raises ApiError 503 when the embedder cannot answer.
        """
        body: dict[str, Any] = {"query": query[:_LONGEST_QUERY], "top_k": top_k, "include_words": True}
        if collection_id is not None:
            body["collection_id"] = str(collection_id)
        if asset_ids is not None:
            body["filters"] = {"asset_ids": [str(asset_id) for asset_id in asset_ids]}
        headers = {
            IDENTITY_HEADER: caller.token,
            SERVICE_HEADER: self._signer.service_token(),
            "traceparent": tracing.current(),
        }
        with metrics.retrieval.time():
            reply = await self._ask(body, headers)
        metrics.passages.observe(len(reply.chunks))
        passages = [_passage(number, chunk) for number, chunk in enumerate(reply.chunks, start=1)]
        return Retrieved(passages, reply.generations)

    async def _ask(self, body: dict[str, Any], headers: dict[str, str]) -> _Reply:
        try:
            response = await self._client.post("/api/retrieval/query", json=body, headers=headers)
        except httpx.HTTPError as error:
            raise unavailable("Search does not answer at the moment.") from error
        if response.status_code >= 400:
            raise _refusal(response)
        try:
            return _Reply.model_validate_json(response.content)
        except ValidationError as error:
            raise unavailable("Search answers what this version does not understand.") from error


def _refusal(response: httpx.Response) -> ApiError:
    """What the embedder finds wrong with the user's request is passed on; anything else is its own trouble."""
    if response.status_code not in (401, 404, 422):
        return unavailable("Search does not answer at the moment.")
    body = response.json()
    return ApiError(response.status_code, str(body["error_type"]), str(body["detail"]), advice=body.get("advice"))


def _passage(number: int, chunk: _Chunk) -> Passage:
    about = chunk.metadata
    return Passage(
        number=number,
        chunk_id=chunk.chunk_id,
        content=chunk.content,
        asset_id=about.asset_id,
        collection_id=about.collection_id,
        title=about.title,
        kind=about.kind or _KINDS[chunk.source],
        revision=about.revision,
        locator=about.locator,
        url=about.url,
        score=chunk.score,
        semantic=about.scores.semantic,
        lexical=about.scores.lexical,
        lines=tuple(Line(*line) for line in about.lines),
        words=tuple(WordTime(*word) for word in about.words),
    )
