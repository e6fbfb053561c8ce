"""Asks the gateways as a careful user does: again when no answer comes, with a key where that must not count twice."""

import asyncio
import itertools
import time
from dataclasses import dataclass
from typing import Any

import httpx

from tests.faults.book import Book

_PATIENCE_SECONDS = 240.0
_PAUSE_SECONDS = 0.3
_AGAIN = (429, 502, 503, 504)
# Nothing was sent, so nothing can have been done.
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


class Unanswered(Exception):
    """No gateway gave an answer within the time that any fault of ours lasts."""


@dataclass(frozen=True)
class Answer:
    """``doubts``: earlier tries of the same request that may have been carried out, though nobody said so."""

    status: int
    body: dict[str, Any]
    doubts: int


class Asking:
    """Requests go to the gateways in turn; a bug's answer (500) is noted, and asked again too."""

    def __init__(self, client: httpx.AsyncClient, gateways: list[str], book: Book) -> None:
        self._client = client
        self._turns = itertools.cycle(gateways)
        self._book = book
        self.asked = 0

    async def ask(self, method: str, path: str, **options: Any) -> Answer:
        """``options`` as httpx takes them. Raises Unanswered."""
        until, doubts = time.monotonic() + _PATIENCE_SECONDS, 0
        while time.monotonic() < until:
            self.asked += 1
            try:
                response = await self._client.request(method, next(self._turns) + path, **options)
            except _NEVER_SENT:
                pass
            except httpx.TransportError:
                doubts += 1
            else:
                if response.status_code < 500 and response.status_code not in _AGAIN:
                    return Answer(response.status_code, response.json() if response.content else {}, doubts)
                doubts += response.status_code != 429
                if response.status_code not in _AGAIN:
                    self._book.bugs[f"{method} {_route(path)}: {response.status_code} {response.text[:200]}"] += 1
            await asyncio.sleep(_PAUSE_SECONDS)
        self._book.unanswered.append(f"{method} {path}")
        raise Unanswered(f"{method} {path}")


def _route(path: str) -> str:
    return "/".join("…" if len(part) > 30 else part for part in path.split("/"))
