"""What the services hold of a recording, asked for in the name of the user who exports it."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from uuid import UUID

import httpx
from common.identity import Caller, Signer
from pydantic import BaseModel, ValidationError

from gateway.forwarding.headers import signed
from gateway.providers.upstreams import Upstreams, away, refusal


class _Told(BaseModel):
    """As much of a transcript or a summary as says whether it is finished."""

    complete: bool = False
    status: str = ""


@dataclass(frozen=True)
class Sound:
    """The playback copy; reading `pieces` raises ApiError 503 when it breaks off."""

    media_type: str
    pieces: AsyncIterator[bytes]


@dataclass(frozen=True)
class Sources:
    """`caller`: with the role in the collection. Whatever is asked raises ApiError 503 when its service is away."""

    upstreams: Upstreams
    signer: Signer
    caller: Caller
    request_id: str

    async def transcript(self, asset_id: UUID) -> bytes | None:
        """As JSON with words; None where there is none that is complete."""
        path, query = f"/api/recordings/{asset_id}/transcript", b"format=json&words=true"
        body = await self._document("asr", path, asset_id, query)
        return body if body is not None and _told("asr", body).complete else None

    async def summary(self, asset_id: UUID) -> bytes | None:
        """None where there is none, or it is being written."""
        body = await self._document("chat", f"/api/assets/{asset_id}/summary", asset_id)
        return body if body is not None and _told("chat", body).status == "ready" else None

    @asynccontextmanager
    async def media(self, asset_id: UUID) -> AsyncGenerator[Sound | None]:
        """None where none is kept."""
        request = self._request("fetcher", f"/api/recordings/{asset_id}/media", asset_id)
        response = await self.upstreams.send("fetcher", request)
        try:
            if response.status_code == 404:
                yield None
                return
            if response.status_code != 200:
                raise away("fetcher")
            yield Sound(response.headers.get("content-type", ""), _pieces("fetcher", response))
        finally:
            await response.aclose()

    async def _document(self, service: str, path: str, asset_id: UUID, query: bytes = b"") -> bytes | None:
        response = await self.upstreams.ask(service, self._request(service, path, asset_id, query))
        if response.status_code == 404:
            return None
        if response.status_code != 200:
            raise refusal(service, response, for_the_user=())
        return response.content

    def _request(self, service: str, path: str, asset_id: UUID, query: bytes = b"") -> httpx.Request:
        # Signed for each anew: an identity is good for a minute, an export may take hours.
        headers = signed(self.signer, replace(self.caller, asset_id=asset_id), self.request_id)
        return self.upstreams.request(service, "GET", path, headers, query=query)


def _told(service: str, body: bytes) -> _Told:
    try:
        return _Told.model_validate_json(body)
    except ValidationError as error:
        # Of another version, or something else that answers in its place.
        raise away(service) from error


async def _pieces(service: str, response: httpx.Response) -> AsyncIterator[bytes]:
    try:
        async for piece in response.aiter_raw():
            yield piece
    except httpx.TransportError as error:
        raise away(service) from error
