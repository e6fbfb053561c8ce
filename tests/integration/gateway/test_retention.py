"""Retention by policy: what a collection keeps no longer is deleted by the clock, whole, once, and nothing else."""

import asyncio
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from gateway import retention
from gateway.queries import deletion
from gateway.retention import Retention
from prometheus_client import REGISTRY

from tests.integration.gateway.conftest import Make
from tests.integration.gateway.running import Gateway

Ids = list[str]


async def make_old(gateway: Gateway, asset_id: str, days: float) -> None:
    async with gateway.db.acquire() as conn:
        await conn.execute(
            "UPDATE assets SET created_at = now() - make_interval(secs => $2) WHERE id = $1",
            UUID(asset_id),
            days * 86400,
        )


async def add(gateway: Gateway, collection_id: str, days_old: float = 0.0) -> str:
    asset_id = (await gateway.add(collection_id=collection_id))["asset"]["id"]
    await make_old(gateway, asset_id, days_old)
    return asset_id


async def said_deleted(gateway: Gateway) -> Ids:
    return sorted(fact["asset_id"] for fact in await gateway.said("asset.deleted.v1"))


def expired_by_now() -> float:
    return REGISTRY.get_sample_value("earshot_gateway_assets_expired_total", {"kind": "recording"}) or 0.0


async def delete_and_die(gateway: Gateway) -> None:
    async with gateway.service.transaction() as tx:
        await tx.say(*(doomed.fact for doomed in await deletion.mark_expired(tx.conn, 10)))
        raise RuntimeError("killed")


async def test_a_policy_is_off_until_it_is_set_and_says_when_each_asset_goes(gateway: Gateway):
    http = gateway.admin.http
    made = (await http.post("/api/collections", json={"name": "Calls"})).json()
    assert made["retention_days"] is None
    url = f"/api/collections/{made['id']}"
    asset_id = await add(gateway, made["id"], days_old=400)
    assert (await http.get(f"/api/assets/{asset_id}")).json()["expires_at"] is None
    await Retention(gateway.service).delete_expired()
    assert await said_deleted(gateway) == []

    for bad in (0, -1, 36501, 1.5, "soon"):
        assert (await http.patch(url, json={"retention_days": bad})).status_code == 422
    assert (await http.patch(url, json={"retention_days": 500})).json()["retention_days"] == 500
    assert (await http.patch(url, json={"name": "Talks"})).json()["retention_days"] == 500
    asset = (await http.get("/api/assets", params={"collection_id": made["id"]})).json()["items"][0]
    lifetime = datetime.fromisoformat(asset["expires_at"]) - datetime.fromisoformat(asset["created_at"])
    assert lifetime == timedelta(days=500)
    assert (await http.patch(url, json={"retention_days": None})).json()["retention_days"] is None
    assert (await http.get(f"/api/assets/{asset_id}")).json()["expires_at"] is None
    born = await http.post("/api/collections", json={"name": "Short", "retention_days": 7})
    assert born.json()["retention_days"] == 7

    reader = await gateway.person("reader")
    await http.put(f"{url}/members/{reader.id}", json={"role": "editor"})
    assert (await reader.http.patch(url, json={"retention_days": 1})).status_code == 403


async def test_what_is_past_its_time_is_deleted_once_and_nothing_else(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(retention, "_AT_ONCE", 2)
    http, before = gateway.admin.http, expired_by_now()
    week = (await http.post("/api/collections", json={"name": "Week", "retention_days": 7})).json()["id"]
    ever = (await http.post("/api/collections", json={"name": "Ever"})).json()["id"]
    old = sorted([await add(gateway, week, days_old=7.01) for _ in range(5)])
    young = await add(gateway, week, days_old=6.99)
    kept = await add(gateway, ever, days_old=1000)
    moved = await add(gateway, week, days_old=8)
    assert (await http.patch(f"/api/assets/{moved}", json={"collection_id": ever})).status_code == 200
    gone = await add(gateway, week, days_old=8)
    await http.delete(f"/api/assets/{gone}")

    # Several gateways' clocks strike at the same moment, and again later.
    await asyncio.gather(*(Retention(gateway.service).delete_expired() for _ in range(4)))
    await Retention(gateway.service).delete_expired()
    assert await said_deleted(gateway) == sorted([*old, gone])
    assert expired_by_now() - before == 5
    assert REGISTRY.get_sample_value("earshot_gateway_assets_overdue") == 0
    for asset_id in old:
        assert (await http.get(f"/api/assets/{asset_id}")).status_code == 404
    for asset_id in (young, kept, moved):
        assert (await http.get(f"/api/assets/{asset_id}")).json()["status"] == "pending"


async def test_a_turn_is_bounded_and_what_it_leaves_is_seen(gateway: Gateway, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(retention, "_AT_ONCE", 1)
    monkeypatch.setattr(retention, "_BATCHES", 2)
    http = gateway.admin.http
    day = (await http.post("/api/collections", json={"name": "Day", "retention_days": 1})).json()["id"]
    old = sorted([await add(gateway, day, days_old=2) for _ in range(3)])
    await Retention(gateway.service).delete_expired()
    assert len(await said_deleted(gateway)) == 2
    assert REGISTRY.get_sample_value("earshot_gateway_assets_overdue") == 1

    # Killed after the rows were marked and before the end: neither the mark nor the fact is left.
    with pytest.raises(RuntimeError, match="killed"):
        await delete_and_die(gateway)
    assert len(await said_deleted(gateway)) == 2
    await Retention(gateway.service).delete_expired()
    assert await said_deleted(gateway) == old
    assert REGISTRY.get_sample_value("earshot_gateway_assets_overdue") == 0


async def test_an_edit_or_another_policy_at_the_same_moment_is_waited_out(gateway: Gateway):
    http = gateway.admin.http
    made = await http.post("/api/collections", json={"name": "Day", "retention_days": 1})
    day = made.json()["id"]
    edited, other = [await add(gateway, day, days_old=2) for _ in range(2)]
    async with gateway.db.transaction() as conn:
        await conn.execute("SELECT 1 FROM assets WHERE id = $1 FOR UPDATE", UUID(edited))
        await Retention(gateway.service).delete_expired()
        assert await said_deleted(gateway) == [other]
    async with gateway.db.transaction() as conn:
        await conn.execute("UPDATE collections SET retention_days = NULL WHERE id = $1", UUID(day))
        await Retention(gateway.service).delete_expired()
    await Retention(gateway.service).delete_expired()
    assert await said_deleted(gateway) == [other]


async def test_a_gateway_that_starts_deletes_by_itself(gateway: Gateway, make_gateway: Make):
    day = (await gateway.admin.http.post("/api/collections", json={"name": "Day", "retention_days": 1})).json()["id"]
    old, young = await add(gateway, day, days_old=2), await add(gateway, day)
    await make_gateway(role="worker")
    async with asyncio.timeout(30):
        while await said_deleted(gateway) != [old]:
            await asyncio.sleep(0.05)
    assert (await gateway.admin.http.get(f"/api/assets/{young}")).status_code == 200
