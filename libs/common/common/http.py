"""The HTTP side that all services share: one error shape, request ids, health, metrics, body limits."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from time import monotonic
from typing import Any, cast

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from common import metrics, openai, patience, tracing
from common.away import DATABASE_TROUBLE
from common.errors import ApiError, CannotProcess, TryAgain, unavailable
from common.ids import uuid7
from common.logs import get_logger
from common.patience import Patience

log = get_logger()

REQUEST_ID_HEADER = "X-Request-Id"
# True of every write, whatever was lost on the way: the connection before COMMIT, or the answer to it.
_REPEAT = (
    "It may have been done. Send it again with the same Idempotency-Key where the route takes one; else look first."
)
_READING = ("GET", "HEAD", "OPTIONS")
_METHODS = {*_READING, "POST", "PUT", "PATCH", "DELETE"}
# A client that is cut off while it sends may never see why: so much of a refused body is read past first.
_LINGER_BYTES = 64 * 1024 * 1024
_LINGER_SECONDS = 5.0
# The rest is not worth reading.
_CLOSE = {"Connection": "close"}
_TYPES = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    412: "precondition_failed",
    413: "too_large",
    415: "unsupported_media_type",
    422: "validation_error",
    429: "rate_limited",
}


class ErrorBody(BaseModel):
    """The shape of every error, everywhere."""

    detail: str
    status_code: int
    error_type: str
    advice: str | None = None
    errors: list[dict[str, Any]] | None = None
    request_id: str


def error_response(
    scope: Scope,
    status_code: int,
    error_type: str,
    detail: str,
    *,
    advice: str | None = None,
    errors: list[dict[str, Any]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """In the common shape; on OpenAI's routes also in the one that their clients read."""
    body = ErrorBody(
        detail=detail,
        status_code=status_code,
        error_type=error_type,
        advice=advice,
        errors=errors,
        request_id=str(scope.get("state", {}).get("request_id", "")),
    )
    param = str(errors[0].get("field")) if errors else None
    also = openai.error_member(scope["path"], status_code, error_type, detail, param)
    return JSONResponse(body.model_dump(mode="json") | also, status_code, headers=dict(headers or {}))


def request_id_of(request: Request) -> str:
    return str(getattr(request.state, "request_id", ""))


def api_error(request: Request, error: ApiError) -> JSONResponse:
    return error_response(
        request.scope,
        error.status_code,
        error.error_type,
        error.detail,
        advice=error.advice,
        errors=error.errors,
        headers=error.headers,
    )


def add_error_handlers(app: FastAPI) -> None:
    """Every error, whoever raised it, leaves in the common shape."""

    async def on_api_error(request: Request, error: Exception) -> Response:
        return api_error(request, cast("ApiError", error))

    async def on_http_error(request: Request, error: Exception) -> Response:
        error = cast("HTTPException", error)
        kind = _TYPES.get(error.status_code, "error")
        return error_response(request.scope, error.status_code, kind, str(error.detail), headers=error.headers)

    async def on_invalid(request: Request, error: Exception) -> Response:
        errors = [
            {"field": ".".join(str(part) for part in item["loc"]), "message": str(item["msg"])}
            for item in cast("RequestValidationError", error).errors()
        ]
        first = f"{errors[0]['field']}: {errors[0]['message']}" if errors else "The request is not valid."
        return error_response(request.scope, 422, "validation_error", first, errors=errors)

    async def on_away(request: Request, error: Exception) -> Response:
        log.warning("database_unavailable", error=repr(error)[:200])
        # A WebSocket that is being opened has no method.
        advice = None if request.scope.get("method", "GET") in _READING else _REPEAT
        return api_error(request, unavailable("The database does not answer at the moment.", advice=advice))

    async def on_try_again(request: Request, error: Exception) -> Response:
        again = cast("TryAgain", error)
        return error_response(
            request.scope, 503, "unavailable", again.message, advice=again.advice, headers={"Retry-After": "5"}
        )

    async def on_cannot_process(request: Request, error: Exception) -> Response:
        told = cast("CannotProcess", error)
        status, kind = (503, "unavailable") if told.retryable else (422, "validation_error")
        return error_response(request.scope, status, kind, told.message, advice=told.advice)

    app.add_exception_handler(ApiError, on_api_error)
    app.add_exception_handler(HTTPException, on_http_error)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(TryAgain, on_try_again)
    app.add_exception_handler(CannotProcess, on_cannot_process)
    for away in DATABASE_TROUBLE:
        app.add_exception_handler(away, on_away)


class RequestContext:
    """Outermost middleware: request id, trace, patience with the database, one log line and measurement per request."""

    def __init__(self, app: ASGIApp, service: str, patience: Patience) -> None:
        self._app = app
        self._service = service
        self._patience = patience

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            # What begins with the process is nobody's request.
            await self._app(scope, receive, send)
            return
        with patience.having(self._patience):
            if scope["type"] == "http":
                await self._answer(scope, receive, send)
            else:
                await self._app(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]}
        request_id = headers.get(REQUEST_ID_HEADER.lower()) or uuid7().hex
        scope.setdefault("state", {})["request_id"] = request_id
        structlog.contextvars.clear_contextvars()
        tracing.begin(headers.get("traceparent"))
        if scope.get("query_string"):
            # Among what it may hold are tickets, tokens of media, and what people look for.
            tracing.note("url.query", "REDACTED")
        structlog.contextvars.bind_contextvars(request_id=request_id)
        started, status, begun = monotonic(), 500, False

        async def send_with_id(message: Message) -> None:
            nonlocal status, begun
            if message["type"] == "http.response.start":
                begun = True
                # A plain number, also where a library sends an enumeration.
                status = int(message["status"])
                named = [header for header in message.get("headers", []) if header[0].lower() != b"x-request-id"]
                message = {**message, "headers": [*named, (b"x-request-id", request_id.encode("latin-1"))]}
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except asyncio.CancelledError:
            # This process ends, and the request has had the time there was.
            if not begun:
                await _leaving_response(scope)(scope, receive, send_with_id)
            raise
        except Exception:
            log.exception("request_failed", path=scope["path"])
            if not begun:
                await _bug_response(scope)(scope, receive, send_with_id)
        finally:
            self._measure(scope, status, monotonic() - started)

    def _measure(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "unmatched")
        # A caller may invent any word; the label must not grow without bound.
        method = scope["method"] if scope["method"] in _METHODS else "other"
        metrics.requests.labels(self._service, method, route, f"{status // 100}xx").observe(seconds)
        if not scope["path"].startswith(("/health", "/metrics")):
            log.info(
                "request",
                method=scope["method"],
                path=scope["path"],
                status=status,
                milliseconds=round(seconds * 1000, 1),
            )


def _bug_response(scope: Scope) -> Response:
    return error_response(
        scope,
        500,
        "internal_error",
        "Something went wrong on our side.",
        advice="Try again; if it stays, give an administrator the request id.",
    )


def _leaving_response(scope: Scope) -> Response:
    return error_response(
        scope,
        503,
        "unavailable",
        "This server is being restarted.",
        advice=_REPEAT,
        headers={"Retry-After": "1", **_CLOSE},
    )


class BodyLimit:
    """Refuses bodies over ``max_bytes`` with 413, except on paths that stream and count by themselves."""

    def __init__(self, app: ASGIApp, max_bytes: int, streaming: tuple[str, ...]) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._streaming = streaming

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(self._streaming):
            await self._app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > self._max_bytes:
            await self._refuse(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max_bytes:
                # FastAPI lets only this kind through while it reads a body.
                raise HTTPException(413, f"The body is larger than {self._max_bytes} bytes.", _CLOSE)
            return message

        await self._app(scope, counted, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = error_response(
            scope,
            413,
            "too_large",
            f"The body is larger than {self._max_bytes} bytes.",
            headers=_CLOSE,
        )
        # Who asks before sending (Expect: 100-continue) needs not send at all.
        if b"expect" not in dict(scope["headers"]):
            await read_past(receive, _LINGER_BYTES)
        await response(scope, receive, send)


async def read_past(receive: Receive, most_bytes: int) -> None:
    """Read the rest of a refused body, for five seconds and so far at the most. Raises what ``receive`` raises."""
    passed = 0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_LINGER_SECONDS):
            while passed < most_bytes:
                message = await receive()
                passed += len(message.get("body", b""))
                if message["type"] == "http.disconnect" or not message.get("more_body", False):
                    return


Ready = Callable[[], Awaitable[dict[str, bool]]]


def add_health(app: FastAPI, ready: Ready) -> None:
    """``/health/live`` never depends on others; ``/health/ready`` says whether to send work here."""

    async def live() -> dict[str, str]:
        return {"status": "alive"}

    async def readiness(response: Response) -> dict[str, bool]:
        checks = await ready()
        response.status_code = 200 if all(checks.values()) else 503
        return checks

    async def prometheus() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    app.add_api_route("/health/live", live, include_in_schema=False)
    app.add_api_route("/health/ready", readiness, include_in_schema=False)
    app.add_api_route("/metrics", prometheus, include_in_schema=False)
