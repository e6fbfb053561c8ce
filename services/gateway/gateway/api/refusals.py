"""Refusing a request whose body is still on its way."""

import contextlib

from common.errors import ApiError
from common.http import api_error, read_past
from fastapi import Request, Response
from starlette.types import Receive, Scope, Send

# A client that is cut off while it sends may never see why; one that sends for ever is cut off all the same.
_LINGER_BYTES = 16 * 1024 * 1024


class Refusal(Response):
    """An error that is sent at once; the rest of the body is read past for a moment, then the connection closes."""

    def __init__(self, request: Request, error: ApiError) -> None:
        answer = api_error(request, error)
        super().__init__(answer.body, answer.status_code, dict(answer.headers) | {"Connection": "close"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        with contextlib.suppress(ApiError):
            await read_past(receive, _LINGER_BYTES)
        await send({"type": "http.response.body", "body": b"", "more_body": False})
