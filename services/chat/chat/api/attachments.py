"""HTTP in: files that came with the questions of a session, as they were sent."""

from typing import Any
from urllib.parse import quote
from uuid import UUID

from common.db import Database
from common.errors import not_found
from common.identity import CurrentCaller
from fastapi import APIRouter, Response

from chat.api.sessions import PATH
from chat.providers.attachments import AttachmentStore
from chat.queries import attachments

_FILE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/octet-stream": {}}, "description": "The file, by its own media type"}
}
# Somebody's own file, shown under our address: nothing in it may run, and no cache may keep it for others.
_HEADERS = {
    "Cache-Control": "private, max-age=3600",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
}


class Attachments:
    """The route of attachments."""

    def __init__(self, db: Database, attached: AttachmentStore) -> None:
        self._db = db
        self._attached = attached

    def routes(self) -> APIRouter:
        router = APIRouter(prefix=f"{PATH}/{{session_id}}/attachments", tags=["Answers and chat"])
        router.add_api_route(
            "/{attachment_id}",
            self.read,
            methods=["GET"],
            summary="Read a file that came with a question",
            operation_id="read_attachment",
            response_class=Response,
            responses=_FILE,
        )
        return router

    async def read(self, session_id: UUID, attachment_id: UUID, caller: CurrentCaller) -> Response:
        """For whoever may read the session."""
        async with self._db.acquire() as conn:
            row = await attachments.read(conn, caller.user_id, session_id, attachment_id)
        if row is None:
            raise not_found("There is no such attachment.", advice="See the session's messages.")
        named = {
            "Content-Disposition": f"inline; filename*=UTF-8''{quote(row.name, safe='')}",
            "ETag": f'"{row.sha256}"',
        }
        return Response(await self._attached.read(row.uri), media_type=row.media_type, headers=_HEADERS | named)
