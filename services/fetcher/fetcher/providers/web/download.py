"""Downloads that survive cut and stalling connections: attempts, resuming by Range, and every limit."""

import asyncio
import socket
import ssl
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import httpcore
import httpx
from common.errors import CannotProcess, TryAgain

from fetcher import metrics
from fetcher.domain import problems
from fetcher.domain.ranges import parse_content_range
from fetcher.domain.refusals import refusal
from fetcher.domain.sniff import HEAD_BYTES
from fetcher.providers.web.client import Answer, Client
from fetcher.providers.web.links import parse_link
from fetcher.providers.web.partial import Origin, Partial


@dataclass(frozen=True)
class Received:
    """``total_bytes`` when the server tells; ``resumable``: what is here need not be sent again later."""

    size_bytes: int
    total_bytes: int | None
    resumable: bool


# Called after every chunk; what it raises ends the download.
Watch = Callable[[Received], Awaitable[None]]

# An attempt that brings this much is progress: the count of failed attempts begins anew.
_PROGRESS_BYTES = 256 * 1024


@dataclass(frozen=True)
class Limits:
    """``attempts``: failed ones in a row, without progress between them; ``total_seconds``: over all restarts."""

    max_bytes: int
    attempts: int
    total_seconds: float
    pause_seconds: float = 1.0


class _Interrupted(Exception):
    """This attempt failed, the next one may not; ``verdict`` is what to say if none does."""

    def __init__(self, verdict: CannotProcess | TryAgain) -> None:
        super().__init__(str(verdict))
        self.verdict = verdict


class Downloader:
    """Brings one link into one partial file, over as many connections as it takes."""

    def __init__(self, client: Client, limits: Limits) -> None:
        self._client = client
        self._limits = limits

    async def download(self, url: str, partial: Partial, watch: Watch) -> None:
        """Returns when ``partial`` holds the whole file. Raises CannotProcess, TryAgain and what ``watch`` raises."""
        link = parse_link(url)
        furthest, failures = partial.size, 0
        while True:
            try:
                await self._attempt(link, partial, watch)
                break
            except _Interrupted as interruption:
                if partial.size >= furthest + _PROGRESS_BYTES:
                    furthest, failures = partial.size, 0
                failures += 1
                if failures >= self._limits.attempts:
                    raise interruption.verdict from interruption
            await asyncio.sleep(self._limits.pause_seconds * failures)
        if partial.size == 0:
            raise problems.empty()

    async def _attempt(self, link: httpx.URL, partial: Partial, watch: Watch) -> None:
        origin = _resumable(link, partial)
        if partial.size and partial.size == origin.total_bytes:
            return
        try:
            async with self._client.get(link, _range_headers(origin, partial)) as answer:
                origin = self._accept(answer, origin, partial)
                await self._receive(answer, origin, partial, watch)
        except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
            raise _unreachable(link, error) from error
        except (httpcore.TimeoutException, TimeoutError) as error:
            raise self._stalled(partial) from error
        except (httpcore.NetworkError, httpcore.ProtocolError) as error:
            raise _Interrupted(problems.cut(partial.size, origin.total_bytes)) from error

    def _accept(self, answer: Answer, origin: Origin, partial: Partial) -> Origin:
        """Judge status and headers, and begin the file anew where the server does not go on from where we were."""
        sent = parse_content_range(answer.headers.get("content-range"))
        if answer.status == 206 and sent and sent.start == partial.size and _same(sent.total, origin.total_bytes):
            origin = replace(origin, total_bytes=sent.total or origin.total_bytes)
        elif answer.status == 200:
            partial.restart()
            origin = Origin(origin.link, origin.started_at, _validator(answer), _whole_number(answer, "content-length"))
        elif answer.status in (206, 416):
            # It is another file now, or the server's ranges are not to be trusted: from zero, without Range.
            partial.restart()
            partial.note(Origin(origin.link, origin.started_at))
            raise _Interrupted(problems.cut(0, origin.total_bytes))
        else:
            _refuse(answer.status)
        encoding = answer.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in ("", "identity"):
            raise problems.encoded_answer(encoding)
        if origin.total_bytes is not None and origin.total_bytes > self._limits.max_bytes:
            raise problems.too_large(self._limits.max_bytes, origin.total_bytes)
        partial.note(origin)
        return origin

    async def _receive(self, answer: Answer, origin: Origin, partial: Partial, watch: Watch) -> None:
        content_type = answer.headers.get("content-type")
        judged, size = partial.size >= HEAD_BYTES, partial.size
        resumable = answer.status == 206 or answer.headers.get("accept-ranges", "").lower() == "bytes"
        pace = _Pace(self._client.stall_seconds)
        async for chunk in answer.response.aiter_stream():
            partial.append(chunk)
            metrics.downloaded.inc(len(chunk))
            size += len(chunk)
            if not judged and size >= HEAD_BYTES:
                _judge(partial, content_type)
                judged = True
            self._check_limits(size, origin)
            if pace.too_slow(len(chunk)):
                raise self._stalled(partial)
            await watch(Received(size, origin.total_bytes, resumable))
        if not judged and size:
            _judge(partial, content_type)
        if origin.total_bytes is not None and size < origin.total_bytes:
            raise _Interrupted(problems.cut(size, origin.total_bytes))

    def _check_limits(self, size: int, origin: Origin) -> None:
        if size > self._limits.max_bytes:
            raise problems.too_large(self._limits.max_bytes)
        if time.time() - origin.started_at > self._limits.total_seconds:
            raise problems.too_slow(self._limits.total_seconds)

    def _stalled(self, partial: Partial) -> _Interrupted:
        return _Interrupted(problems.stalled(self._client.stall_seconds, partial.size))


class _Pace:
    """Catches servers that drip: each byte in time, and the whole never."""

    _LEAST_BYTES = 4096

    def __init__(self, window_seconds: float) -> None:
        self._window_seconds = window_seconds
        self._since = time.monotonic()
        self._received = 0

    def too_slow(self, size: int) -> bool:
        """True when a window has passed that brought next to nothing."""
        self._received += size
        now = time.monotonic()
        if now - self._since < self._window_seconds:
            return False
        slow = self._received < self._LEAST_BYTES
        self._since, self._received = now, 0
        return slow


def _resumable(link: httpx.URL, partial: Partial) -> Origin:
    """What is known of this link's file; bytes without a known origin are thrown away."""
    origin = partial.origin()
    if origin is None or origin.link != str(link):
        partial.restart()
        origin = Origin(str(link), started_at=time.time())
        partial.note(origin)
    elif not (origin.validator or origin.total_bytes) or partial.size > (origin.total_bytes or partial.size):
        partial.restart()
    return origin


def _range_headers(origin: Origin, partial: Partial) -> dict[str, str]:
    """Without a validator the total must do: it is compared before a byte is taken."""
    if not partial.size:
        return {}
    headers = {"Range": f"bytes={partial.size}-"}
    return headers | {"If-Range": origin.validator} if origin.validator else headers


def _validator(answer: Answer) -> str | None:
    etag = answer.headers.get("etag", "")
    return etag if etag.startswith('"') else answer.headers.get("last-modified")


def _whole_number(answer: Answer, name: str) -> int | None:
    value = answer.headers.get(name, "").strip()
    return int(value) if value.isascii() and value.isdigit() else None


def _same(total: int | None, known: int | None) -> bool:
    return total is None or known is None or total == known


def _judge(partial: Partial, content_type: str | None) -> None:
    refused = refusal(partial.head(HEAD_BYTES), content_type)
    if refused is not None:
        raise refused


def _refuse(status: int) -> None:
    verdict = problems.refused_by_server(status)
    raise _Interrupted(verdict) if isinstance(verdict, TryAgain) else verdict


def _unreachable(link: httpx.URL, error: Exception) -> Exception:
    # httpcore breaks the chain of causes, but keeps the first one as its argument.
    reason = error.args[0] if error.args else None
    if isinstance(reason, socket.gaierror):
        return _Interrupted(problems.unknown_host(link.host))
    if isinstance(reason, ssl.SSLCertVerificationError):
        return problems.unreachable(link.host, "its certificate is not valid")
    if isinstance(reason, ssl.SSLError):
        return problems.unreachable(link.host, "it speaks no HTTPS there")
    return _Interrupted(problems.unreachable(link.host, "it accepts no connection"))
