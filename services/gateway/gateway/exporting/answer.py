"""The answer that carries an export: begun with its first byte, left unfinished when it breaks off."""

from collections.abc import Generator
from contextlib import contextmanager
from uuid import UUID

from common.away import DATABASE_TROUBLE
from common.errors import ApiError
from common.logs import get_logger
from fastapi import Response
from starlette.types import Receive, Scope, Send

from gateway import metrics
from gateway.domain.export import attachment
from gateway.exporting.export import Export
from gateway.forwarding.exchange import Body, while_client_stays

log = get_logger()

MEDIA_TYPE = "application/zip"
_RETRY_SECONDS = 30


class ExportAnswer(Response):
    """Raises ApiError while nothing is sent yet: 429 for a second export of a user, 503 when a service is away."""

    media_type = MEDIA_TYPE

    def __init__(self, export: Export) -> None:
        headers = {"Content-Disposition": attachment(export.collection.name), "Cache-Control": "no-store"}
        super().__init__(headers=headers)
        # How long it will be nobody knows.
        del self.headers["content-length"]
        self._export = export

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with _alone(self._export.door.exporting, self._export.user.user_id):
            await while_client_stays(self._write(send), Body(receive, expected=False))

    async def _write(self, send: Send) -> None:
        begun = False

        async def emit(piece: bytes) -> None:
            nonlocal begun
            if not begun:
                begun = True
                await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            await send({"type": "http.response.body", "body": piece, "more_body": True})

        try:
            count = await self._export.write(emit)
        except (ApiError, *DATABASE_TROUBLE) as error:
            if not begun:
                raise
            # The server cuts an answer without an end, so that nobody takes it for a whole one.
            log.warning("export_broke_off", error=repr(error)[:200])
            return
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        log.info("export_sent", assets=count)


@contextmanager
def _alone(exporting: set[UUID], user_id: UUID) -> Generator[None]:
    """Raises ApiError 429 while this user has another export under way at this gateway."""
    if user_id in exporting:
        metrics.refused.labels("rate").inc()
        raise ApiError(
            429,
            "rate_limited",
            "An export of yours is under way.",
            advice="Wait until it has ended, or end it.",
            headers={"Retry-After": str(_RETRY_SECONDS)},
        )
    exporting.add(user_id)
    try:
        yield
    finally:
        exporting.discard(user_id)
