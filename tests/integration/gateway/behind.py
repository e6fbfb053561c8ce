"""A service behind the gateway, for tests: it answers truly over a socket and remembers what reached it."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote
from uuid import uuid4

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

MEDIA = bytes(range(256)) * 400
TOO_LARGE = {
    "detail": "Too large for the fetcher.",
    "status_code": 413,
    "error_type": "too_large",
    "advice": "Cut it.",
    "errors": None,
    "request_id": "r",
}


@dataclass
class Behind:
    """What reached the service: requests, uploads as (filename, size, most bytes seen at once), streams that ended."""

    seen: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    uploads: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    dropped: list[str] = field(default_factory=list[str])
    broken_uploads: int = 0
    open_streams: int = 0
    cancelled_streams: int = 0
    upload_limit: int | None = None
    # What the fetcher finds in the next upload of subtitles, as (status, body); None: the upload is one file.
    subtitles: tuple[int, dict[str, Any]] | None = None
    first_bytes: asyncio.Event = field(default_factory=asyncio.Event)

    def app(self) -> Starlette:
        everything = ["GET", "POST", "PUT", "HEAD"]
        return Starlette(
            routes=[
                Route("/internal/uploads", self.upload, methods=["POST"]),
                Route("/internal/uploads/{upload_id}/subtitles", self.look_into, methods=["POST"]),
                Route("/internal/uploads/{upload_id}", self.drop, methods=["DELETE"]),
                Route("/api/recordings/{asset_id}/media", self.media, methods=["GET", "HEAD"]),
                Route("/api/stream", self.stream),
                Route("/api/half", self.half),
                Route("/api/slow", self.slow),
                Route("/api/answers", self.slow, methods=["POST"]),
                Route("/api/moved", self.moved),
                Route("/{path:path}", self.echo, methods=everything),
            ]
        )

    async def echo(self, request: Request) -> Response:
        body = await request.body()
        seen = {
            "method": request.method,
            "path": request.scope["raw_path"].decode(),
            "query": request.scope["query_string"].decode(),
            "headers": [[k.decode(), v.decode()] for k, v in request.headers.raw],
            "body": body.decode("latin-1") if len(body) < 1000 else f"{len(body)} bytes",
        }
        self.seen.append(seen)
        return JSONResponse(seen)

    async def media(self, request: Request) -> Response:
        self.seen.append({"path": request.url.path, "headers": [[k, v] for k, v in request.headers.items()]})
        first, last = 0, len(MEDIA) - 1
        headers = {"Accept-Ranges": "bytes", "ETag": '"m"'}
        if asked := request.headers.get("range"):
            low, _, high = asked.removeprefix("bytes=").partition("-")
            first, last = int(low), min(int(high or last), last)
            if first > last:
                return Response(status_code=416, headers={"Content-Range": f"bytes */{len(MEDIA)}"})
            headers["Content-Range"] = f"bytes {first}-{last}/{len(MEDIA)}"
        return Response(MEDIA[first : last + 1], 206 if asked else 200, headers, "audio/ogg")

    async def stream(self, request: Request) -> Response:
        """Server-sent events without end."""

        async def events() -> AsyncIterator[str]:
            self.open_streams += 1
            try:
                number = 0
                while True:
                    yield f"id: {number}\ndata: {json.dumps({'n': number})}\n\n"
                    number += 1
                    await asyncio.sleep(0.02 if number < 5 else 3600)
            finally:
                self.open_streams -= 1
                self.cancelled_streams += 1

        return StreamingResponse(events(), media_type="text/event-stream")

    async def half(self, request: Request) -> Response:
        """Promises more than it gives, then breaks off."""

        async def pieces() -> AsyncIterator[bytes]:
            yield b"half"
            await asyncio.sleep(0.05)
            raise ConnectionAbortedError

        return StreamingResponse(pieces(), headers={"Content-Length": "100"})

    async def slow(self, request: Request) -> Response:
        """Has nothing to say for a very long time."""
        self.open_streams += 1
        try:
            while not await request.is_disconnected():
                await asyncio.sleep(0.02)
        finally:
            self.open_streams -= 1
            self.cancelled_streams += 1
        return Response()

    async def moved(self, request: Request) -> Response:
        return RedirectResponse("http://169.254.169.254/latest", 307)

    async def upload(self, request: Request) -> Response:
        digest, size, largest = hashlib.sha256(), 0, 0
        try:
            async for piece in request.stream():
                self.first_bytes.set()
                digest.update(piece)
                size, largest = size + len(piece), max(largest, len(piece))
                if self.upload_limit is not None and size > self.upload_limit:
                    return JSONResponse(TOO_LARGE, 413)
        except ClientDisconnect:
            self.broken_uploads += 1
            raise
        upload_id = str(uuid4())
        name = unquote(request.headers["x-upload-filename"])
        self.uploads[upload_id] = {
            "filename": name,
            "size": size,
            "largest": largest,
            "service": request.headers.get("x-earshot-service", ""),
        }
        answer = {"upload_id": upload_id, "size_bytes": size, "sha256": digest.hexdigest()}
        return JSONResponse(answer, 201)

    async def drop(self, request: Request) -> Response:
        self.dropped.append(request.path_params["upload_id"])
        return Response(status_code=204)

    async def look_into(self, request: Request) -> Response:
        upload_id = request.path_params["upload_id"]
        if self.subtitles is not None:
            status, body = self.subtitles
            return JSONResponse(body, status)
        file = {"upload_id": upload_id, "filename": self.uploads[upload_id]["filename"]}
        return JSONResponse({"files": [file], "refused": []})
