"""Media to listeners: the playback copy or the original, whole or by range, streamed from the store."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from common.db import Database
from common.errors import ApiError, not_found
from common.identity import AssetViewer
from common.objects import Kept
from common.store import ObjectMissing, ObjectStore
from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import StreamingResponse

from fetcher import metrics, queries
from fetcher.domain.containers import ORIGINAL, PLAYBACK, PLAYBACK_SUFFIX, PLAYBACK_TYPE, naming_of
from fetcher.domain.ranges import ByteRange, Unsatisfiable, parse_range

_BYTES: dict[str, Any] = {"content": {"audio/mp4": {"schema": {"type": "string", "format": "binary"}}}}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "The whole file", **_BYTES},
    206: {"description": "The range asked for", **_BYTES},
    304: {"description": "The copy that the listener holds is the same"},
    416: {"description": "No byte lies in that range"},
}


@dataclass(frozen=True)
class Copy:
    """One stored copy as it is served."""

    kept: Kept
    media_type: str
    filename: str
    attached: bool

    def headers(self) -> dict[str, str]:
        return {
            "Content-Type": self.media_type,
            "Accept-Ranges": "bytes",
            "ETag": f'"{self.kept.sha256}"',
            # Bytes never change, but who may have them does: ask every time.
            "Cache-Control": "private, no-cache",
            "X-Content-Type-Options": "nosniff",
            "Content-Disposition": f'{"attachment" if self.attached else "inline"}; filename="{self.filename}"',
        }


@dataclass(frozen=True)
class Media:
    """The routes of media."""

    db: Database
    store: ObjectStore

    def routes(self) -> APIRouter:
        router = APIRouter(tags=["media"])
        role = {"x-earshot-role": "viewer"}
        path = "/api/recordings/{asset_id}/media"
        router.add_api_route(
            path,
            self.send,
            methods=["GET"],
            operation_id="get_recording_media",
            summary="Play a recording",
            response_class=StreamingResponse,
            responses=_ANSWERS,
            openapi_extra=role,
        )
        router.add_api_route(
            path,
            self.describe,
            methods=["HEAD"],
            operation_id="head_recording_media",
            summary="Size and type of a recording's media",
            response_class=Response,
            openapi_extra=role,
        )
        return router

    async def send(
        self,
        asset_id: UUID,
        request: Request,
        caller: AssetViewer,
        original: Annotated[bool, Query(description="The file as it was added, where the collection keeps it")] = False,
        range_: Annotated[str | None, Header(alias="Range", description="One range of bytes")] = None,
    ) -> Response:
        """The compact copy for playing (Opus in MP4), or ``original=true`` the file itself. One range at a time."""
        copy = await self._copy(asset_id, original=original)
        headers = copy.headers()
        if request.headers.get("if-none-match") == headers["ETag"]:
            return Response(status_code=304, headers=headers)
        asked = _range(copy, range_, request.headers.get("if-range"))
        span = asked or ByteRange(0, copy.kept.size_bytes)
        headers["Content-Length"] = str(span.length)
        if asked is not None:
            headers["Content-Range"] = asked.content_range(copy.kept.size_bytes)
        body = await self._opened(copy.kept, span)
        return StreamingResponse(body, 206 if asked else 200, headers)

    async def describe(
        self,
        asset_id: UUID,
        caller: AssetViewer,
        original: Annotated[bool, Query()] = False,
    ) -> Response:
        """The same headers as GET, without the bytes."""
        copy = await self._copy(asset_id, original=original)
        return Response(headers=copy.headers() | {"Content-Length": str(copy.kept.size_bytes)})

    async def _copy(self, asset_id: UUID, *, original: bool) -> Copy:
        async with self.db.acquire() as conn:
            row = await queries.recording_of(conn, asset_id)
            kept = (await queries.copies_of(conn, asset_id)).get(ORIGINAL if original else PLAYBACK)
        if row is None:
            raise not_found("There is no media yet.", advice="It is there as soon as the recording has been fetched.")
        if kept is None and "cues" in row.media_facts and not original:
            raise not_found(
                "There is no sound: this was added as a subtitle file.",
                advice="Read its transcript instead, or upload its sound with its id as asset_id.",
            )
        if kept is None:
            raise not_found(
                "The media of this recording is not kept.",
                advice="Collections with keep_media audio or original keep it for recordings added from then on.",
            )
        if not original:
            return Copy(kept, PLAYBACK_TYPE, f"{asset_id}{PLAYBACK_SUFFIX}", attached=False)
        name = naming_of(str(row.media_facts.get("container")), has_video="video_codec" in row.media_facts)
        return Copy(kept, name.media_type, f"{asset_id}{name.suffix}", attached=True)

    async def _opened(self, kept: Kept, span: ByteRange) -> AsyncIterator[bytes]:
        """The stream, begun: what is wrong with the store shows before the first header is sent."""
        chunks = _counted(self.store, kept.uri, span)
        try:
            first = await anext(chunks, b"")
        except ObjectMissing as error:
            raise not_found("The media is being removed.") from error
        return _from(first, chunks)


def _range(copy: Copy, header: str | None, if_range: str | None) -> ByteRange | None:
    if if_range is not None and if_range != f'"{copy.kept.sha256}"':
        return None
    try:
        return parse_range(header, copy.kept.size_bytes)
    except Unsatisfiable as error:
        raise ApiError(
            416,
            "range_not_satisfiable",
            f"The file has {copy.kept.size_bytes} bytes; none of them lies in the range asked for.",
            headers={"Content-Range": f"bytes */{copy.kept.size_bytes}"},
        ) from error


async def _counted(store: ObjectStore, key: str, span: ByteRange) -> AsyncGenerator[bytes]:
    async for chunk in store.read(key, span.start, span.end):
        metrics.served.inc(len(chunk))
        yield chunk


async def _from(first: bytes, chunks: AsyncGenerator[bytes]) -> AsyncIterator[bytes]:
    async with aclosing(chunks):
        yield first
        async for chunk in chunks:
            yield chunk
