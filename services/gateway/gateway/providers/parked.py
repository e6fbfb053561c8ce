"""The other services' parked messages, over HTTP, in the name of the administrator who asks."""

import asyncio
from collections.abc import Mapping
from typing import Protocol, TypeVar
from urllib.parse import urlencode
from uuid import UUID

from common import tracing
from common.identity import IDENTITY_HEADER, Caller, Signer
from common.parked import Which
from common.parked_api import PREFIX, Backlog, ParkedContent, ParkedItem, Replayed
from pydantic import TypeAdapter, ValidationError

from gateway.providers.upstreams import Upstreams, away, refusal

# One that is frozen must not keep the others' answers back.
_PATIENCE_SECONDS = 5.0
_ITEMS = TypeAdapter(list[ParkedItem])
_CONTENT = TypeAdapter(ParkedContent)
_REPLAYED = TypeAdapter(Replayed)
_BACKLOG = TypeAdapter(Backlog)
Answer = TypeVar("Answer")


class Shelf(Protocol):
    """The parked messages of one service. Every question raises ApiError 503 when the service is away."""

    async def page(self, which: Which, before: UUID | None, limit: int) -> list[ParkedItem]: ...

    async def read(self, parked_id: UUID) -> ParkedContent: ...

    async def drop(self, parked_id: UUID, by: UUID) -> None: ...

    async def replay(self, parked_id: UUID, by: UUID) -> Replayed: ...

    async def replay_all(self, type_: str | None, by: UUID) -> Replayed: ...

    async def backlog(self) -> Backlog: ...


class RemoteShelf:
    """The shelf of a service behind the gateway; whom it is done for stands in the signed identity."""

    def __init__(self, upstreams: Upstreams, signer: Signer, service: str, admin: UUID) -> None:
        self._upstreams = upstreams
        self._signer = signer
        self._service = service
        self._admin = admin

    async def page(self, which: Which, before: UUID | None, limit: int) -> list[ParkedItem]:
        asked = {"type": which.type, "id": which.id, "short_id": which.short_id, "before": before, "limit": limit}
        return self._read(_ITEMS, await self._ask("GET", "", asked))

    async def read(self, parked_id: UUID) -> ParkedContent:
        return self._read(_CONTENT, await self._ask("GET", f"/{parked_id}", for_the_user=(404,)))

    async def drop(self, parked_id: UUID, by: UUID) -> None:
        await self._ask("DELETE", f"/{parked_id}", for_the_user=(404,))

    async def replay(self, parked_id: UUID, by: UUID) -> Replayed:
        return self._read(_REPLAYED, await self._ask("POST", f"/{parked_id}/replay", for_the_user=(404, 409)))

    async def replay_all(self, type_: str | None, by: UUID) -> Replayed:
        # Thousands take their time; the upstreams' own limit ends it.
        return self._read(_REPLAYED, await self._ask("POST", "/replay", {"type": type_}, patience=None))

    async def backlog(self) -> Backlog:
        return self._read(_BACKLOG, await self._ask("GET", "/backlog"))

    async def _ask(
        self,
        method: str,
        path: str,
        asked: Mapping[str, object] | None = None,
        *,
        patience: float | None = _PATIENCE_SECONDS,
        for_the_user: tuple[int, ...] = (),
    ) -> bytes:
        identity = self._signer.user_token(Caller(self._admin, is_admin=True))
        headers = [(IDENTITY_HEADER, identity), ("traceparent", tracing.current())]
        query = urlencode({name: value for name, value in (asked or {}).items() if value is not None})
        request = self._upstreams.request(self._service, method, PREFIX + path, headers, query=query.encode())
        try:
            async with asyncio.timeout(patience):
                response = await self._upstreams.ask(self._service, request)
        except TimeoutError as error:
            raise away(self._service) from error
        if response.is_success:
            return response.content
        raise refusal(self._service, response, for_the_user)

    def _read(self, shape: TypeAdapter[Answer], body: bytes) -> Answer:
        try:
            return shape.validate_json(body)
        except ValidationError as error:
            # Of another version, or something else that answers in its place.
            raise away(self._service) from error
