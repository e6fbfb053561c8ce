"""Structured logs: one JSON object a line, or coloured lines for people."""

import logging
import sys
from typing import Any, cast

import structlog

# Without the variables of each frame: among them are API keys, passwords of databases, and what people said.
_TRACEBACKS = structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False))


def configure_logging(service: str, level: str = "INFO", format: str = "json") -> None:  # noqa: A002 (the field's name)
    """Send structlog and the standard library's loggers to stdout, with ``service`` on every line."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    rendering: list[Any] = (
        [_TRACEBACKS, structlog.processors.JSONRenderer()]
        if format == "json"
        else [
            structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty(), exception_formatter=structlog.dev.plain_traceback)
        ]
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level.upper()),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[_with_service(service), structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # These report every lost connection at length; what matters of it is logged by us.
    for noisy in ("aio_pika", "aiormq", "httpx", "httpcore", "botocore", "uvicorn.access", "asyncio"):
        hopeless = noisy in ("aio_pika", "aiormq")
        logging.getLogger(noisy).setLevel(logging.CRITICAL if hopeless else logging.WARNING)


def _with_service(service: str) -> Any:
    def add(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
        return {"service": service, **event}

    return add


def get_logger(**fields: object) -> structlog.stdlib.BoundLogger:
    return cast("structlog.stdlib.BoundLogger", structlog.get_logger(**fields))
