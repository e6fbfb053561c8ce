"""The services behind the gateway, over HTTP: one client whose pool a hundred open streams cannot exhaust."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping

import httpx
from common.errors import ApiError, unavailable
from common.http import ErrorBody
from common.logs import get_logger
from pydantic import ValidationError

log = get_logger()

_READY_SECONDS = 3.0


class Upstreams:
    """Every service by its name; opened with the gateway, closed with it."""

    def __init__(self, urls: Mapping[str, str], *, connect_seconds: float, read_seconds: float) -> None:
        self._urls = dict(urls)
        self._timeout = httpx.Timeout(read_seconds, connect=connect_seconds, pool=None)
        self._client: httpx.AsyncClient | None = None

    @property
    def names(self) -> list[str]:
        return list(self._urls)

    async def open(self) -> None:
        # No limit on connections: an open stream must never make the next request wait for it.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=50, keepalive_expiry=30)
        self._client = httpx.AsyncClient(limits=limits, follow_redirects=False, trust_env=False)

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()

    @property
    def client(self) -> httpx.AsyncClient:
        if self._client is None:
            raise RuntimeError("the upstreams are not open")
        return self._client

    def request(
        self,
        service: str,
        method: str,
        path: str,
        headers: list[tuple[str, str]],
        *,
        query: bytes = b"",
        content: AsyncIterator[bytes] | bytes | None = None,
    ) -> httpx.Request:
        """A request with these headers and no others but what HTTP itself needs; ``path`` is percent-encoded."""
        url = httpx.URL(self._urls[service]).copy_with(raw_path=path.encode() + (b"?" + query if query else b""))
        return httpx.Request(
            method, url, headers=headers, content=content, extensions={"timeout": self._timeout.as_dict()}
        )

    async def send(self, service: str, request: httpx.Request) -> httpx.Response:
        """The answer with its body still to be read; close it. Raises ApiError 503 when the service is away."""
        try:
            return await self.client.send(request, stream=True)
        except httpx.TransportError as error:
            raise away(service) from error

    async def ask(self, service: str, request: httpx.Request) -> httpx.Response:
        """The whole answer, whatever its status. Raises ApiError 503 when the service is away."""
        response = await self.send(service, request)
        try:
            await response.aread()
        except httpx.TransportError as error:
            raise away(service) from error
        finally:
            await response.aclose()
        return response

    async def ready(self, service: str) -> dict[str, bool]:
        """What the service says of itself; {"reachable": False} when it does not answer."""
        try:
            async with asyncio.timeout(_READY_SECONDS):
                answer = await self.client.get(f"{self._urls[service]}/health/ready")
            return {str(name): bool(good) for name, good in answer.json().items()}
        except (httpx.HTTPError, TimeoutError, ValueError, AttributeError):
            return {"reachable": False}


def refusal(service: str, response: httpx.Response, for_the_user: Collection[int]) -> ApiError:
    """A refusal in the service's own words where they are for the user; any other is between the two services."""
    try:
        said = ErrorBody.model_validate_json(response.content)
    except ValidationError:
        return away(service)
    if response.status_code not in for_the_user:
        log.warning("upstream_refused", upstream=service, status=response.status_code, detail=said.detail)
        return away(service)
    return ApiError(response.status_code, said.error_type, said.detail, advice=said.advice)


def away(service: str) -> ApiError:
    return unavailable(f"The {service} service does not answer at the moment.", retry_after_seconds=5)
