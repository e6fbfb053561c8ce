"""Reads a provider's server-sent events (WHATWG HTML, 9.2) as JSON objects: nothing is made of what nobody uses."""

import asyncio
import json
import ssl
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress
from typing import Any, cast

import anyio
import httpx2

from chat.providers import failures
from chat.providers.model import Failed

# Of one event. It bounds what a hostile stream can make us hold.
_LONGEST_BYTES = 4 * 1024 * 1024
_REST_SECONDS = 0.5
_MARK = b"\xef\xbb\xbf"


class Unreadable(Exception):
    """The stream is no stream of JSON objects."""


# The last ones of the network are those that httpx2 lets through from under TLS.
BROKEN = (httpx2.HTTPError, Unreadable, ssl.SSLError, anyio.EndOfStream)


def failure(error: Exception) -> Failed:
    """What one of ``BROKEN`` means for the answer."""
    if isinstance(error, httpx2.TimeoutException):
        return failures.too_slow()
    return failures.broken(repr(error.__cause__ or error))


async def read_objects(chunks: AsyncIterator[bytes]) -> AsyncGenerator[dict[str, Any]]:
    """The data of each event, up to OpenAI's ``[DONE]``; ``chunks`` may be cut anywhere. Raises Unreadable."""
    events = _Events()
    async for chunk in chunks:
        for data in events.feed(chunk):
            if data.startswith(b"[DONE]"):
                await _read_rest(chunks)
                return
            yield _object(data)
    # Some servers leave out the empty line behind the last event.
    for data in events.feed(b"\n\n"):
        if not data.startswith(b"[DONE]"):
            yield _object(data)


async def _read_rest(chunks: AsyncIterator[bytes]) -> None:
    """Read to its end, the connection can be used again. The answer is whole, whatever becomes of that."""
    with suppress(TimeoutError, *BROKEN):
        async with asyncio.timeout(_REST_SECONDS):
            async for _ in chunks:
                pass


class _Events:
    """Feed it bytes; it gives the data of the events that are whole, without empty ones."""

    def __init__(self) -> None:
        self._lines = Lines()
        self._data: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        found: list[bytes] = []
        for line in self._lines.feed(chunk):
            if line.startswith(b"data:"):
                self._add(line[5:].removeprefix(b" "))
            elif not line:
                if data := b"\n".join(self._data).strip():
                    found.append(data)
                self._data, self._size = [], 0
        return found

    def _add(self, data: bytes) -> None:
        self._data.append(data)
        self._size += len(data)
        if self._size > _LONGEST_BYTES:
            raise Unreadable("an event without an end")


class Lines:
    """Feed it bytes cut anywhere. Lines end with CR LF, LF, or CR; only what no line end follows yet is held."""

    def __init__(self) -> None:
        self._held = b""
        self._begun = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """Raises Unreadable where no line ends for too long."""
        text = self._held + chunk
        if not self._begun:
            if len(text) < len(_MARK) and _MARK.startswith(text):
                self._held = text
                return []
            text, self._begun = text.removeprefix(_MARK), True
        # A CR at the end may be half of a line end.
        whole, cr = (text[:-1], b"\r") if text.endswith(b"\r") else (text, b"")
        *lines, rest = whole.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        self._held = rest + cr
        if len(self._held) > _LONGEST_BYTES:
            raise Unreadable("a line without an end")
        return lines


def _object(data: bytes) -> dict[str, Any]:
    try:
        found: object = json.loads(data)
    except (ValueError, RecursionError):
        raise Unreadable(f"no JSON: {data[:60]!r}") from None
    if not isinstance(found, dict):
        raise Unreadable(f"no JSON object: {data[:60]!r}")
    return cast("dict[str, Any]", found)
