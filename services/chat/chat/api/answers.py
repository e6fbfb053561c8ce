"""HTTP in: ask a question, read its answer, follow it while it is written."""

from typing import Annotated
from uuid import UUID

from common.identity import Caller, CurrentCaller
from fastapi import APIRouter, Header, Request, Response
from fastapi.responses import StreamingResponse

from chat.api.anew import Anew
from chat.api.streams import EVENTS, Stream
from chat.asking import Asking
from chat.shapes import Answer, AnswerRequest


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
            responses=EVENTS,
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
            responses=EVENTS,
        )
        return router

    async def ask(
        self, body: AnswerRequest, request: Request, response: Response, caller: CurrentCaller, anew: Anew
    ) -> Answer | Response:
        """Answers with citations; with `stream: true` or `Accept: text/event-stream` as it is written.

        Events: `status`, `content`, `citations`, then `done` with the whole answer, or `error`; a `status` behind
        `content` says that the text begins again. A reader who leaves may come back to
        `/api/answers/{answer_id}/events` within a few seconds; then the answer is stopped. What was answered before
        from the same passages is given again (`cached`), except with `Cache-Control: no-cache`.
        """
        answer_id = await self._asking.begin(body, caller, anew=anew)
        location = {"Location": f"/api/answers/{answer_id}"}
        if body.stream or "text/event-stream" in request.headers.get("accept", ""):
            return self._stream(answer_id, caller).response(headers=location)
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
        return self._stream(answer_id, caller).response(last_event_id)

    def _stream(self, answer_id: UUID, caller: Caller) -> Stream:
        return Stream(self._asking, caller, answer_id, lambda: self._asking.whole(answer_id, caller))
