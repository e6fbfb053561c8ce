"""Search for people: one page of passages with highlights and the second to open them at."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import UUID

from common.errors import invalid
from common.identity import CurrentCaller
from fastapi import APIRouter, Query

from embedder.api.models import AssetBrief, Kind, LanguageCode, QueryText, SearchAnswer, SearchItem, SpeakerName
from embedder.api.passages import show
from embedder.api.scope import check_scope
from embedder.domain.ranking import Mode
from embedder.domain.words import language_code
from embedder.queries.scope import Filters
from embedder.searching import MOST_CANDIDATES, Found, Results, Search, SortBy, Wanted


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
        tag: str | None = None,
        status: str | None = None,
        sort_by: SortBy = "relevance",
        sort_dir: Literal["asc", "desc"] | None = None,
        group_by: Literal["asset"] | None = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 20,
        offset: Annotated[int, Query(ge=0)] = 0,
    ) -> SearchAnswer:
        if tag is not None or status is not None:
            raise invalid("Search cannot filter by tag or status yet.", advice="Filter GET /api/assets instead.")
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
        )
        await check_scope(self.search.db, caller.user_id, filters)
        descending = sort_dir != "asc" if sort_dir else sort_by != "title"
        wanted = Wanted(q, mode, filters, limit, offset, sort_by, descending, one_per_asset=group_by == "asset")
        results = await self.search.run(caller.user_id, wanted)
        return SearchAnswer(
            query=q,
            mode=mode,
            has_more=results.has_more,
            items=[_item(found, results, mode) for found in results.found],
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
    )
