"""HTTP in: ask a question, read its answer, follow it while it is written."""

import json
from collections.abc import AsyncGenerator
from time import monotonic
from typing import Annotated, Any
from uuid import UUID

from common.errors import ApiError
from common.identity import Caller, CurrentCaller
from fastapi import APIRouter, Header, Request, Response
from fastapi.responses import StreamingResponse

from chat.asking import Asking
from chat.following import REMOVED
from chat.queries.rows import EventRow
from chat.shapes import Answer, AnswerRequest

_EVENTS: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}, "description": "The answer"}
}
STREAM_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class Answers:
    """The routes of answers."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    def routes(self) -> APIRouter:
        router = APIRouter(prefix="/api/answers", tags=["Answers and chat"])
        router.add_api_route(
            "",
            self.ask,
            methods=["POST"],
            summary="Ask a question",
            response_model=Answer,
            responses=_EVENTS,
            openapi_extra={"x-earshot-scope": "read"},
        )
        router.add_api_route(
            "/{answer_id}", self.read, methods=["GET"], summary="Read an answer", response_model=Answer
        )
        router.add_api_route(
            "/{answer_id}/events",
            self.events,
            methods=["GET"],
            summary="Follow an answer, from the beginning or behind Last-Event-ID",
            response_class=StreamingResponse,
            responses=_EVENTS,
        )
        return router

    async def ask(
        self, body: AnswerRequest, request: Request, response: Response, caller: CurrentCaller
    ) -> Answer | Response:
        """Answers with citations; with `stream: true` or `Accept: text/event-stream` as it is written.

        Events: `status`, `content`, `citations`, then `done` with the whole answer, or `error`. A reader who leaves
        may come back to `/api/answers/{answer_id}/events` within a few seconds; then the answer is stopped.
        """
        answer_id = await self._asking.begin(body, caller)
        location = {"Location": f"/api/answers/{answer_id}"}
        if body.stream or "text/event-stream" in request.headers.get("accept", ""):
            return self._stream(answer_id, caller, 0, location)
        await self._asking.wait(answer_id, caller, request)
        response.headers.update(location)
        return await self._asking.whole(answer_id, caller)

    async def read(self, answer_id: UUID, caller: CurrentCaller) -> Answer:
        """Yours alone, for as long as you may read everything it was made from."""
        return await self._asking.whole(answer_id, caller)

    async def events(
        self, answer_id: UUID, caller: CurrentCaller, last_event_id: Annotated[int, Header(ge=0)] = 0
    ) -> StreamingResponse:
        await self._asking.whole(answer_id, caller)
        return self._stream(answer_id, caller, last_event_id, {})

    def _stream(self, answer_id: UUID, caller: Caller, after: int, headers: dict[str, str]) -> StreamingResponse:
        return StreamingResponse(
            self._lines(answer_id, caller, after), media_type="text/event-stream", headers=STREAM_HEADERS | headers
        )

    async def _lines(self, answer_id: UUID, caller: Caller, after: int) -> AsyncGenerator[str]:
        spoken = monotonic()
        yield ": the answer follows\n\n"
        async for event in self._asking.follower.follow(answer_id, caller.user_id, after):
            if event is not None:
                spoken = monotonic()
                yield await self._event(event, answer_id, caller)
            elif monotonic() - spoken >= self._asking.keep_alive_seconds:
                spoken = monotonic()
                yield ": still here\n\n"

    async def _event(self, row: EventRow, answer_id: UUID, caller: Caller) -> str:
        """Citations and the whole answer are read as they are now: they may have become stale, or gone."""
        event, data = row.event, row.data
        if event in ("citations", "done"):
            try:
                whole = (await self._asking.whole(answer_id, caller)).model_dump(mode="json")
            except ApiError:
                event, data = "error", REMOVED
            else:
                data = {"citations": whole["citations"]} if event == "citations" else {"response": whole}
        text = json.dumps({"type": event, **data}, ensure_ascii=False)
        return f"id: {row.seq}\nevent: {event}\ndata: {text}\n\n"
