"""The endpoint of the Model Context Protocol: who asks is settled here, what is asked by ``gateway.tools``."""

import asyncio
from typing import TYPE_CHECKING

from common.errors import ApiError, forbidden
from common.http import request_id_of
from fastapi import APIRouter, Request
from starlette.requests import ClientDisconnect
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from gateway import metrics
from gateway.api.refusals import Refusal
from gateway.auth.principal import Principal, Requires, is_own_origin
from gateway.door import Door
from gateway.tools.asking import ASKER, Asker

if TYPE_CHECKING:
    from gateway.tools.protocol import AgentServer

PATH = "/mcp"


class Agents:
    """The ASGI endpoint; the protocol's own code is loaded with the first request that is let in."""

    def __init__(self) -> None:
        self._server: AgentServer | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        door: Door = scope["app"].state.door
        try:
            principal = await _admit(request, door)
        except ApiError as error:
            await Refusal(request, error)(scope, receive, send)
            return
        try:
            body = await request.body()
        except ClientDisconnect:
            return
        server = await self._loaded(door)
        asker = Asker(door, principal, door.settings.public_url or str(request.base_url), request_id_of(request))
        await server.answer({**scope, ASKER: asker}, _again(body, receive), send)

    async def _loaded(self, door: Door) -> "AgentServer":
        if self._server is None:
            # In a thread: it takes up to a second, in which everybody else goes on being served.
            self._server = await asyncio.to_thread(_load, door.settings.max_json_bytes)
        return self._server


def agents_router() -> APIRouter:
    router = APIRouter()
    # Nothing is kept between requests, so there is neither a stream to GET nor a session to DELETE.
    router.routes.append(Route(PATH, Agents(), methods=["POST"], include_in_schema=False))
    return router


def _load(max_body_bytes: int) -> "AgentServer":
    from gateway.tools.protocol import AgentServer

    return AgentServer(max_body_bytes)


async def _admit(request: Request, door: Door) -> Principal:
    """Raises ApiError 401, 403 or 429. The tools only read, although every request of the protocol is a POST."""
    if "origin" in request.headers and not is_own_origin(request, door):
        metrics.refused.labels("origin").inc()
        raise forbidden(
            "Pages of other sites may not use Earshot's tools.",
            advice="Name the site in GATEWAY_CORS_ORIGINS, or call from a program.",
        )
    try:
        return await Requires("read")(request, door)
    except ApiError as error:
        raise _challenged(error, request) from error


def _challenged(error: ApiError, request: Request) -> ApiError:
    """The refusal with the challenge of RFC 6750, by which clients tell a missing key from a wrong or a weak one."""
    shown = "authorization" in request.headers or "x-api-key" in request.headers
    reasons = {401: ', error="invalid_token"' if shown else "", 403: ', error="insufficient_scope", scope="read"'}
    if error.status_code not in reasons:
        return error
    challenge = f'Bearer realm="Earshot"{reasons[error.status_code]}'
    return ApiError(
        error.status_code,
        error.error_type,
        error.detail,
        advice=error.advice,
        headers={**error.headers, "WWW-Authenticate": challenge},
    )


def _again(body: bytes, receive: Receive) -> Receive:
    """What was read, given once more; after it comes what really comes: the client's leaving."""
    given = False

    async def read() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return read
