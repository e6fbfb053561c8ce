"""HTTP in: what is asked in a session, and its answers: as they are written, again, cancelled, or later."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, Any
from uuid import UUID

from common.db import Database
from common.errors import invalid, not_found
from common.identity import Caller, CurrentCaller
from common.once import Once, OnceKey
from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import StreamingResponse

from chat.api.sessions import PATH, Limit
from chat.api.streams import EVENTS, Stream
from chat.asking import Asking
from chat.domain.resuming import event_prefix, read_after
from chat.following import REMOVED
from chat.queries import messages, sessions
from chat.queries.once import KEYS
from chat.queries.session_rows import MessageRow
from chat.session_shapes import Message, MessageList, MessageNew, MessageRetry, show_message, show_messages
from chat.talking import Talking, no_session


class Messages:
    """The routes of messages. An answer's message has the events; its `run_id` names the attempt."""

    def __init__(self, db: Database, asking: Asking, talking: Talking) -> None:
        self._db = db
        self._asking = asking
        self._talking = talking

    def routes(self) -> APIRouter:
        router = APIRouter(prefix=f"{PATH}/{{session_id}}/messages", tags=["Answers and chat"])
        routes: tuple[tuple[str, str, Any, str, dict[str, Any]], ...] = (
            (
                "POST",
                "",
                self.ask,
                "Ask a question in a session",
                {"response_model": Message, "responses": EVENTS, "openapi_extra": {"x-earshot-body": "file"}},
            ),
            ("GET", "", self.list_messages, "List a session's messages in their order", {}),
            ("GET", "/{message_id}", self.read, "Read a message", {}),
            (
                "GET",
                "/{message_id}/events",
                self.events,
                "Follow an answer of a session, from the beginning or behind Last-Event-ID",
                {"response_class": StreamingResponse, "responses": EVENTS},
            ),
            ("POST", "/{message_id}/cancel", self.cancel, "Stop an answer of a session", {}),
            (
                "POST",
                "/{message_id}/retry",
                self.retry,
                "Write an answer of a session again",
                {"response_model": Message, "responses": EVENTS},
            ),
        )
        for method, path, endpoint, summary, more in routes:
            router.add_api_route(path, endpoint, methods=[method], summary=summary, **more)
        return router

    async def ask(
        self,
        session_id: UUID,
        body: MessageNew,
        request: Request,
        response: Response,
        caller: CurrentCaller,
        once: OnceKey = None,
    ) -> Message | Response:
        """Answers with citations; with `stream: true` or `Accept: text/event-stream` as it is written.

        What the question leaves out is understood from the session. `attachments` are shown to the model beside the
        passages, also with the next questions; what it says of them is not cited.

        Events: `status`, `content`, `citations`, then `done` with the answer's message, or `error`; each names session,
        message and run. The answer is written to its end also when nobody reads; who comes back finds it at
        `…/messages/{message_id}/events`, or in the session.
        """
        path = f"{PATH}/{session_id}/messages"
        creation = Once.of(KEYS, caller.user_id, once, path, body.model_dump_json(exclude={"stream"}))
        message_id = await self._talking.ask(session_id, body, caller, creation)
        return await self._answer(session_id, message_id, caller, request, response, streams=body.stream)

    async def list_messages(
        self,
        session_id: UUID,
        caller: CurrentCaller,
        limit: Limit = 50,
        cursor: Annotated[int, Query(ge=0, le=2**31 - 1, description="`next_cursor` of the page before")] = 0,
    ) -> MessageList:
        """The oldest first."""
        async with self._db.acquire() as conn:
            if await sessions.read_session(conn, caller.user_id, session_id) is None:
                raise no_session()
            rows = await messages.read_messages(conn, caller.user_id, session_id, cursor, limit + 1)
            shown = rows[:limit]
            made = await messages.made_from(conn, shown)
        following = str(shown[-1].position) if len(rows) > limit else None
        return MessageList(items=show_messages(shown, made), next_cursor=following)

    async def read(self, session_id: UUID, message_id: UUID, caller: CurrentCaller) -> Message:
        return await self._show(await self._find(session_id, message_id, caller))

    async def events(
        self,
        session_id: UUID,
        message_id: UUID,
        caller: CurrentCaller,
        last_event_id: Annotated[str | None, Header(description="The id of the last event that was seen")] = None,
    ) -> StreamingResponse:
        """From the beginning where the answer is another attempt than the one that was seen."""
        message = await self._answer_of(session_id, message_id, caller)
        try:
            after = read_after(last_event_id, message.attempt) if last_event_id else 0
        except ValueError:
            raise invalid("Last-Event-ID: this is no id of an event of a session.") from None
        return self._stream(message, caller).response(after)

    async def cancel(self, session_id: UUID, message_id: UUID, caller: CurrentCaller) -> Message:
        """What is written by then stays; an answer that has ended is left as it is."""
        await self._talking.cancel(await self._answer_of(session_id, message_id, caller))
        return await self._told(session_id, message_id, caller)

    async def retry(
        self,
        session_id: UUID,
        message_id: UUID,
        request: Request,
        response: Response,
        caller: CurrentCaller,
        body: MessageRetry | None = None,
    ) -> Message | Response:
        """For an answer that failed, was interrupted, cancelled or removed; its question and place stay."""
        asked = body or MessageRetry()
        message = await self._answer_of(session_id, message_id, caller, removed=True)
        await self._talking.retry(message, asked, caller)
        return await self._answer(session_id, message_id, caller, request, response, streams=asked.stream)

    async def _answer(
        self, session_id: UUID, message_id: UUID, caller: Caller, request: Request, response: Response, *, streams: bool
    ) -> Message | Response:
        message = await self._answer_of(session_id, message_id, caller)
        location = {"Location": f"{PATH}/{session_id}/messages/{message_id}"}
        if streams or "text/event-stream" in request.headers.get("accept", ""):
            return self._stream(message, caller).response(headers=location)
        assert message.run_id is not None
        await self._asking.wait(message.run_id, caller, request)
        response.headers.update(location)
        return await self._told(session_id, message_id, caller)

    def _stream(self, message: MessageRow, caller: Caller) -> Stream:
        assert message.run_id is not None
        names = {
            "session_id": str(message.session_id),
            "message_id": str(message.id),
            "run_id": str(message.run_id),
        }
        whole: Callable[[], Awaitable[Message]] = partial(self._told, message.session_id, message.id, caller)
        return Stream(self._asking, caller, message.run_id, whole, names, event_prefix(message.attempt))

    async def _find(self, session_id: UUID, message_id: UUID, caller: Caller) -> MessageRow:
        async with self._db.acquire() as conn:
            found = await messages.read_message(conn, caller.user_id, session_id, message_id)
        if found is None:
            raise not_found("There is no such message.", advice="See GET …/messages of the session.")
        return found

    async def _answer_of(
        self, session_id: UUID, message_id: UUID, caller: Caller, *, removed: bool = False
    ) -> MessageRow:
        """Raises ApiError 404 for a question, and for an answer of which nothing is left, unless that may be."""
        found = await self._find(session_id, message_id, caller)
        if found.role == "user":
            raise not_found("This message is a question.", advice="Take the answer's: the one behind it.")
        if found.run_id is None and not removed:
            raise not_found(REMOVED["message"], advice="Retry it, or ask something else.")
        return found

    async def _told(self, session_id: UUID, message_id: UUID, caller: Caller) -> Message:
        """An answer as it is now. Raises ApiError 404 when nothing is left of it."""
        return await self._show(await self._answer_of(session_id, message_id, caller))

    async def _show(self, found: MessageRow) -> Message:
        async with self._db.acquire() as conn:
            return show_message(found, await messages.made_from(conn, [found]))
