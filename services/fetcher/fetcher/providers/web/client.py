"""One GET over the checked network, redirects followed by hand, so that each of them is checked again."""

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache

import certifi
import httpcore
import httpx
from common.errors import CannotProcess

from fetcher.domain import problems
from fetcher.providers.web.links import follow

_REDIRECTS = (301, 302, 303, 307, 308)
_USER_AGENT = "Earshot (+https://github.com/earshot)"


@cache
def _tls() -> ssl.SSLContext:
    """Trusts the system's authorities and Mozilla's: a slim container has only the latter, a closed network its own."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


@dataclass(frozen=True)
class Answer:
    """A server's answer that is no redirect; header names are lower case."""

    link: httpx.URL
    status: int
    headers: dict[str, str]
    response: httpcore.Response


@dataclass(frozen=True)
class Client:
    """``stall_seconds`` bounds every wait for bytes, ``connect_seconds`` that for a connection."""

    network: httpcore.AsyncNetworkBackend
    connect_seconds: float
    stall_seconds: float
    max_redirects: int = 5
    tls: ssl.SSLContext | None = None

    @asynccontextmanager
    async def get(self, link: httpx.URL, headers: dict[str, str]) -> AsyncGenerator[Answer]:
        """Raises CannotProcess, httpcore's errors and TimeoutError."""
        pool = httpcore.AsyncConnectionPool(
            ssl_context=self.tls or _tls(), network_backend=self.network, max_keepalive_connections=0
        )
        async with pool:
            answer = await self._follow(pool, link, headers)
            try:
                yield answer
            finally:
                await answer.response.aclose()

    async def _follow(self, pool: httpcore.AsyncConnectionPool, link: httpx.URL, headers: dict[str, str]) -> Answer:
        for turn in range(self.max_redirects + 1):
            answer = await self._ask(pool, link, headers, redirected=turn > 0)
            location = answer.headers.get("location")
            if answer.status not in _REDIRECTS or not location:
                return answer
            await answer.response.aclose()
            link = follow(link, location)
        raise problems.too_many_redirects(self.max_redirects)

    async def _ask(
        self, pool: httpcore.AsyncConnectionPool, link: httpx.URL, headers: dict[str, str], *, redirected: bool
    ) -> Answer:
        request = httpcore.Request(
            "GET",
            httpcore.URL(scheme=link.raw_scheme, host=link.raw_host, port=link.port, target=link.raw_path),
            headers=_wire_headers(link, headers),
            extensions={"timeout": self._timeouts()},
        )
        try:
            # A server that drips its headers byte by byte never trips a timeout between two bytes.
            async with asyncio.timeout(1.5 * self.stall_seconds):
                response = await pool.handle_async_request(request)
        except CannotProcess as refused:
            if redirected and refused.category == "forbidden_address":
                raise problems.forbidden_address(link.host, redirected=True) from refused
            raise
        fields = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
        return Answer(link, response.status, fields, response)

    def _timeouts(self) -> dict[str, float]:
        return {
            "connect": self.connect_seconds,
            "read": self.stall_seconds,
            "write": self.stall_seconds,
            "pool": self.connect_seconds,
        }


def _wire_headers(link: httpx.URL, headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    """Nothing of ours travels but these: no cookies, no credentials, no referrer."""
    fields = {"Host": link.netloc.decode("ascii"), "User-Agent": _USER_AGENT, "Accept": "*/*"}
    # Packed answers could not be resumed, and could unpack to anything.
    fields |= {"Accept-Encoding": "identity"} | headers
    return [(name.encode("ascii"), value.encode("latin-1")) for name, value in fields.items()]
