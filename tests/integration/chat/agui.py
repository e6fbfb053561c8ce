"""What every stream of AG-UI must be: events of the official models, in the order that the protocol asks for."""

import json
from dataclasses import dataclass
from typing import Any

import httpx
from ag_ui.core import BaseEvent, Event, EventType
from pydantic import TypeAdapter

from tests.integration.chat.conftest import Meeting
from tests.integration.chat.house import House

_EVENTS: TypeAdapter[BaseEvent] = TypeAdapter(Event)
_OPENS = {
    EventType.TEXT_MESSAGE_START: ("text", "message_id"),
    EventType.TOOL_CALL_START: ("call", "tool_call_id"),
    EventType.STEP_STARTED: ("step", "step_name"),
}
_GOES_ON = {
    EventType.TEXT_MESSAGE_CONTENT: ("text", "message_id"),
    EventType.TOOL_CALL_ARGS: ("call", "tool_call_id"),
}
_CLOSES = {
    EventType.TEXT_MESSAGE_END: ("text", "message_id"),
    EventType.TOOL_CALL_END: ("call", "tool_call_id"),
    EventType.STEP_FINISHED: ("step", "step_name"),
}
_LAST = (EventType.RUN_FINISHED, EventType.RUN_ERROR)


@dataclass(frozen=True)
class Told:
    """An event with its id in the stream, as it came and as the official package reads it."""

    id: str
    raw: dict[str, Any]
    event: BaseEvent

    @property
    def type(self) -> str:
        return self.raw["type"]


def read(text: str) -> list[Told]:
    """Raises where an event is none of the protocol's, or says what the protocol does not describe."""
    told: list[Told] = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if "data" in fields:
            raw = json.loads(fields["data"])
            event = _EVENTS.validate_python(raw)
            assert not event.model_extra, event
            assert event.model_dump(mode="json", by_alias=True) == raw
            told.append(Told(fields["id"], raw, event))
    return told


def check_order(told: list[Told]) -> None:
    """Of a whole run."""
    assert told[0].type == EventType.RUN_STARTED
    assert [one.type for one in told if one.type in _LAST] == [told[-1].type]
    assert len({one.id for one in told}) == len(told)
    open_now: set[tuple[str, str]] = set()
    called: set[str] = set()
    for one in told:
        event: Any = one.event
        if event.type in _OPENS:
            kind, name = _OPENS[event.type]
            assert (kind, getattr(event, name)) not in open_now
            open_now.add((kind, getattr(event, name)))
            called |= {event.tool_call_id} if kind == "call" else set()
        elif event.type in _GOES_ON:
            kind, name = _GOES_ON[event.type]
            assert (kind, getattr(event, name)) in open_now
        elif event.type in _CLOSES:
            kind, name = _CLOSES[event.type]
            open_now.remove((kind, getattr(event, name)))
        elif event.type == EventType.TOOL_CALL_RESULT:
            called.remove(event.tool_call_id)
    if told[-1].type == EventType.RUN_FINISHED:
        assert not open_now
        assert not called or told[-1].raw["outcome"]["type"] == "cancelled"


def text_of(told: list[Told]) -> str:
    return "".join(one.raw["delta"] for one in told if one.type == EventType.TEXT_MESSAGE_CONTENT)


def one(told: list[Told], kind: str) -> dict[str, Any]:
    (found,) = [event.raw for event in told if event.type == kind]
    return found


@dataclass
class Client:
    """The meeting's reader, by the protocol."""

    house: House
    meeting: Meeting

    @property
    def headers(self) -> dict[str, str]:
        return self.house.as_user(self.meeting.user_id)

    def body(self, question: str, run: str, thread: str, **props: Any) -> dict[str, Any]:
        return {
            "threadId": thread,
            "runId": run,
            "protocolVersion": "1.0",
            "messages": [{"id": f"asked-{run}", "role": "user", "content": question}],
            "tools": [],
            "context": [],
            "state": {},
            "forwardedProps": props,
        }

    async def post(self, body: dict[str, Any], after: str | None = None) -> httpx.Response:
        headers = self.headers | ({"Last-Event-ID": after} if after else {})
        return await self.house.http.post("/ag-ui", json=body, headers=headers)

    async def follow(self, body: dict[str, Any], after: str | None = None) -> list[Told]:
        response = await self.post(body, after)
        assert response.status_code == 200, response.text
        assert response.headers["content-type"].startswith("text/event-stream")
        return read(response.text)

    async def ask(self, question: str, run: str = "r1", thread: str = "t1", **props: Any) -> list[Told]:
        told = await self.follow(self.body(question, run, thread, **props))
        check_order(told)
        return told

    async def until_text(self, body: dict[str, Any]) -> list[Told]:
        """Up to the first text; then the client goes away."""
        seen = ""
        async with self.house.http.stream("POST", "/ag-ui", json=body, headers=self.headers) as response:
            async for text in response.aiter_text():
                seen += text
                if "TEXT_MESSAGE_CONTENT" in seen and seen.endswith("\n\n"):
                    break
        return read(seen)

    async def get(self, path: str) -> dict[str, Any]:
        response = await self.house.http.get(path, headers=self.headers)
        assert response.status_code == 200, response.text
        return response.json()
