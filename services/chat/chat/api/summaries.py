"""HTTP in: a recording's summary and chapters, and what a collection wants of its summaries."""

import asyncio
import json
import re
from time import monotonic
from typing import Annotated, Any, Literal
from uuid import UUID

from common.db import Database
from common.errors import ApiError, invalid
from common.identity import AssetEditor, AssetViewer, CollectionOwner, CollectionViewer
from common.once import Once, OnceKey
from fastapi import APIRouter, Header, Query, Request, Response

from chat.chapters import ChapterReading
from chat.domain.chapter_forms import as_podcast, as_vtt
from chat.domain.chaptering import Chapter
from chat.domain.summary import Content
from chat.editing import SummaryEditing, no_summary
from chat.planning import Planning
from chat.queries import reading, summaries
from chat.queries.once import KEYS
from chat.queries.summary_rows import WishRow
from chat.summary_shapes import (
    Chapters,
    Summary,
    SummaryEdit,
    SummaryRequest,
    SummaryWishes,
    show_chapters,
    show_summary,
    show_wishes,
)

VIEWER: dict[str, Any] = {"x-earshot-role": "viewer"}
EDITOR: dict[str, Any] = {"x-earshot-role": "editor"}
OWNER: dict[str, Any] = {"x-earshot-role": "owner"}
_TAG = re.compile(r'^(?:W/)?"?(\d{1,9})"?$')
_TAGS = ["Answers and chat"]
# Below what proxies wait for an answer; whoever waits longer reads again.
_WAIT_SECONDS = 50.0
_LOOK_SECONDS = 0.25
IfMatch = Annotated[str | None, Header(description="The version that the edit is meant for, as its ETag")]
Wait = Annotated[bool, Query(description="Answer when it is written, at the latest after 50 s")]
Version = Annotated[int | None, Query(ge=1, le=2**31 - 1, description="An earlier version; the last 20 are kept")]
Format = Annotated[
    Literal["json", "vtt", "podcast"],
    Query(alias="format", description="WebVTT, or the podcast namespace's JSON chapters"),
]
_FORMS: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {"text/vtt": {"schema": {"type": "string"}}, "application/json+chapters": {}},
        "description": "The chapters",
    }
}


class Summaries:
    """The routes of summaries and chapters."""

    def __init__(self, db: Database, planning: Planning, editing: SummaryEditing, chapters: ChapterReading) -> None:
        self._db = db
        self._planning = planning
        self._editing = editing
        self._chapters = chapters

    def routes(self) -> APIRouter:
        router = APIRouter(prefix="/api", tags=list(_TAGS))
        routes: tuple[tuple[str, str, Any, str, dict[str, Any]], ...] = (
            ("GET", "/assets/{asset_id}/summary", self.read, "Read the summary", VIEWER),
            ("PUT", "/assets/{asset_id}/summary", self.edit, "Edit the summary", EDITOR),
            ("POST", "/assets/{asset_id}/summary", self.write, "Have a summary written", EDITOR),
            ("GET", "/collections/{collection_id}/summaries", self.wishes, "Read what summaries are wanted", VIEWER),
            ("PUT", "/collections/{collection_id}/summaries", self.wish, "Say what summaries are wanted", OWNER),
        )
        for method, path, endpoint, summary, role in routes:
            status = 202 if method == "POST" else 200
            router.add_api_route(
                path, endpoint, methods=[method], summary=summary, openapi_extra=role, status_code=status
            )
        router.add_api_route(
            "/assets/{asset_id}/chapters",
            self.chapters,
            methods=["GET"],
            summary="Read the chapters",
            openapi_extra=VIEWER,
            response_model=Chapters,
            responses=_FORMS,
        )
        return router

    async def read(self, asset_id: UUID, caller: AssetViewer, response: Response, version: Version = None) -> Summary:
        """404 until one was asked for. While one is written, `status` is `running`, and `progress` rises to 1."""
        return await self._show(asset_id, response, version)

    async def edit(
        self, asset_id: UUID, body: SummaryEdit, caller: AssetEditor, response: Response, if_match: IfMatch = None
    ) -> Summary:
        """Another version, by hand. It stays when the transcript is corrected, and shows as `stale` then.

        Needs `If-Match`: what is typed over a summary that somebody else has changed meanwhile is refused with 412.
        """
        content = Content.model_validate(body.model_dump())
        await self._editing.edit(asset_id, caller.user_id, _expected(if_match), content)
        return await self._show(asset_id, response)

    async def write(
        self,
        asset_id: UUID,
        caller: AssetEditor,
        request: Request,
        response: Response,
        body: SummaryRequest | None = None,
        wait: Wait = False,
        once: OnceKey = None,
    ) -> Summary:
        """Begins one, also in the place of one that was edited; 200 when it is there by the time of the answer.

        One that is being written as it is asked for goes on. What a model said of passages that are unchanged is not
        asked again, unless the summary there is tells of the same transcript.
        """
        asked = body or SummaryRequest()
        path = f"/api/assets/{asset_id}/summary"
        creation = Once.of(KEYS, caller.user_id, once, path, asked.model_dump_json())
        await self._planning.ask(asset_id, caller.user_id, asked.model, asked.template, creation)
        if wait:
            await self._wait(asset_id, request)
        shown = await self._show(asset_id, response)
        response.headers["Location"] = path
        response.status_code = 202 if shown.status == "running" else 200
        return shown

    async def chapters(self, asset_id: UUID, caller: AssetViewer, as_format: Format = "json") -> Chapters | Response:
        """Those of the summary's model where there is one, else where the words of the talk change."""
        row, newest = await self._chapters.read(asset_id)
        listed = [Chapter(**one) for one in row.chapters]
        if as_format == "vtt":
            return Response(as_vtt(listed), media_type="text/vtt; charset=utf-8")
        if as_format == "podcast":
            return Response(json.dumps(as_podcast(listed), ensure_ascii=False), media_type="application/json+chapters")
        return show_chapters(row, newest)

    async def wishes(self, collection_id: UUID, caller: CollectionViewer) -> SummaryWishes:
        """Nothing is summarised by itself unless this says so."""
        async with self._db.acquire() as conn:
            return show_wishes(await summaries.read_wish(conn, collection_id))

    async def wish(self, collection_id: UUID, body: SummaryWishes, caller: CollectionOwner) -> SummaryWishes:
        """It holds for recordings that are transcribed from now on, and for every summary that is asked for."""
        async with self._db.transaction() as conn:
            await summaries.save_wish(conn, collection_id, WishRow(body.automatic, body.template.model_dump()))
        return body

    async def _show(self, asset_id: UUID, response: Response, version: int | None = None) -> Summary:
        async with self._db.acquire() as conn:
            transcript = await summaries.read_transcript(conn, asset_id)
            work = await summaries.read_work(conn, asset_id)
            row = await summaries.read_summary(conn, asset_id, version)
            silent = await reading.without_media(conn, [asset_id])
        if row is None and (work is None or version is not None):
            raise no_summary()
        revision = transcript.revision if transcript else 0
        shown = show_summary(asset_id, row, work, revision, playable=asset_id not in silent)
        response.headers["ETag"] = f'"{shown.version}"'
        return shown

    async def _wait(self, asset_id: UUID, request: Request) -> None:
        begun = monotonic()
        while monotonic() - begun < _WAIT_SECONDS and not await request.is_disconnected():
            async with self._db.acquire() as conn:
                work = await summaries.read_work(conn, asset_id)
            if work is None or not work.pending:
                return
            await asyncio.sleep(_LOOK_SECONDS)


def _expected(if_match: str | None) -> int:
    if if_match is None:
        raise ApiError(
            428,
            "precondition_required",
            "If-Match is missing.",
            advice='Send the ETag of the summary that you read, as in If-Match: "3".',
        )
    tag = _TAG.match(if_match.strip())
    if tag is None:
        raise invalid("If-Match: this is no version of a summary.", advice='Send its ETag, as in If-Match: "3".')
    return int(tag.group(1))
