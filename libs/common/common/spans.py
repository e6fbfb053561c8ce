"""Spans leave by OTLP when the environment names a collector, in OpenTelemetry's own variables; else nothing is made.

FastAPI makes the spans of requests, the SDKs of models those of their calls; `common.tracing` makes those of messages
and of steps, this module those of statements. The SDK is imported only where it is used: it takes a fifth of a second.
"""

import asyncio
import socket
import threading
from collections.abc import Callable
from time import time_ns
from typing import TYPE_CHECKING, Any

from fastapi.telemetry import TelemetryConfig
from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode

from common import tracing
from common.settings import ServiceSettings

if TYPE_CHECKING:
    from asyncpg.connection import LoggedQuery
    from opentelemetry.sdk.trace import TracerProvider

# Within the 12 seconds from SIGTERM to the end, whatever becomes of a collector.
_CLOSE_SECONDS = 1.0
_STATEMENT_CHARACTERS = 2000
_QUIET_PATHS = ("/health", "/metrics", "/api/health")
_tracer = trace.get_tracer("earshot.database")


def _is_quiet(scope: Any) -> bool:
    """Requests by the clock, of probes and of Prometheus, that nobody wants a trace of."""
    return str(scope.get("path", "")).startswith(_QUIET_PATHS)


# Of FastAPI: one span for each request, not one for each of its dependencies; measured is what `common.http` measures.
REQUEST_SPANS: TelemetryConfig = {
    "auto_configure": False,
    "exclude": _is_quiet,
    "logs": False,
    "metrics": False,
    "operation_spans": False,
}


def is_wanted(settings: ServiceSettings) -> bool:
    named = settings.otel_endpoint or settings.otel_traces_endpoint
    return bool(named) and not settings.otel_disabled and settings.otel_exporter != "none"


class Spans:
    """The export of one process; does nothing unless it is wanted."""

    def __init__(self, service: str, settings: ServiceSettings) -> None:
        self._provider: TracerProvider | None = _provider(service) if is_wanted(settings) else None
        if self._provider is not None:
            tracing.record_by(self._provider)

    @property
    def query_logger(self) -> "Callable[[LoggedQuery], None] | None":
        """For connections to the database: called after each statement."""
        return _note_statement if self._provider is not None else None

    async def close(self) -> None:
        """Send what is left, in the time there is: in a thread that the end of the process does not wait for."""
        if self._provider is not None:
            closing = threading.Thread(target=self._provider.shutdown, daemon=True)
            closing.start()
            await asyncio.to_thread(closing.join, _CLOSE_SECONDS)


def _provider(service: str) -> "TracerProvider":
    """Endpoint, headers, compression, sampler, limits and further attributes are read by the SDK itself."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    own = {"service.name": f"earshot-{service}", "service.namespace": "earshot", "host.name": socket.gethostname()}
    # What the operator says (OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES) goes before what we say.
    resource = Resource.create(own).merge(OTELResourceDetector().detect())
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


def _note_statement(query: "LoggedQuery") -> None:
    """Only below a span: the statements that are made by the clock belong to nobody's trace. Never the arguments."""
    if not trace.get_current_span().get_span_context().is_valid:
        return
    now = time_ns()
    words = query.query.split()
    span = _tracer.start_span(
        words[0].upper() if words else "statement",
        kind=SpanKind.CLIENT,
        attributes={
            "db.system.name": "postgresql",
            "db.namespace": query.conn_params.database or "",
            "db.query.text": query.query.strip()[:_STATEMENT_CHARACTERS],
        },
        start_time=now - int(query.elapsed * 1e9),
    )
    if query.exception is not None:
        span.set_status(StatusCode.ERROR, type(query.exception).__name__)
    span.end(now)
