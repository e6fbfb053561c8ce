"""A tool's questions: to our own tables, and to the services in the name of the user behind the call."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from urllib.parse import urlencode
from uuid import UUID

from common.identity import Caller
from pydantic import BaseModel, ValidationError

from gateway.auth.access import resolve_asset
from gateway.auth.principal import Principal
from gateway.door import Door
from gateway.forwarding.headers import signed
from gateway.providers.upstreams import away, refusal
from gateway.queries.access import AssetAccess

Answer = TypeVar("Answer", bound=BaseModel)
Query = Iterable[tuple[str, object]]
# Where in the scope of a request of the protocol its asker stands.
ASKER = "earshot.asker"
# What a service says with these is for whoever asked; anything else is between the services.
_FOR_THE_USER = (403, 404, 409, 413, 422, 429, 503)


@dataclass(frozen=True)
class Asker:
    """The user behind one call of a tool; ``base_url`` is the server's address as the caller knows it."""

    door: Door
    principal: Principal
    base_url: str
    request_id: str

    @property
    def user_id(self) -> UUID:
        return self.principal.user_id

    def link(self, path: str) -> str:
        """The whole address of a page of ours; what is one already stays."""
        return f"{self.base_url.rstrip('/')}{path}" if path.startswith("/") else path

    async def asset(self, name: str) -> AssetAccess:
        """``name`` is a full or a short id. Raises ApiError 404 for what this user may not see."""
        async with self.door.service.db.acquire() as conn:
            return await resolve_asset(conn, self.user_id, name)

    async def assets(self, names: Iterable[str] | None) -> list[UUID] | None:
        """The full ids of all. Raises ApiError 404 as ``asset`` does."""
        return [(await self.asset(name)).asset_id for name in names] if names is not None else None

    async def read(
        self, shape: type[Answer], service: str, path: str, query: Query, seen: AssetAccess | None = None
    ) -> Answer:
        """GET; what is None is left out of the query. Raises ApiError in the service's words, or 503 when away."""
        given = [(name, _text(value)) for name, value in query if value is not None]
        return await self._ask(shape, service, "GET", path, seen, query=urlencode(given).encode())

    async def post(self, shape: type[Answer], service: str, path: str, body: BaseModel) -> Answer:
        """POST without the fields that are None. Raises ApiError as ``read`` does."""
        return await self._ask(
            shape, service, "POST", path, None, content=body.model_dump_json(exclude_none=True).encode()
        )

    async def _ask(
        self,
        shape: type[Answer],
        service: str,
        method: str,
        path: str,
        seen: AssetAccess | None,
        *,
        query: bytes = b"",
        content: bytes | None = None,
    ) -> Answer:
        upstreams = self.door.upstreams
        headers = self._headers(seen)
        if content is not None:
            headers.append(("Content-Type", "application/json"))
        request = upstreams.request(service, method, path, headers, query=query, content=content)
        response = await upstreams.ask(service, request)
        if not response.is_success:
            raise refusal(service, response, for_the_user=_FOR_THE_USER)
        try:
            return shape.model_validate_json(response.content)
        except ValidationError as error:
            # Of another version, or something else that answers in its place.
            raise away(service) from error

    def _headers(self, seen: AssetAccess | None) -> list[tuple[str, str]]:
        caller = Caller(self.user_id, self.principal.acts_as_admin)
        if seen is not None:
            caller = Caller(self.user_id, caller.is_admin, seen.asset_id, seen.role, seen.collection_id)
        return signed(self.door.signer, caller, self.request_id)


def _text(value: object) -> str:
    """As a query says it: ISO 8601 times, everything else as it prints."""
    return value.isoformat() if isinstance(value, datetime) else str(value)
