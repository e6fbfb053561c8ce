"""An answer as server-sent events: what is in the table, told in the words of the route that is asked."""

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Any
from uuid import UUID

from common.errors import ApiError
from common.identity import Caller
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from chat.asking import Asking
from chat.following import REMOVED
from chat.queries.rows import EventRow

EVENTS: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}, "description": "The answer"}
}
STREAM_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


@dataclass(frozen=True)
class Stream:
    """One reader of one answer. ``whole`` reads it as it is now; ``names`` go into every event's data, and ``prefix``
    before every event's number in its id."""

    asking: Asking
    caller: Caller
    answer_id: UUID
    whole: Callable[[], Awaitable[BaseModel]]
    names: Mapping[str, str] = field(default_factory=dict[str, str])
    prefix: str = ""

    def response(self, after: int = 0, headers: Mapping[str, str] | None = None) -> StreamingResponse:
        """The events behind number ``after``."""
        return StreamingResponse(
            self._lines(after), media_type="text/event-stream", headers=STREAM_HEADERS | dict(headers or {})
        )

    async def _lines(self, after: int) -> AsyncGenerator[str]:
        spoken = monotonic()
        yield ": the answer follows\n\n"
        async for event in self.asking.follower.follow(self.answer_id, self.caller.user_id, after):
            if event is not None:
                spoken = monotonic()
                yield await self._event(event)
            elif monotonic() - spoken >= self.asking.keep_alive_seconds:
                spoken = monotonic()
                yield ": still here\n\n"

    async def _event(self, row: EventRow) -> str:
        """Citations and the whole answer are read as they are now: they may have become stale, or gone."""
        event, data = row.event, row.data
        if event in ("citations", "done"):
            try:
                whole = (await self.whole()).model_dump(mode="json")
            except ApiError:
                event, data = "error", REMOVED
            else:
                data = {"citations": whole["citations"]} if event == "citations" else {"response": whole}
        text = json.dumps({"type": event, **self.names, **data}, ensure_ascii=False)
        return f"id: {self.prefix}{row.seq}\nevent: {event}\ndata: {text}\n\n"
