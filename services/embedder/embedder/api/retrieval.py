"""Retrieval for programs: passages with everything a citation needs, and the generations they were found in."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal
from uuid import UUID

from common.identity import CurrentCaller
from fastapi import APIRouter

from embedder.api.models import RetrievalAnswer, RetrievalQuery, RetrievedChunk, Source
from embedder.api.passages import show
from embedder.api.scope import check_scope
from embedder.domain.words import language_code
from embedder.queries.scope import Filters
from embedder.queries.windows import Neighbour, read_windows
from embedder.searching import Found, Results, Search, Wanted

_KINDS: dict[Source, str] = {
    "recordings": "recording",
    "lectures": "recording",
    "documents": "document",
    "slides": "document",
    "conversations": "conversation",
}
_SOURCES: dict[str, Literal["recordings", "documents", "conversations"]] = {
    "recording": "recordings",
    "document": "documents",
    "conversation": "conversations",
}


@dataclass(frozen=True)
class RetrievalApi:
    """The route of retrieval."""

    search: Search

    def routes(self) -> APIRouter:
        router = APIRouter(tags=["search"])
        router.add_api_route(
            "/api/retrieval/query",
            self.retrieve,
            methods=["POST"],
            operation_id="retrieve",
            summary="Passages for a question, for programs",
            response_model=RetrievalAnswer,
            openapi_extra={"x-earshot-scope": "read"},
        )
        return router

    async def retrieve(self, caller: CurrentCaller, query: RetrievalQuery) -> RetrievalAnswer:
        filters = _filters(query)
        # Assets that are not readable simply yield nothing: a program may ask about a list it was given long ago.
        await check_scope(self.search.db, caller.user_id, replace(filters, asset_ids=None))
        wanted = Wanted(query.query, query.mode, filters, query.top_k, quality=query.quality)
        results = await self.search.run(caller.user_id, wanted)
        windows = await self._windows(caller.user_id, query, filters, results)
        return RetrievalAnswer(
            chunks=[_chunk(found, results, query, windows) for found in results.found],
            generations=results.generations,
        )

    async def _windows(
        self, user_id: UUID, query: RetrievalQuery, filters: Filters, results: Results
    ) -> dict[int, list[Neighbour]]:
        """By the number of the chunk found; empty where none are asked for."""
        around: defaultdict[int, list[Neighbour]] = defaultdict(list)
        if query.window and results.found:
            numbers = [found.passage.number for found in results.found]
            async with self.search.db.acquire() as conn:
                for neighbour in await read_windows(conn, user_id, filters, numbers, query.window):
                    around[neighbour.around].append(neighbour)
        return around


def _filters(query: RetrievalQuery) -> Filters:
    asked = query.filters
    return Filters(
        collection_id=query.collection_id,
        asset_ids=None if asked.asset_ids is None else tuple(asked.asset_ids),
        kinds=tuple({_KINDS[source] for source in query.sources}) if query.sources else None,
        speaker=asked.speaker,
        language=language_code(asked.language) if asked.language else None,
        recorded_after=asked.recorded_after,
        recorded_before=asked.recorded_before,
        min_duration_seconds=asked.min_duration_seconds,
        max_duration_seconds=asked.max_duration_seconds,
        tags=tuple(asked.tags) if asked.tags else None,
        statuses=tuple(asked.statuses) if asked.statuses else None,
    )


def _window(chunks: Sequence[Neighbour]) -> dict[str, Any]:
    return {
        "text": " ".join(chunk.content for chunk in chunks),
        "start_seconds": chunks[0].locator.get("start_seconds"),
        "end_seconds": chunks[-1].locator.get("end_seconds"),
        "first_chunk_index": chunks[0].chunk_index,
        "last_chunk_index": chunks[-1].chunk_index,
    }


def _chunk(
    found: Found, results: Results, query: RetrievalQuery, windows: Mapping[int, Sequence[Neighbour]]
) -> RetrievedChunk:
    passage, shown = found.passage, show(found, results, query.mode)
    metadata: dict[str, Any] = {
        "asset_id": passage.asset_id,
        "collection_id": passage.collection_id,
        "title": passage.title,
        "kind": passage.kind,
        "revision": passage.revision,
        "language": passage.language,
        "chunk_index": passage.chunk_index,
        "locator": shown.locator,
        "url": shown.url,
        "highlights": shown.highlights,
        "scores": shown.scores.model_dump(),
        "heard_as": [heard.model_dump() for heard in shown.heard_as],
    }
    if query.include_words:
        metadata |= {"words": json.loads(passage.words), "lines": json.loads(passage.lines)}
    # What was corrected between the two looks has no window any more.
    if around := windows.get(passage.number):
        metadata |= {"window": _window(around)}
    return RetrievedChunk(
        chunk_id=passage.id,
        content=passage.content,
        source=_SOURCES[passage.kind],
        score=shown.score,
        metadata=metadata,
    )
