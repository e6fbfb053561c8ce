"""One trace from request to answer: W3C traceparent carried through HTTP and messages.

Its id is on every log line. Where `common.spans` exports spans, they are OpenTelemetry's, and the current one is what
is carried on; else the id is all there is.
"""

import os
import re
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

import structlog
from opentelemetry import context, trace
from opentelemetry.trace import Span, SpanKind, StatusCode, TracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_TRACEPARENT = re.compile(r"^00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}$")
_HEADER = "traceparent"
_current: ContextVar[str | None] = ContextVar(_HEADER, default=None)
# Without a provider (common.spans) it makes spans that record nothing.
_tracer = trace.get_tracer("earshot")
_propagator = TraceContextTextMapPropagator()

# Whether spans are recorded. Those that are not still cost a tenth of the handling of a message.
_recording = False

# What OpenTelemetry allows as the value of an attribute, as far as we use it.
Value = str | int | float | bool


def record_by(provider: TracerProvider) -> None:
    """From now on, and for the whole process."""
    global _recording
    trace.set_tracer_provider(provider)
    _recording = True


def begin(received: str | None) -> str:
    """Continue the received trace, or begin one; binds ``trace_id`` to every log line of this task."""
    match = _TRACEPARENT.match(received or "")
    trace_id = match.group(1) if match else os.urandom(16).hex()
    _current.set(f"00-{trace_id}-{os.urandom(8).hex()}-01")
    traceparent = current()
    structlog.contextvars.bind_contextvars(trace_id=traceparent.split("-")[1])
    return traceparent


def current() -> str:
    """The traceparent of the running task; a new one where nothing began a trace."""
    here = trace.get_current_span().get_span_context()
    if here.is_valid:
        return f"00-{here.trace_id:032x}-{here.span_id:016x}-{here.trace_flags:02x}"
    return _current.get() or begin(None)


def trace_id(traceparent: str) -> str:
    return traceparent.split("-")[1]


def note(attribute: str, value: Value) -> None:
    """On the current span, if there is one."""
    trace.get_current_span().set_attribute(attribute, value)


@contextmanager
def span(name: str, attributes: Mapping[str, Value] | None = None) -> Generator[Span]:
    """A span of what happens within, below the current one; errors are noted on it and go on their way.

    Not for bodies of generators: a reader may end those from elsewhere. They take `open_span`.
    """
    with _tracer.start_as_current_span(name, attributes=attributes) as opened:
        yield opened


@contextmanager
def open_span(name: str, attributes: Mapping[str, Value] | None = None) -> Generator[Span]:
    """The same, but never the current one: for the bodies of generators."""
    opened = _tracer.start_span(name, attributes=attributes)
    try:
        yield opened
    except Exception as error:
        opened.record_exception(error)
        opened.set_status(StatusCode.ERROR, type(error).__name__)
        raise
    finally:
        opened.end()


@contextmanager
def receiving(traceparent: str, name: str, attributes: Callable[[], Mapping[str, Value]]) -> Generator[None]:
    """The handling of one message: continues the trace that its header names. The header may say anything.

    ``attributes`` is called only where the span is recorded.
    """
    if not _recording:
        begin(traceparent)
        yield
        return
    parent = _propagator.extract({_HEADER: traceparent}, context.Context())
    with _tracer.start_as_current_span(name, parent, SpanKind.CONSUMER, attributes()):
        begin(traceparent)
        yield


@contextmanager
def sending(traceparent: str, name: str, attributes: Callable[[], Mapping[str, Value]]) -> Generator[None]:
    """The publishing of one message, below what it was said in, however long ago that was; ``attributes`` as above."""
    if not _recording:
        yield
        return
    parent = _propagator.extract({_HEADER: traceparent}, context.Context())
    with _tracer.start_as_current_span(name, parent, SpanKind.PRODUCER, attributes()):
        yield
