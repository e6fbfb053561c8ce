"""One forwarded request: admit it, sign who asks, stream both ways, and stop upstream when the client leaves."""

from dataclasses import replace
from typing import Any
from urllib.parse import quote
from uuid import UUID

from common.errors import ApiError
from common.http import REQUEST_ID_HEADER, request_id_of
from common.identity import Caller
from fastapi import APIRouter, Request
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from gateway.api.refusals import Refusal
from gateway.auth.access import check_role, resolve_asset, resolve_collection
from gateway.auth.principal import Requires, identify
from gateway.domain.scopes import Role
from gateway.door import Door
from gateway.forwarding.exchange import Body, exchange, while_client_stays
from gateway.forwarding.headers import inward, signed
from gateway.forwarding.table import Forwarding, Operation


class Forward:
    """The ASGI endpoint of one path that another service owns."""

    def __init__(self, route: Forwarding) -> None:
        self._route = route

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        door: Door = scope["app"].state.door
        operations = self._route.operations
        operation = operations[request.method] if request.method in operations else operations["GET"]
        try:
            caller, path = await self._admit(request, door, operation)
        except ApiError as error:
            if not _has_body(request):
                raise
            await Refusal(request, error)(scope, receive, send)
            return
        body = Body(receive, expected=_has_body(request))
        upstream = door.upstreams.request(
            operation.service,
            request.method,
            path,
            _headers(request, door, caller),
            query=scope.get("query_string", b""),
            content=body.chunks() if _has_body(request) else None,
        )
        await while_client_stays(exchange(door.upstreams, operation.service, upstream, send), body)

    async def _admit(self, request: Request, door: Door, operation: Operation) -> tuple[Caller | None, str]:
        """Who asks, with their role in what the path names, and the path with short ids made full."""
        if operation.public and await identify(request, door) is None:
            return None, self._path(dict(request.path_params))
        principal = await Requires(operation.scope)(request, door)
        params: dict[str, Any] = dict(request.path_params)
        caller = Caller(principal.user_id, principal.acts_as_admin)
        async with door.service.db.acquire() as conn:
            if "asset_id" in params:
                seen = await resolve_asset(conn, principal.user_id, params["asset_id"])
                check_role(seen.role, operation.role)
                params["asset_id"] = seen.asset_id
                caller = _in_asset(caller, seen.asset_id, seen.role, seen.collection_id)
            elif "collection_id" in params:
                found, role = await resolve_collection(conn, principal.user_id, params["collection_id"])
                check_role(role, operation.role)
                caller = _in_asset(caller, None, role, found)
        return caller, self._path(params)

    def _path(self, params: dict[str, Any]) -> str:
        return self._route.path.format_map({name: quote(str(value), safe="") for name, value in params.items()})


def forwarding_router(table: list[Forwarding]) -> APIRouter:
    """Every path that other services own; to be served after the gateway's own routes."""
    router = APIRouter()
    for route in table:
        router.routes.append(Route(route.path, Forward(route), methods=list(route.operations), include_in_schema=False))
    return router


def _in_asset(caller: Caller, asset_id: UUID | None, role: Role, collection_id: UUID) -> Caller:
    return replace(caller, asset_id=asset_id, asset_role=role, collection_id=collection_id)


def _has_body(request: Request) -> bool:
    return "transfer-encoding" in request.headers or request.headers.get("content-length", "0") != "0"


def _headers(request: Request, door: Door, caller: Caller | None) -> list[tuple[str, str]]:
    headers = inward(request.headers.raw)
    if not _has_body(request):
        headers = [(name, value) for name, value in headers if name != "content-length"]
    headers = [(name, value) for name, value in headers if name != REQUEST_ID_HEADER.lower()]
    return headers + signed(door.signer, caller, request_id_of(request))
