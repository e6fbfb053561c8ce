"""Chat sessions: questions that are understood from those before them."""

from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from earshot.models import ChatMessage, ChatSession, Page
from earshot.paging import pages
from earshot.resources.answers import ANSWER_TIMEOUT, MessageEvent, read_answer, whole
from earshot.resources.recordings import once
from earshot.transport import Transport, given

PATH = "/api/chat/sessions"
_GOES_ON = "It goes on being written: follow it again with the id of the last event."


def attachment(path: Path) -> dict[str, str]:
    """An image or a PDF as a question takes it: `ask(…, attachments=[attachment(path)])`. Raises OSError."""
    return {"name": path.name, "data": b64encode(path.read_bytes()).decode("ascii")}


class Sessions:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def begin(self, *, collection_id: str | None = None, title: str | None = None) -> ChatSession:
        """Without `collection_id` about everything you may read; the first question makes a title."""
        body = given({"collection_id": collection_id, "title": title})
        return self._transport.fetch(ChatSession, "POST", PATH, json=body, headers=once())

    def all(self, collection_id: str | None = None) -> Iterator[ChatSession]:
        """Yours, newest first."""
        return pages(self._transport, Page[ChatSession], PATH, {"collection_id": collection_id})

    def get(self, session_id: str) -> ChatSession:
        """With its latest `messages`, the oldest of them first."""
        return self._transport.fetch(ChatSession, "GET", f"{PATH}/{session_id}")

    def rename(self, session_id: str, title: str) -> ChatSession:
        return self._transport.fetch(ChatSession, "PATCH", f"{PATH}/{session_id}", json={"title": title})

    def delete(self, session_id: str) -> None:
        self._transport.request("DELETE", f"{PATH}/{session_id}")

    def branch(self, session_id: str, message_id: str, *, title: str | None = None) -> ChatSession:
        """Another session that begins like this one, up to an answer, or up to what came before a question."""
        body = given({"message_id": message_id, "title": title})
        return self._transport.fetch(ChatSession, "POST", f"{PATH}/{session_id}/branch", json=body, headers=once())

    def messages(self, session_id: str) -> Iterator[ChatMessage]:
        """All of them, the oldest first."""
        return pages(self._transport, Page[ChatMessage], f"{PATH}/{session_id}/messages", {})

    def message(self, session_id: str, message_id: str) -> ChatMessage:
        return self._transport.fetch(ChatMessage, "GET", f"{PATH}/{session_id}/messages/{message_id}")

    def ask(self, session_id: str, content: str, **more: Any) -> ChatMessage:
        """The whole answer at once; `more`: model, top_k, attachments (see `attachment`)."""
        return self._transport.fetch(
            ChatMessage,
            "POST",
            f"{PATH}/{session_id}/messages",
            json=given({"content": content, **more}),
            headers=once(),
            timeout=ANSWER_TIMEOUT,
        )

    def stream(self, session_id: str, content: str, **more: Any) -> Iterator[MessageEvent]:
        """The answer as it is written; the last event carries its whole message. An error of the server is raised."""
        body = given({"content": content, "stream": True, **more})
        return self._events("POST", f"{PATH}/{session_id}/messages", json=body, headers=once())

    def follow(self, session_id: str, message_id: str, last_event_id: str | None = None) -> Iterator[MessageEvent]:
        """The events of an answer from the beginning, or behind the one with that `id`."""
        headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
        return self._events("GET", f"{PATH}/{session_id}/messages/{message_id}/events", headers=headers)

    def attachment(self, session_id: str, attachment_id: str) -> bytes:
        """A file that came with a question, as it was sent."""
        return self._transport.request("GET", f"{PATH}/{session_id}/attachments/{attachment_id}").content

    def cancel(self, session_id: str, message_id: str) -> ChatMessage:
        """What is written by then stays."""
        return self._transport.fetch(ChatMessage, "POST", f"{PATH}/{session_id}/messages/{message_id}/cancel")

    def retry(self, session_id: str, message_id: str, **more: Any) -> ChatMessage:
        """Write an answer again that broke off, was cancelled, or was removed; `more`: model, top_k."""
        path = f"{PATH}/{session_id}/messages/{message_id}/retry"
        return self._transport.fetch(ChatMessage, "POST", path, json=given(more), timeout=ANSWER_TIMEOUT)

    def _events(self, method: str, path: str, **options: Any) -> Iterator[MessageEvent]:
        for event in read_answer(self._transport, method, path, _GOES_ON, **options):
            yield MessageEvent(event.type, event.data, event.id, event.content, whole(event, ChatMessage))
