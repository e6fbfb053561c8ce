"""Models over HTTP, for administrators, with a model elsewhere as the new one."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any
from uuid import UUID

import httpx
import pytest
from common.identity import IDENTITY_HEADER, Caller, Signer, new_key_pair
from common.service import Service
from embedder.main import build
from embedder.settings import EmbedderSettings

from tests.conftest import Databases
from tests.integration.embedder.test_indexing import TURNS
from tests.integration.embedder.vector_server import KEY, VectorServer, reply, serving, trouble
from tests.integration.embedder.world import World

PATH = "/api/admin/models"
Ask = Callable[..., Awaitable[httpx.Response]]
PRIVATE, PUBLIC = new_key_pair()


@pytest.fixture
async def server(world: World) -> AsyncGenerator[VectorServer]:
    async with serving(world.embedder) as running:  # type: ignore[arg-type]
        yield running


@pytest.fixture
async def service(
    fresh_database: Databases, store_url: str, world: World, server: VectorServer
) -> AsyncGenerator[Service]:
    service = build(
        EmbedderSettings(
            database_url=fresh_database.urls["embedder"],
            object_store_url=store_url,
            identity_public_keys=f"gateway={PUBLIC}",
            model_dir=world.embedder._model_dir,  # type: ignore[attr-defined]
            openai_api_key=KEY,
            openai_base_url=server.url,
            threads=1,
        )
    )
    await service.db.open()
    yield service
    await service.stop()


@pytest.fixture
async def ask(service: Service) -> AsyncGenerator[Ask]:
    signer = Signer("gateway", PRIVATE)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(service.app), base_url="http://embedder") as client:

        async def send(user: UUID, method: str, path: str, *, admin: bool = True, **more: Any) -> httpx.Response:
            token = signer.user_token(Caller(user, is_admin=admin))
            return await client.request(method, path, headers={IDENTITY_HEADER: token}, **more)

        yield send


@pytest.fixture
async def me(world: World) -> UUID:
    return await world.user()


def job(service: Service, name: str) -> Callable[[], Awaitable[object]]:
    """A job of the service's clock."""
    found = {f"{one.job.__self__.__class__.__name__}.{one.job.__name__}": one.job for one in service._backgrounds}  # type: ignore[attr-defined]
    return found[name]


async def test_the_whole_way_to_another_model_and_back(
    ask: Ask, service: Service, world: World, me: UUID, server: VectorServer
) -> None:
    await world.recording(await world.collection(me), TURNS)
    listed = (await ask(me, "GET", PATH)).json()
    assert [(one["id"], one["name"], one["state"]) for one in listed["items"]] == [(1, "all-MiniLM-L6-v2", "current")]
    assert listed["next_cursor"] is None
    made = await ask(me, "POST", PATH, json={"model": " openai:small@64 "})
    assert made.status_code == 201
    model = made.json()
    assert made.headers["Location"] == f"{PATH}/{model['id']}"
    assert (model["name"], model["dimensions"], model["state"]) == ("openai:small@64", 64, "preparing")
    assert model["progress"] == {
        "fraction": 0,
        "chunks_done": 0,
        "chunks_total": await world.count("chunks"),
        "chunks_cut": 0,
    }
    again = await ask(me, "POST", PATH, json={"model": "openai:small@64"})
    assert (again.status_code, again.json()["id"]) == (200, model["id"])
    early = await ask(me, "POST", f"{PATH}/{model['id']}/switch")
    assert (early.status_code, early.json()["error_type"]) == (409, "conflict")
    assert "ready" in early.json()["advice"]
    await job(service, "Backfill.run")()
    ready = (await ask(me, "GET", f"{PATH}/{model['id']}")).json()
    assert (ready["state"], ready["progress"]["fraction"]) == ("ready", 1)
    assert ready["progress"]["chunks_done"] == await world.count("chunks")
    assert ready["table_bytes"] > 0
    before = (await ask(me, "POST", "/v1/embeddings", json={"input": "a"})).json()
    assert before["model"] == "all-MiniLM-L6-v2"
    named = (await ask(me, "POST", "/v1/embeddings", json={"input": "a", "model": "openai:small@64"})).json()
    assert (named["model"], len(named["data"][0]["embedding"])) == ("openai:small@64", 64)
    switched = await ask(me, "POST", f"{PATH}/{model['id']}/switch")
    assert (switched.status_code, switched.json()["state"]) == (200, "current")
    states = {one["name"]: one["state"] for one in (await ask(me, "GET", PATH)).json()["items"]}
    assert states == {"all-MiniLM-L6-v2": "ready", "openai:small@64": "current"}
    used = await ask(me, "DELETE", f"{PATH}/{model['id']}")
    assert (used.status_code, used.json()["advice"]) == (409, "Switch to another model first.")
    assert (await ask(me, "POST", f"{PATH}/1/switch")).json()["state"] == "current"
    assert (await ask(me, "DELETE", f"{PATH}/{model['id']}")).status_code == 204
    assert (await ask(me, "GET", f"{PATH}/{model['id']}")).json()["state"] == "dropping"
    gone = await ask(me, "POST", "/v1/embeddings", json={"input": "a", "model": "openai:small@64"})
    assert gone.status_code == 404


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({}, "model"),
        ({"model": ""}, "model"),
        ({"model": "bge"}, "no name of a model"),
        ({"model": "openai:small@99999"}, "dimensions"),
        ({"model": "minilm", "colour": "red"}, "colour"),
        ({"model": "sentence-transformers:x@5"}, "dimensions"),
        ({"model": "x" * 300}, "model"),
    ],
)
async def test_what_cannot_be_prepared_is_said(ask: Ask, me: UUID, body: dict[str, Any], told: str) -> None:
    answer = await ask(me, "POST", PATH, json=body)
    assert answer.status_code == 422, answer.text
    assert told in answer.json()["detail"]
    assert len((await ask(me, "GET", PATH)).json()["items"]) <= 1


async def test_a_model_is_tried_before_it_is_registered(ask: Ask, me: UUID, server: VectorServer) -> None:
    server.troubles = [trouble(404, message="There is no model nope")]
    unknown = await ask(me, "POST", PATH, json={"model": "openai:nope"})
    assert unknown.status_code == 422
    assert "There is no model nope" in unknown.json()["detail"]
    server.troubles = [trouble(503, "0")] * 4
    away = await ask(me, "POST", PATH, json={"model": "openai:nope"})
    assert (away.status_code, away.headers["Retry-After"]) == (503, "5")
    server.troubles = [reply([[1.0] * 5000])]
    wide = await ask(me, "POST", PATH, json={"model": "openai:wide"})
    assert wide.status_code == 422
    assert "quantised" in wide.json()["advice"]
    server.troubles = [reply([[1.0] * 64])]
    other = await ask(me, "POST", PATH, json={"model": "openai:small@32"})
    assert other.status_code == 422
    assert "64 dimensions, not 32" in other.json()["detail"]


async def test_only_administrators_see_models(ask: Ask, me: UUID) -> None:
    for method, path in (
        ("GET", PATH),
        ("POST", PATH),
        ("GET", f"{PATH}/1"),
        ("DELETE", f"{PATH}/1"),
        ("POST", f"{PATH}/1/switch"),
    ):
        answer = await ask(me, method, path, admin=False, json={"model": "minilm"} if path == PATH else None)
        assert answer.status_code == 403, path


async def test_models_that_are_not_there(ask: Ask, me: UUID) -> None:
    for method, path in (("GET", f"{PATH}/9"), ("DELETE", f"{PATH}/9"), ("POST", f"{PATH}/9/switch")):
        assert (await ask(me, method, path)).status_code == 404
    for wrong in ("0", "x", "99999"):
        assert (await ask(me, "GET", f"{PATH}/{wrong}")).status_code == 422


async def test_a_key_that_is_refused_later_is_told_with_what_to_do(
    ask: Ask, service: Service, world: World, me: UUID, server: VectorServer
) -> None:
    await world.recording(await world.collection(me), TURNS)
    model = (await ask(me, "POST", PATH, json={"model": "openai:small", "switch": True})).json()
    server.troubles = [trouble(401)]
    await job(service, "Backfill.run")()
    seen = (await ask(me, "GET", f"{PATH}/{model['id']}")).json()
    assert seen["state"] == "preparing"
    assert "EMBEDDER_OPENAI_API_KEY" in seen["error"]["advice"]
    await world.admin.execute("UPDATE embedder.backfill_batches SET claimed_until = now() WHERE done_at IS NULL")
    await job(service, "Backfill.run")()
    seen = (await ask(me, "GET", f"{PATH}/{model['id']}")).json()
    assert (seen["state"], seen["error"]) == ("current", None)
    # In use it may be refused again: that is no fault of whoever searches.
    server.troubles = [trouble(401)]
    answer = await ask(me, "POST", "/v1/embeddings", json={"input": "a", "model": "openai:small"})
    assert answer.status_code == 503
    assert "EMBEDDER_OPENAI_API_KEY" in answer.json()["advice"]
