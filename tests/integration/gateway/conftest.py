"""A gateway on loopback over a real database, and the service behind it that the tests stand in for."""

import contextlib
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import yaml
from common.db import Database
from common.identity import new_key_pair
from gateway.admin import ensure_admin_key
from gateway.main import build
from gateway.settings import GatewaySettings
from stack.openapi import describe

from tests.conftest import Databases
from tests.integration.gateway.behind import Behind
from tests.integration.gateway.bus import Bus, talking
from tests.integration.gateway.running import NOWHERE, Gateway, Person, client, serving


@pytest.fixture(scope="session")
def openapi_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The gateway's own routes and a few that a service behind it serves."""
    document = describe("gateway")
    for path, item in document["paths"].items():
        for method in item:
            item[method]["x-earshot-service"] = "gateway"
            assert path.startswith("/api")
    document["paths"] |= forwarded_paths()
    path = tmp_path_factory.mktemp("openapi") / "openapi.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def forwarded_paths() -> dict[str, Any]:
    fetcher = {"x-earshot-service": "fetcher"}
    asset = {**fetcher, "x-earshot-role": "viewer"}
    file = {"requestBody": {"content": {"application/octet-stream": {}}}}
    return {
        "/api/recordings/{asset_id}/media": {"get": asset},
        "/api/recordings/{asset_id}/media/{name}": {"put": {**fetcher, "x-earshot-role": "editor"}},
        "/api/collections/{collection_id}/echo": {"get": asset},
        "/api/echo": {"get": fetcher, "post": {**fetcher, "x-earshot-scope": "read"}},
        "/api/files": {"post": {**fetcher, **file}},
        "/api/stream": {"get": fetcher},
        "/api/moved": {"get": fetcher},
        "/api/half": {"get": fetcher},
        "/api/slow": {"get": fetcher},
        "/api/away": {"get": {"x-earshot-service": "chat"}},
        "/api/open": {"get": {**fetcher, "security": []}},
    }


Make = Callable[..., Any]


@pytest.fixture
def database_url(fresh_database: Databases) -> str:
    """The gateway's own URL of an empty database."""
    return fresh_database.urls["gateway"]


@pytest.fixture
async def db(database_url: str) -> AsyncGenerator[Database]:
    database = Database(database_url, size=8)
    await database.open()
    yield database
    await database.close()


@pytest.fixture
async def make_gateway(
    database_url: str, db: Database, store_url: str, openapi_path: Path, tmp_path: Path
) -> AsyncGenerator[Make]:
    """Start a gateway with these settings; without a broker unless one is named."""
    async with contextlib.AsyncExitStack() as stack:

        async def make(**settings: Any) -> Gateway:
            private_key, public_key = new_key_pair()
            values = {
                "database_url": database_url,
                "object_store_url": store_url,
                "scratch_dir": tmp_path / "scratch",
                "rabbitmq_url": NOWHERE,
                "role": "api",
                "identity_private_key": private_key,
                "key_secret": "k" * 40,
                "openapi_path": openapi_path,
                "chat_url": "http://127.0.0.1:1",
                "upstream_connect_seconds": 2.0,
                "drain_seconds": 1.0,
            }
            chosen = GatewaySettings(**(values | settings))
            await ensure_admin_key(chosen, tmp_path / "admin.key")
            key = (tmp_path / "admin.key").read_text().strip()
            service = build(chosen)
            url = await stack.enter_async_context(serving(service.app))
            http = await stack.enter_async_context(client(url, key))
            me = (await http.get("/api/auth/me")).json()
            admin = Person(UUID(me["id"]), key, http)
            gateway = Gateway(url, service, chosen, public_key, db, admin)
            stack.push_async_callback(_close, gateway)
            return gateway

        yield make


async def _close(gateway: Gateway) -> None:
    for person in gateway.people:
        await person.http.aclose()


@pytest.fixture
async def behind() -> Behind:
    return Behind()


@pytest.fixture
async def fronted(make_gateway: Make, behind: Behind) -> AsyncGenerator[Gateway]:
    """A gateway with a service behind it."""
    async with serving(behind.app()) as url:
        yield await make_gateway(fetcher_url=url, max_upload_bytes=300 * 1024 * 1024)


@pytest.fixture
async def gateway(make_gateway: Make) -> Gateway:
    """A gateway without a broker: it stays ready and accepts."""
    return await make_gateway()


@pytest.fixture
async def bus(make_gateway: Any, rabbitmq_url: str) -> AsyncGenerator[Bus]:
    gateway = await make_gateway(rabbitmq_url=rabbitmq_url, role="both")
    async with talking(gateway, rabbitmq_url) as made:
        yield made
