"""The error shape on every answer, and identities that only their signer can make."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx
import jwt
import pytest
from common.errors import ApiError, DatabaseAway, TooSlow, TryAgain, not_found
from common.http import BodyLimit, RequestContext, add_error_handlers, add_health
from common.identity import AssetEditor, Caller, CallingService, CurrentCaller, Signer, Verifier, new_key_pair
from common.ids import uuid7
from common.patience import Patience
from fastapi import FastAPI
from pydantic import BaseModel

from tests.integration.gateway.running import serving

GATEWAY_PRIVATE, GATEWAY_PUBLIC = new_key_pair()
CHAT_PRIVATE, CHAT_PUBLIC = new_key_pair()


class Item(BaseModel):
    size: int


def make_app() -> FastAPI:
    app = FastAPI()
    app.state.verifier = Verifier(f"gateway={GATEWAY_PUBLIC}, chat={CHAT_PUBLIC}")
    add_error_handlers(app)

    async def ready() -> dict[str, bool]:
        return {"database": False}

    add_health(app, ready)

    @app.get("/raise/{kind}")
    async def fail(kind: str) -> None:
        errors: dict[str, Exception] = {
            "gone": not_found("There is no such thing."),
            "bug": KeyError("x"),
            "database": DatabaseAway("lost"),
            "store": TryAgain("the store is away"),
            "pool": DatabaseAway("no connection is free"),
            "slow": TooSlow(),
            "limited": ApiError(429, "rate_limited", "Slow down.", headers={"Retry-After": "7"}),
        }
        raise errors[kind]

    @app.get("/slow")
    async def slow() -> None:
        app.state.begun.set()
        await asyncio.sleep(60)

    @app.post("/items")
    async def create(item: Item) -> Item:
        return item

    @app.get("/me")
    async def me(caller: CurrentCaller) -> str:
        return str(caller.user_id)

    @app.get("/internal/thing")
    async def thing(service: CallingService) -> str:
        return service

    @app.get("/api/assets/{asset_id}/edit")
    async def edit(asset_id: UUID, caller: AssetEditor) -> str:
        return f"{asset_id} {caller.asset_role}"

    app.add_middleware(BodyLimit, max_bytes=1000, streaming=("/stream",))
    app.add_middleware(RequestContext, service="test", patience=Patience(1.0, 1.0))
    return app


@pytest.fixture
async def client() -> AsyncGenerator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(make_app(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as made:
        yield made


@pytest.mark.parametrize(
    ("path", "status", "kind", "retry_after"),
    [
        ("/raise/gone", 404, "not_found", None),
        ("/raise/bug", 500, "internal_error", None),
        ("/raise/database", 503, "unavailable", "5"),
        ("/raise/pool", 503, "unavailable", "5"),
        ("/raise/slow", 503, "unavailable", "5"),
        ("/raise/store", 503, "unavailable", "5"),
        ("/raise/limited", 429, "rate_limited", "7"),
        ("/nowhere", 404, "not_found", None),
    ],
)
async def test_every_error_has_one_shape(
    client: httpx.AsyncClient, path: str, status: int, kind: str, retry_after: str | None
) -> None:
    answer = await client.get(path)
    body = answer.json()
    assert (answer.status_code, body["status_code"], body["error_type"]) == (status, status, kind)
    assert set(body) == {"detail", "status_code", "error_type", "advice", "errors", "request_id"}
    assert body["request_id"] == answer.headers["x-request-id"] != ""
    assert answer.headers.get("retry-after") == retry_after


async def test_a_request_that_a_restart_cuts_short_is_asked_for_again() -> None:
    app = make_app()
    app.state.begun = asyncio.Event()
    async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
        async with serving(app) as url:
            asking = asyncio.create_task(http.get(f"{url}/slow"))
            await app.state.begun.wait()
        answer = await asking
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert answer.json()["error_type"] == "unavailable"


async def test_invalid_input_names_the_field(client: httpx.AsyncClient) -> None:
    body = (await client.post("/items", json={"size": "x"})).json()
    assert (body["error_type"], body["errors"][0]["field"]) == ("validation_error", "body.size")
    broken = await client.post("/items", content=b"{not json", headers={"content-type": "application/json"})
    assert (broken.status_code, broken.json()["error_type"]) == (422, "validation_error")


async def test_bodies_over_the_limit_are_refused_declared_or_not(client: httpx.AsyncClient) -> None:
    async def undeclared() -> AsyncGenerator[bytes]:
        for _ in range(20):
            yield b" " * 100

    for content in (b" " * 2000, undeclared()):
        answer = await client.post("/items", content=content, headers={"content-type": "application/json"})
        assert (answer.status_code, answer.json()["error_type"]) == (413, "too_large")


async def test_health_tells_alive_from_ready(client: httpx.AsyncClient) -> None:
    assert (await client.get("/health/live")).status_code == 200
    assert (await client.get("/health/ready")).status_code == 503
    assert "earshot_http_request_seconds" in (await client.get("/metrics")).text


async def test_a_method_that_somebody_invents_makes_no_series_of_its_own(client: httpx.AsyncClient) -> None:
    assert (await client.request("NONSENSE", "/items")).status_code == 405
    told = (await client.get("/metrics")).text
    assert 'method="other"' in told
    assert "NONSENSE" not in told


async def test_only_the_gateway_vouches_for_users(client: httpx.AsyncClient) -> None:
    caller = Caller(user_id=uuid7())
    for signer, status in ((Signer("gateway", GATEWAY_PRIVATE), 200), (Signer("chat", CHAT_PRIVATE), 401)):
        answer = await client.get("/me", headers={"X-Earshot-Identity": signer.user_token(caller)})
        assert answer.status_code == status
    forged = Signer("gateway", CHAT_PRIVATE).user_token(caller)
    for token in (forged, "", "x.y.z", Signer("gateway", GATEWAY_PRIVATE).service_token()):
        assert (await client.get("/me", headers={"X-Earshot-Identity": token})).status_code == 401


async def test_tokens_end_soon(client: httpx.AsyncClient) -> None:
    token = Signer("gateway", GATEWAY_PRIVATE).user_token(Caller(user_id=uuid7()))
    claims = jwt.decode(token, options={"verify_signature": False})
    assert timedelta(0) < datetime.fromtimestamp(claims["exp"], UTC) - datetime.now(UTC) <= timedelta(seconds=60)


async def test_services_name_themselves(client: httpx.AsyncClient) -> None:
    token = Signer("chat", CHAT_PRIVATE).service_token()
    assert (await client.get("/internal/thing", headers={"X-Earshot-Service": token})).json() == "chat"
    assert (await client.get("/internal/thing")).status_code == 401


async def test_an_asset_opens_only_with_its_own_token_and_role(client: httpx.AsyncClient) -> None:
    asset_id, signer = uuid7(), Signer("gateway", GATEWAY_PRIVATE)

    async def attempt(caller: Caller) -> int:
        headers = {"X-Earshot-Identity": signer.user_token(caller)}
        return (await client.get(f"/api/assets/{asset_id}/edit", headers=headers)).status_code

    user = uuid7()
    assert await attempt(Caller(user, asset_id=asset_id, asset_role="editor")) == 200
    assert await attempt(Caller(user, asset_id=asset_id, asset_role="owner")) == 200
    assert await attempt(Caller(user, asset_id=asset_id, asset_role="viewer")) == 403
    assert await attempt(Caller(user, asset_id=uuid7(), asset_role="owner")) == 404
    assert await attempt(Caller(user)) == 404
