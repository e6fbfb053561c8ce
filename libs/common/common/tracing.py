"""One trace id from request to answer: W3C traceparent carried through HTTP and messages."""

import os
import re
from contextvars import ContextVar

import structlog

_TRACEPARENT = re.compile(r"^00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}$")
_current: ContextVar[str | None] = ContextVar("traceparent", default=None)


def begin(received: str | None) -> str:
    """Continue the received trace, or begin one; binds ``trace_id`` to every log line of this task."""
    match = _TRACEPARENT.match(received or "")
    trace_id = match.group(1) if match else os.urandom(16).hex()
    traceparent = f"00-{trace_id}-{os.urandom(8).hex()}-01"
    _current.set(traceparent)
    structlog.contextvars.bind_contextvars(trace_id=trace_id)
    return traceparent


def current() -> str:
    """The traceparent of the running task; a new one where nothing began a trace."""
    return _current.get() or begin(None)


def trace_id(traceparent: str) -> str:
    return traceparent.split("-")[1]
