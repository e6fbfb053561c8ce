"""Search for people: one page of passages with highlights and the second to open them at."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import UUID

from common.errors import invalid
from common.identity import CurrentCaller
from fastapi import APIRouter, Depends, Query, Request

from embedder.api.models import (
    AssetBrief,
    Kind,
    LanguageCode,
    QueryText,
    SearchAnswer,
    SearchItem,
    SpeakerName,
    Status,
    Tag,
)
from embedder.api.passages import show
from embedder.api.scope import check_scope
from embedder.domain.ranking import Mode
from embedder.domain.words import language_code
from embedder.queries.scope import Filters
from embedder.searching import MOST_CANDIDATES, Found, Quality, Results, Search, SortBy, Wanted


@dataclass(frozen=True)
class SearchApi:
    """The route of search."""

    search: Search

    def routes(self) -> APIRouter:
        router = APIRouter(tags=["search"])
        router.add_api_route(
            "/api/search",
            self.find,
            methods=["GET"],
            operation_id="search",
            summary="Search what was said",
            response_model=SearchAnswer,
            dependencies=[Depends(only_known)],
        )
        return router

    async def find(
        self,
        caller: CurrentCaller,
        q: Annotated[QueryText, Query(description="Words, a question, or with mode=phrase an exact phrase")],
        mode: Mode = "hybrid",
        collection_id: UUID | None = None,
        asset_id: Annotated[list[UUID] | None, Query(max_length=100)] = None,
        kind: Annotated[list[Kind] | None, Query()] = None,
        speaker: SpeakerName | None = None,
        language: LanguageCode | None = None,
        recorded_after: datetime | None = None,
        recorded_before: datetime | None = None,
        min_duration_seconds: Annotated[float | None, Query(ge=0)] = None,
        max_duration_seconds: Annotated[float | None, Query(ge=0)] = None,
        tag: Annotated[list[Tag] | None, Query(max_length=50, description="All of them")] = None,
        status: Annotated[list[Status] | None, Query(description="One of them")] = None,
        quality: Annotated[Quality, Query(description="How far the vector index looks")] = "balanced",
        sort_by: SortBy = "relevance",
        sort_dir: Literal["asc", "desc"] | None = None,
        group_by: Literal["asset"] | None = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 20,
        offset: Annotated[int, Query(ge=0)] = 0,
    ) -> SearchAnswer:
        if offset + limit > MOST_CANDIDATES:
            raise invalid(
                f"offset + limit is at most {MOST_CANDIDATES}.", advice="Narrow the search with filters instead."
            )
        filters = Filters(
            collection_id=collection_id,
            asset_ids=tuple(asset_id) if asset_id else None,
            kinds=tuple(kind) if kind else None,
            speaker=speaker,
            language=language_code(language) if language else None,
            recorded_after=_aware(recorded_after),
            recorded_before=_aware(recorded_before),
            min_duration_seconds=min_duration_seconds,
            max_duration_seconds=max_duration_seconds,
            tags=tuple(tag) if tag else None,
            statuses=tuple(status) if status else None,
        )
        await check_scope(self.search.db, caller.user_id, filters)
        descending = sort_dir != "asc" if sort_dir else sort_by != "title"
        wanted = Wanted(
            q,
            mode,
            filters,
            limit,
            offset,
            sort_by,
            descending,
            one_per_asset=group_by == "asset",
            quality=quality,
            paged=True,
        )
        results = await self.search.run(caller.user_id, wanted)
        return SearchAnswer(
            query=q,
            mode=mode,
            suggestion=results.spelling.suggestion,
            has_more=results.has_more,
            items=[_item(found, results, mode) for found in results.found],
        )


def only_known(request: Request) -> None:
    """A filter that is misspelt and ignored would widen the search: raises ApiError 422."""
    known = {str(parameter.alias) for parameter in request.scope["route"].dependant.query_params}
    unknown = sorted(set(request.query_params) - known)
    if unknown:
        raise invalid(
            f"{unknown[0][:100]}: search has no such parameter.", advice=f"There are: {', '.join(sorted(known))}."
        )


def _aware(moment: datetime | None) -> datetime | None:
    """A time without a zone is meant in UTC."""
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment


def _item(found: Found, results: Results, mode: Mode) -> SearchItem:
    passage, shown = found.passage, show(found, results, mode)
    return SearchItem(
        chunk_id=passage.id,
        asset=AssetBrief(
            id=passage.asset_id,
            title=passage.title,
            kind=passage.kind,  # type: ignore[arg-type]  # checked by pydantic
            collection_id=passage.collection_id,
        ),
        text=passage.content,
        highlights=shown.highlights,
        locator=shown.locator,
        url=shown.url,
        score=shown.score,
        scores=shown.scores,
        heard_as=shown.heard_as,
    )
