"""An asset's chunks as they are stored, for debugging."""

import json
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from common.db import Database
from common.errors import invalid
from common.identity import AssetViewer
from fastapi import APIRouter, Query

from embedder.api.models import ChunkPage, ChunkView
from embedder.queries import chunks
from embedder.queries.chunks import ChunkRow


@dataclass(frozen=True)
class ChunksApi:
    """The route of an asset's chunks."""

    db: Database

    def routes(self) -> APIRouter:
        router = APIRouter(tags=["search"])
        router.add_api_route(
            "/api/assets/{asset_id}/chunks",
            self.list_chunks,
            methods=["GET"],
            operation_id="list_asset_chunks",
            summary="The passages an asset is indexed by",
            response_model=ChunkPage,
            openapi_extra={"x-earshot-role": "viewer"},
        )
        return router

    async def list_chunks(
        self,
        _caller: AssetViewer,
        asset_id: UUID,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
        cursor: Annotated[str | None, Query(max_length=20)] = None,
    ) -> ChunkPage:
        async with self.db.acquire() as conn:
            rows = await chunks.list_chunks(conn, asset_id, _after(cursor), limit + 1)
        more = len(rows) > limit
        shown = rows[:limit]
        return ChunkPage(items=[_view(row) for row in shown], next_cursor=str(shown[-1].chunk_index) if more else None)


def _after(cursor: str | None) -> int:
    if cursor is None:
        return -1
    if not cursor.isdecimal() or int(cursor) > 2**31 - 1:
        raise invalid("This cursor is not one of ours.", advice="Use the next_cursor of the page before.")
    return int(cursor)


def _view(row: ChunkRow) -> ChunkView:
    return ChunkView(
        chunk_id=row.id,
        chunk_index=row.chunk_index,
        text=row.content,
        locator=row.locator,
        words=json.loads(row.words),
        lines=json.loads(row.lines),
    )
