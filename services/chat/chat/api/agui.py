"""HTTP in: `POST /ag-ui`, the Agent User Interaction Protocol 1.0 over the sessions of this service."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from time import monotonic
from typing import Annotated, Any
from uuid import UUID

from ag_ui.core import PROTOCOL_VERSION, BaseEvent, EventType
from common.db import Database
from common.errors import ApiError, invalid, not_found
from common.identity import Caller, CurrentCaller
from common.once import Once, fingerprint
from fastapi import APIRouter, Header
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from chat import metrics
from chat.agui_form import RunInput, RunWishes
from chat.api.streams import EVENTS, STREAM_HEADERS
from chat.asking import Asking
from chat.domain.agui import SEARCH, Run, RunNames
from chat.domain.resuming import BEGINNING, Place, event_prefix, read_place
from chat.following import REMOVED
from chat.queries import messages
from chat.queries.once import KEYS
from chat.queries.rows import EventRow
from chat.queries.session_rows import MessageRow
from chat.session_shapes import Message, MessageNew, show_message
from chat.talking import Busy, Talking

PATH = "/ag-ui"
_ENDS = {EventType.RUN_FINISHED: "finished", EventType.RUN_ERROR: "failed"}


class AgUiConfig(BaseModel):
    """What a client of AG-UI may know before it asks."""

    protocol_version: str = PROTOCOL_VERSION
    endpoint: str = Field(default=PATH, description="`POST` a RunAgentInput here")
    page: str = Field(default=PATH, description="A chat page that speaks the protocol")
    models: list[str] = Field(description="What `forwardedProps.model` may name, the default first")
    forwarded_props: dict[str, Any] = Field(description="JSON Schema of what Earshot reads from `forwardedProps`")
    capabilities: dict[str, Any] = Field(description="AG-UI's `AgentCapabilities`")


class AgUi:
    """A thread is a session, a run the answer to one question of it."""

    def __init__(self, db: Database, asking: Asking, talking: Talking) -> None:
        self._db = db
        self._asking = asking
        self._talking = talking

    def routes(self) -> APIRouter:
        router = APIRouter(tags=["Answers and chat"])
        router.add_api_route(
            PATH,
            self.run,
            methods=["POST"],
            summary="Ask by the AG-UI protocol",
            operation_id="run_agent",
            response_class=StreamingResponse,
            responses=EVENTS,
        )
        router.add_api_route(
            "/api/agui/config", self.config, methods=["GET"], summary="What this server's AG-UI endpoint offers"
        )
        return router

    async def config(self, caller: CurrentCaller) -> AgUiConfig:
        return AgUiConfig(
            models=list(self._asking.choosing.writers.offered),
            forwarded_props=RunWishes.model_json_schema(),
            capabilities=_CAPABILITIES,
        )

    async def run(
        self,
        body: RunInput,
        caller: CurrentCaller,
        last_event_id: Annotated[str | None, Header(description="The id of the last event that was seen")] = None,
    ) -> StreamingResponse:
        """Events of AG-UI 1.0, from RUN_STARTED to RUN_FINISHED or RUN_ERROR.

        The answer is written to its end also when nobody reads, unless the thread is asked something else. The same
        `threadId` and `runId` again follow it, from its beginning or behind `Last-Event-ID`. To stop it, POST to the
        session's `…/messages/{message_id}/cancel`, with the ids that stand in the `metadata` of RUN_STARTED.
        """
        wishes = body.wishes()
        asked = body.question(wishes)
        # Before a session is begun for it.
        await self._asking.choosing.model(caller, "chat", asked.model)
        session_id = await self._talking.join(body.thread_id, wishes.collection_id, caller)
        creation = _run(caller.user_id, session_id, body.run_id, asked)
        message_id = await self._ask(session_id, asked, caller, creation)
        message = await self._find(session_id, message_id, caller)
        assert message.run_id is not None
        seen = _place(last_event_id, message.attempt)
        names = RunNames(body.thread_id, body.run_id, str(session_id), str(message_id), str(message.run_id))
        stream = _Stream(self, self._asking, caller, message, Run(names, asked.content), seen)
        return StreamingResponse(stream.lines(), media_type="text/event-stream", headers=STREAM_HEADERS)

    async def _ask(self, session_id: UUID, asked: MessageNew, caller: Caller, creation: Once) -> UUID:
        """Runs of a thread come one after the other: who begins another has let go of the one before, which ends."""
        try:
            return await self._talking.ask(session_id, asked, caller, creation)
        except Busy:
            await self._talking.cancel_running(session_id, caller)
            return await self._talking.ask(session_id, asked, caller, creation)

    async def whole(self, message: MessageRow, caller: Caller) -> Message:
        """The answer as it is now. Raises ApiError 404 when nothing is left of it."""
        found = await self._find(message.session_id, message.id, caller)
        async with self._db.acquire() as conn:
            return show_message(found, await messages.made_from(conn, [found]))

    async def _find(self, session_id: UUID, message_id: UUID, caller: Caller) -> MessageRow:
        async with self._db.acquire() as conn:
            found = await messages.read_message(conn, caller.user_id, session_id, message_id)
        if found is None or found.run_id is None:
            raise not_found(REMOVED["message"], advice="Ask again under a new runId.")
        return found


@dataclass
class _Stream:
    """One client that follows one run, behind the place that it has ``seen``."""

    agui: AgUi
    asking: Asking
    caller: Caller
    message: MessageRow
    run: Run
    seen: Place
    end: str = "left"

    async def lines(self) -> AsyncGenerator[str]:
        assert self.message.run_id is not None
        spoken = monotonic()
        try:
            for line in self._told(0, self.run.begin()):
                yield line
            # What is open is known from the beginning only, so all of it is read, and what was seen is not said again.
            async with aclosing(self.asking.follower.follow(self.message.run_id, self.caller.user_id)) as events:
                async for event in events:
                    if event is not None:
                        spoken = monotonic()
                        for line in await self._tell(event):
                            yield line
                        if self.end != "left":
                            return
                    elif monotonic() - spoken >= self.asking.keep_alive_seconds:
                        spoken = monotonic()
                        yield ": still here\n\n"
        finally:
            metrics.agui_streams.labels(self.end).inc()

    async def _tell(self, row: EventRow) -> list[str]:
        if row.data is REMOVED:
            return self._removed(row.seq)
        whole: dict[str, Any] = {}
        if self.run.needs_whole(row.event, row.data):
            try:
                whole = (await self.agui.whole(self.message, self.caller)).model_dump(mode="json")
            except ApiError:
                return self._removed(row.seq)
        return self._told(row.seq, self.run.tell(row.event, row.data, whole))

    def _removed(self, seq: int) -> list[str]:
        """That nothing is left of it was not seen yet, wherever the client had been."""
        self.seen = BEGINNING
        return self._told(seq, self.run.tell("error", REMOVED, {}))

    def _told(self, seq: int, events: list[BaseEvent]) -> list[str]:
        prefix = event_prefix(self.message.attempt)
        lines: list[str] = []
        for part, event in enumerate(events, start=1):
            self.end = _end(event) or self.end
            if (seq, part) > self.seen:
                lines.append(f"id: {prefix}{seq}.{part}\ndata: {event.model_dump_json(by_alias=True)}\n\n")
        return lines


def _end(event: BaseEvent) -> str | None:
    outcome = getattr(event, "outcome", None)
    return "cancelled" if outcome is not None and outcome.type == "cancelled" else _ENDS.get(event.type)


def _run(user_id: UUID, session_id: UUID, run_id: str, asked: MessageNew) -> Once:
    """A question under its runId. No header can hold a line break, so that nobody's Idempotency-Key is this key."""
    body = fingerprint(asked.model_dump_json(exclude={"stream"}))
    return Once(KEYS, user_id, f"run\n{session_id}\n{run_id}", body, "runId")


def _place(last_event_id: str | None, attempt: int) -> Place:
    if not last_event_id:
        return BEGINNING
    try:
        return read_place(last_event_id, attempt)
    except ValueError:
        raise invalid("Last-Event-ID: this is no id of an event of a run.") from None


_CAPABILITIES: dict[str, Any] = {
    "identity": {
        "name": "Earshot",
        "description": "Answers questions about recordings, documents and conversations, with citations.",
    },
    "transport": {"streaming": True, "websocket": False, "httpBinary": False, "resumable": True},
    "tools": {
        "supported": True,
        "clientProvided": False,
        "items": [
            {
                "name": SEARCH,
                "description": "Finds the passages that an answer is made from; the server runs it itself.",
                "parameters": {
                    "type": "object",
                    "properties": {"query": {"type": "string"}},
                    "required": ["query"],
                },
            }
        ],
    },
    "state": {"snapshots": False, "deltas": False, "persistentState": False, "memory": False},
    "multimodal": {"input": {"image": False, "audio": False, "video": False, "pdf": False, "file": False}},
    "humanInTheLoop": {"supported": False, "interrupts": False},
}
