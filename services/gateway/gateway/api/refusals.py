"""Refusing a request whose body is still on its way."""

import asyncio
import contextlib

from common.errors import ApiError
from common.http import api_error
from fastapi import Request, Response
from starlette.types import Receive, Scope, Send

# A client that is cut off while it sends may never see why; one that sends for ever is cut off all the same.
_LINGER_BYTES = 16 * 1024 * 1024
_LINGER_SECONDS = 5.0


class Refusal(Response):
    """An error that is sent at once; the rest of the body is read past for a moment, then the connection closes."""

    def __init__(self, request: Request, error: ApiError) -> None:
        answer = api_error(request, error)
        super().__init__(answer.body, answer.status_code, dict(answer.headers) | {"Connection": "close"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        with contextlib.suppress(TimeoutError, ApiError):
            async with asyncio.timeout(_LINGER_SECONDS):
                await _read_past(receive)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _read_past(receive: Receive) -> None:
    passed = 0
    while passed < _LINGER_BYTES:
        message = await receive()
        passed += len(message.get("body", b""))
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            return
