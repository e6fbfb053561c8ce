"""Search and answers."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from earshot.errors import EarshotError
from earshot.models import Answer, ChatMessage, SearchResults
from earshot.sse import ServerEvent, parse_events
from earshot.transport import Answered, Transport, given, parse

# The server sends a comment line every 15 s; three missing ones mean that the line is dead.
STREAM_TIMEOUT = httpx.Timeout(10.0, read=50.0)
ANEW = {"Cache-Control": "no-cache"}
ANSWER_TIMEOUT = httpx.Timeout(10.0, read=300.0)


@dataclass(frozen=True)
class AnswerEvent:
    """One event of a streamed answer: status, content, citations or done.

    `content` is the next piece of text; `response` is the whole answer, in the last event.
    """

    type: str
    data: dict[str, Any]
    content: str = ""
    response: Answer | None = None


class Answers:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def search(
        self, query: str, *, mode: str = "hybrid", limit: int = 20, offset: int = 0, **filters: Any
    ) -> SearchResults:
        """`mode` is hybrid, lexical, semantic or phrase; `filters`: collection_id, asset_id, speaker and so on."""
        asked = {"q": query, "mode": mode, "limit": limit, "offset": offset, **filters}
        params = given(asked)
        return self._transport.fetch(SearchResults, "GET", "/api/search", params=params)

    def ask(self, question: str, *, fresh: bool = False, **scope: Any) -> Answer:
        """The whole answer at once; `scope`: collection_id, asset_ids, top_k, model.

        `fresh`: written anew, even if the same was asked before (else such an answer is given again, as `cached`).
        """
        body, headers = request_body(question, scope), ANEW if fresh else {}
        return self._transport.fetch(Answer, "POST", "/api/answers", json=body, headers=headers, timeout=ANSWER_TIMEOUT)

    def stream(self, question: str, *, fresh: bool = False, **scope: Any) -> Iterator[AnswerEvent]:
        """The answer as it is written; the last event carries it whole. An error of the server is raised.

        A status behind content says that the text begins again: its writer was lost, and another took its place.
        """
        body = {**request_body(question, scope), "stream": True}
        options: dict[str, Any] = {"json": body, "headers": ANEW if fresh else {}}
        for event in read_answer(self._transport, "POST", "/api/answers", "Ask again.", **options):
            yield AnswerEvent(event.type, event.data, event.content, whole(event, Answer))


@dataclass(frozen=True)
class MessageEvent:
    """One event of an answer in a session; `id` resumes behind it, `response` is the whole message, in the last one."""

    type: str
    data: dict[str, Any]
    id: str | None = None
    content: str = ""
    response: ChatMessage | None = None


def request_body(question: str, scope: dict[str, Any]) -> dict[str, Any]:
    return {"question": question, **given(scope)}


@dataclass(frozen=True)
class Told:
    """One event of any streamed answer, as the server told it."""

    type: str
    data: dict[str, Any]
    id: str | None
    content: str


def read_answer(
    transport: Transport, method: str, path: str, broken: str, *, headers: Mapping[str, str], **options: Any
) -> Iterator[Told]:
    """The events up to the one that ends the answer. Raises EarshotError for an error of the server, and for a stream
    that ends before, with the advice `broken`."""
    headers = {**headers, "Accept": "text/event-stream"}
    with transport.stream(method, path, headers=headers, timeout=STREAM_TIMEOUT, **options) as response:
        for event in parse_events(response.iter_bytes()):
            told = _told_by(event)
            yield told
            if told.type == "done":
                return
    raise EarshotError("The answer broke off before its end.", error_type="unreachable", advice=broken)


def whole(told: Told, answer: type[Answered]) -> Answered | None:
    """What the last event carries; None in the others."""
    return parse(answer, json.dumps(told.data["response"])) if told.type == "done" else None


def _told_by(event: ServerEvent) -> Told:
    """Raises EarshotError for an error."""
    data: Any = json.loads(event.data)
    kind = str(data.get("type") or event.event)
    if kind == "error":
        raise EarshotError(
            str(data.get("message") or "The answer failed."),
            error_type=str(data.get("error_type") or "error"),
            advice=data.get("advice"),
        )
    return Told(kind, data, event.id, str(data.get("content") or "") if kind == "content" else "")
