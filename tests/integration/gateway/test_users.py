"""Deleting a user: what goes along, what stays, and who may not go."""

import asyncio
from uuid import UUID, uuid4

from common.db import Connection

from tests.integration.gateway.running import Gateway


async def test_a_deleted_user_takes_along_what_nobody_else_can_enter(gateway: Gateway) -> None:
    admin = gateway.admin.http
    doomed, other = await gateway.person("doomed"), await gateway.person("other")
    own = (await gateway.add(doomed))["asset"]
    private, shared = [
        (await doomed.http.post("/api/collections", json={"name": name})).json()["id"] for name in ("private", "shared")
    ]
    inside, stays = [(await gateway.add(doomed, collection_id=where))["asset"]["id"] for where in (private, shared)]
    members = f"/api/collections/{shared}/members"
    assert (await doomed.http.put(f"{members}/{other.id}", json={"role": "editor"})).is_success
    path = f"/api/users/{doomed.id}"

    assert (await other.http.delete(path)).status_code == 403
    for nobody in (uuid4(), "nonsense"):
        assert (await admin.delete(f"/api/users/{nobody}")).status_code == 404
    last = await admin.delete(f"/api/users/{gateway.admin.id}")
    assert (last.status_code, last.json()["detail"]) == (409, "The last administrator stays.")
    needed = await admin.delete(path)
    assert (needed.status_code, needed.json()["error_type"]) == (409, "conflict")
    assert shared in needed.json()["detail"]
    assert private not in needed.json()["detail"]
    assert await gateway.said("user.deleted.v1") == []
    assert (await doomed.http.get("/api/assets")).status_code == 200

    assert (await doomed.http.put(f"{members}/{other.id}", json={"role": "owner"})).is_success
    assert (await admin.delete(path)).status_code == 204
    assert [fact["user_id"] for fact in await gateway.said("user.deleted.v1")] == [str(doomed.id)]
    gone = {fact["collection_id"] for fact in await gateway.said("collection.deleted.v1")}
    assert gone == {own["collection_id"], private}
    assert {fact["asset_id"] for fact in await gateway.said("asset.deleted.v1")} == {own["id"], inside}
    assert (await doomed.http.get("/api/assets")).status_code == 401
    assert [one["user_id"] for one in (await other.http.get(members)).json()["items"]] == [str(other.id)]
    assert (await other.http.get(f"/api/assets/{stays}")).status_code == 200
    async with gateway.db.acquire() as conn:
        assert await conn.fetchval("SELECT created_by FROM assets WHERE id = $1", UUID(stays)) is None
    assert (await admin.delete(path)).status_code == 404
    assert (await admin.put(f"{members}/{doomed.id}", json={"role": "viewer"})).status_code == 404
    assert len(await gateway.said("user.deleted.v1")) == 1


async def test_what_was_let_in_before_the_deletion_leaves_nothing(gateway: Gateway) -> None:
    doomed = await gateway.person("doomed")
    shared = (await gateway.admin.http.post("/api/collections", json={"name": "shared"})).json()["id"]
    assert (await doomed.http.get("/api/assets")).status_code == 200
    async with gateway.db.transaction() as conn:
        # As the deletion does, which takes its time here.
        await conn.execute("DELETE FROM users WHERE id = $1", doomed.id)
        late = [
            asyncio.create_task(doomed.http.post("/api/collections", json={"name": "late"})),
            asyncio.create_task(
                doomed.http.post(
                    "/api/recordings",
                    json={"url": "https://media.example.org/late.mp3"},
                    headers={"Idempotency-Key": "late"},
                )
            ),
            asyncio.create_task(
                gateway.admin.http.put(f"/api/collections/{shared}/members/{doomed.id}", json={"role": "viewer"})
            ),
        ]
        await until_waiting(conn, len(late))
    for answer in await asyncio.gather(*late):
        assert (answer.status_code, answer.json()["detail"]) == (404, "There is no such user.")
    async with gateway.db.acquire() as conn:
        assert await conn.fetchval("SELECT count(*) FROM collections WHERE name = 'late'") == 0
        assert await conn.fetchval("SELECT count(*) FROM assets") == 0


async def until_waiting(looking: Connection, requests: int) -> None:
    """For requests that wait for a row which this transaction holds."""
    async with asyncio.timeout(20):
        while requests != await looking.fetchval(
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"
        ):
            await asyncio.sleep(0.02)
