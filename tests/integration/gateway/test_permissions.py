"""Nobody gets anywhere without a right: every operation of the OpenAPI description is walked."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import yaml
from common.db import Database
from gateway.forwarding.table import find_openapi

from tests.integration.gateway.behind import Behind
from tests.integration.gateway.running import Gateway, serving

PUBLIC = {"/api/health", "/api/health/ready", "/api/auth/link", "/api/auth/status", "/api/open"}


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield method.upper(), path, operation


def filled(path: str, **values: str) -> str:
    return re.sub(r"{(\w+)}", lambda match: values.get(match.group(1), "1"), path)


async def walked(
    make_gateway: Any, openapi_path: Path, tmp_path: Path, fetcher_url: str
) -> tuple[Gateway, dict[str, Any]]:
    """A gateway that serves the committed description where there is one, and the tests' own routes besides."""
    document = yaml.safe_load(openapi_path.read_text())
    committed = find_openapi(None) or {"paths": {}}
    document["paths"] = committed["paths"] | document["paths"]
    path = tmp_path / "all.yaml"
    path.write_text(yaml.safe_dump(document))
    urls = {f"{service}_url": fetcher_url for service in ("fetcher", "asr", "embedder", "chat")}
    return await make_gateway(openapi_path=path, **urls), document


async def test_every_operation_refuses_strangers(make_gateway: Any, openapi_path: Path, tmp_path: Path, behind: Behind):
    async with serving(behind.app()) as url:
        gateway, document = await walked(make_gateway, openapi_path, tmp_path, url)
        asset = (await gateway.add())["asset"]
        other = await gateway.person("other")
        ids = {"asset_id": asset["id"], "collection_id": asset["collection_id"], "user_id": str(gateway.admin.id)}
        walked_assets = 0
        async with httpx.AsyncClient(base_url=gateway.url, trust_env=False) as nobody:
            for method, path, operation in operations(document):
                public = path in PUBLIC or operation.get("security") == []
                if not public:
                    answer = await nobody.request(method, filled(path, **ids))
                    assert answer.status_code == 401, (method, path)
                    wrong = await nobody.request(method, filled(path, **ids), headers={"X-API-Key": "wrong"})
                    assert wrong.status_code == 401, (method, path)
                if "{asset_id}" not in path and "{collection_id}" not in path:
                    continue
                unknown = {"asset_id": str(uuid4()), "collection_id": str(uuid4())}
                for name in ({}, {"asset_id": asset["short_id"]}, unknown):
                    for body in ({}, body_for(path, method)):
                        answer = await other.http.request(method, filled(path, **ids | name), json=body)
                        assert answer.status_code == 404, (method, path, answer.text)
                    walked_assets += 1
    assert walked_assets > 30
    # Nothing of it went through to any service, and nothing changed.
    assert behind.seen == []
    assert (await gateway.admin.http.get(f"/api/assets/{asset['id']}")).json() == asset


def body_for(path: str, method: str) -> dict[str, Any]:
    if path.endswith("/members/{user_id}"):
        return {"role": "owner"}
    return {"title": "x"} if method == "PATCH" and "asset" in path else {}


async def test_a_viewer_reads_and_changes_nothing(fronted: Gateway, behind: Behind):
    document = (await fronted.admin.http.get("/openapi.json")).json()
    asset = (await fronted.add())["asset"]
    viewer = await fronted.person("viewer")
    member = f"/api/collections/{asset['collection_id']}/members/{viewer.id}"
    await fronted.admin.http.put(member, json={"role": "viewer"})
    ids = {"asset_id": asset["id"], "collection_id": asset["collection_id"], "user_id": str(fronted.admin.id)}
    for method, path, operation in operations(document):
        role = operation.get("x-earshot-role")
        if role is None:
            continue
        answer = await viewer.http.request(method, filled(path, **ids), json=body_for(path, method))
        refused = role != "viewer" or (method, path.split("/")[-1]) == ("DELETE", "{user_id}")
        assert (answer.status_code == 403) is refused, (method, path, role, answer.text)
    assert (await fronted.admin.http.get(f"/api/assets/{asset['id']}")).json()["title"] == asset["title"]


async def test_an_administrator_has_no_right_to_other_peoples_assets(gateway: Gateway):
    person = await gateway.person("person")
    asset = (await gateway.add(person))["asset"]
    assert (await gateway.admin.http.get(f"/api/assets/{asset['id']}")).status_code == 404


async def test_the_views_tell_other_services_who_may_read_what(gateway: Gateway, db: Database):
    admin, reader = gateway.admin, await gateway.person("reader")
    shared = (await admin.http.post("/api/collections", json={"name": "shared"})).json()["id"]
    await admin.http.put(f"/api/collections/{shared}/members/{reader.id}", json={"role": "viewer"})
    asset = (await gateway.add(collection_id=shared))["asset"]

    async def readable() -> list[asyncpg.Record]:
        async with db.acquire() as conn:
            return await conn.fetch(
                """
                SELECT a.role, s.deleted FROM access AS a JOIN asset_scope AS s ON s.collection_id = a.collection_id
                WHERE s.asset_id = $1 AND a.user_id = $2
                """,
                asset["id"],
                reader.id,
            )

    assert [tuple(row) for row in await readable()] == [("viewer", False)]
    await admin.http.delete(f"/api/assets/{asset['id']}")
    assert [tuple(row) for row in await readable()] == [("viewer", True)]
    await admin.http.delete(f"/api/collections/{shared}/members/{reader.id}")
    assert await readable() == []
    await admin.http.put(f"/api/collections/{shared}/members/{reader.id}", json={"role": "viewer"})
    await admin.http.delete(f"/api/collections/{shared}")
    assert await readable() == []
