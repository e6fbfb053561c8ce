"""The exchange with a service: bytes both ways as they come, ended at once when either side leaves."""

import asyncio
from collections.abc import AsyncIterator, Coroutine

import httpx
from common.logs import get_logger
from starlette.types import Receive, Send

from gateway import metrics
from gateway.forwarding.headers import outward
from gateway.providers.upstreams import Upstreams

log = get_logger()


class ClientLeft(Exception):
    """The client is gone; nobody waits for an answer."""


class Body:
    """The request's body as a stream, and the news that the client has left."""

    def __init__(self, receive: Receive, *, expected: bool) -> None:
        self._receive = receive
        self._complete = asyncio.Event()
        if not expected:
            self._complete.set()

    async def chunks(self) -> AsyncIterator[bytes]:
        """Raises ClientLeft when the client goes away in the middle."""
        more = True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientLeft
            if chunk := message.get("body", b""):
                yield chunk
            more = message.get("more_body", False)
        self._complete.set()

    async def left(self) -> None:
        """Returns when the client leaves after its body is complete."""
        await self._complete.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass


async def exchange(upstreams: Upstreams, service: str, request: httpx.Request, send: Send) -> None:
    """Send the request and stream the answer back. Raises ApiError 503 when the service is away."""
    response = await upstreams.send(service, request)
    try:
        metrics.forwarded.labels(service, f"{response.status_code // 100}xx").inc()
        await send(
            {
                "type": "http.response.start",
                "status": response.status_code,
                "headers": outward(response.headers.raw),
            }
        )
        async for chunk in response.aiter_raw():
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
    except httpx.TransportError as error:
        # The answer has begun: leaving it unfinished makes the server cut the connection, so that the client
        # does not take half an answer for a whole one.
        log.warning("upstream_broke_off", upstream=service, error=repr(error))
    finally:
        await response.aclose()


async def while_client_stays(work: Coroutine[None, None, None], body: Body) -> None:
    """Run the work to its end, or cancel it when the client leaves before."""
    working, leaving = asyncio.create_task(work), asyncio.create_task(body.left())
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
    except ClientLeft:
        log.info("client_left_while_sending")
    finally:
        for task in (working, leaving):
            task.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)
