"""A loopback HTTP server of recordings that can also stall, cut, redirect and refuse, as the world does."""

import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

Behaviour = Callable[[BaseHTTPRequestHandler, bytes], None]


class MediaServer:
    """``serve("x.flac", data)`` answers its URL; ``requests`` counts what was asked."""

    def __init__(self) -> None:
        self._files: dict[str, tuple[bytes, Behaviour]] = {}
        self.requests: list[str] = []
        self.leaving = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer.requests.append(self.path)
                found = outer._files.get(self.path.lstrip("/"))
                if found is None:
                    self.send_error(404)
                    return
                data, behave = found
                behave(self, data)

            def log_message(self, *_words: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def serve(self, name: str, data: bytes = b"", behave: Behaviour | None = None) -> str:
        """The URL at which ``data`` is to be had from now on, in the manner of ``behave``."""
        self._files[name] = (data, behave or plainly)
        return f"http://127.0.0.1:{self.port}/{name}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leaving.set()
        self._server.shutdown()
        self._server.server_close()


def plainly(request: BaseHTTPRequestHandler, data: bytes) -> None:
    """With ranges and a validator, as good servers do."""
    wanted = request.headers.get("Range", "")
    start = int(wanted.removeprefix("bytes=").split("-")[0]) if wanted.startswith("bytes=") else 0
    request.send_response(206 if start else 200)
    if start:
        request.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
    request.send_header("Content-Type", "application/octet-stream")
    request.send_header("ETag", '"the-one"')
    request.send_header("Accept-Ranges", "bytes")
    request.send_header("Content-Length", str(len(data) - start))
    request.end_headers()
    request.wfile.write(data[start:])


def cut_once() -> Behaviour:
    """The first connection breaks half-way; later ones are answered properly."""
    seen: list[bool] = []

    def behave(request: BaseHTTPRequestHandler, data: bytes) -> None:
        if seen:
            plainly(request, data)
            return
        seen.append(True)
        request.send_response(200)
        request.send_header("ETag", '"the-one"')
        request.send_header("Accept-Ranges", "bytes")
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        request.wfile.write(data[: len(data) // 2])
        request.wfile.flush()
        request.connection.close()
        request.close_connection = True

    return behave


def stalls(leaving: threading.Event) -> Behaviour:
    """A few bytes, then nothing more, and no end either."""

    def behave(request: BaseHTTPRequestHandler, data: bytes) -> None:
        request.send_response(200)
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        request.wfile.write(data[:100])
        request.wfile.flush()
        leaving.wait(300)

    return behave


def redirects_to(url: str) -> Behaviour:
    def behave(request: BaseHTTPRequestHandler, _data: bytes) -> None:
        request.send_response(302)
        request.send_header("Location", url)
        request.send_header("Content-Length", "0")
        request.end_headers()

    return behave


def as_html(request: BaseHTTPRequestHandler, _data: bytes) -> None:
    page = b"<!doctype html><html><body>Watch our video here!</body></html>"
    request.send_response(200)
    request.send_header("Content-Type", "text/html; charset=utf-8")
    request.send_header("Content-Length", str(len(page)))
    request.end_headers()
    request.wfile.write(page)


def slowly(seconds: float) -> Behaviour:
    """Answers properly, but takes its time: for tests that act while a download is under way."""

    def behave(request: BaseHTTPRequestHandler, data: bytes) -> None:
        request.send_response(200)
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        steps = 20
        size = max(1, len(data) // steps)
        for start in range(0, len(data), size):
            request.wfile.write(data[start : start + size])
            request.wfile.flush()
            time.sleep(seconds / steps)

    return behave
