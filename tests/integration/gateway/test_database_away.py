"""The database is lost, full, silent or held by others: requests are answered soon, and repeated safely."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Generator
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg
import httpx
import pytest
from common import patience
from common.patience import Patience
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.integration.gateway.behind import Behind
from tests.integration.gateway.running import Gateway, serving
from tests.integration.gateway.test_live import ticket_of, watching
from tests.proxy import Connection, Direction, Proxy, Verdict

URL = "https://media.example.org/talk.mp3"
BEFORE_OR_AFTER = pytest.mark.parametrize("before", [True, False], ids=["not committed", "committed"])
HASTE = Patience(connection_seconds=5, answer_seconds=30)
ONCE = {"Idempotency-Key": "k-1"}


class CutCommit:
    """Cuts a connection at the COMMIT of the transaction that sent ``mark``: instead of it, or before its answer."""

    def __init__(self, mark: bytes, *, before: bool) -> None:
        self._mark = mark
        self._before = before
        self._victim: Connection | None = None
        self.fired = asyncio.Event()

    def __call__(self, connection: Connection, direction: Direction, data: bytes) -> Verdict:
        if self.fired.is_set():
            return Verdict.PASS
        if direction == "down":
            return self._fire() if connection is self._victim else Verdict.PASS
        seen: bytes = connection.notes.get("seen", b"") + data
        marked, _, after = seen.partition(self._mark)
        if len(marked) < len(seen) and b"COMMIT;" in after:
            self._victim = connection
            return self._fire() if self._before else Verdict.PASS
        connection.notes["seen"] = seen if len(marked) < len(seen) else seen[-len(self._mark) :]
        return Verdict.PASS

    def _fire(self) -> Verdict:
        self.fired.set()
        return Verdict.CUT


@pytest.fixture
def proxy(database_url: str) -> Generator[Proxy]:
    port = urlsplit(database_url).port
    assert port
    with Proxy(port) as made:
        yield made


@pytest.fixture
async def proxied(make_gateway: Any, behind: Behind, proxy: Proxy, database_url: str) -> AsyncGenerator[Gateway]:
    """A gateway that reaches its database through the proxy."""
    async with serving(behind.app()) as url:
        yield await make_gateway(
            fetcher_url=url,
            database_url=proxy.through(database_url),
            database_pool_size=2,
            database_wait_seconds=0.5,
            database_answer_seconds=0.5,
        )


def check_unavailable(answer: httpx.Response) -> None:
    """The common shape of errors, and when to come again."""
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["retry-after"]) > 0
    body = answer.json()
    assert body["status_code"] == 503
    assert body["error_type"] == "unavailable"
    assert body["request_id"] == answer.headers["x-request-id"]
    assert body["detail"]
    assert body["advice"]


async def rows(gateway: Gateway, sql: str, *arguments: Any) -> list[Any]:
    async with gateway.db.acquire() as conn:
        return [row[0] for row in await conn.fetch(sql, *arguments)]


async def cut(gateway: Gateway, proxy: Proxy, mark: bytes, before: bool, *request: Any, **options: Any) -> None:
    """Make the request, lose the connection in its COMMIT, and check what the client is told."""
    proxy.watch = cutter = CutCommit(mark, before=before)
    answer = await gateway.admin.http.request(*request, **options)
    assert cutter.fired.is_set()
    check_unavailable(answer)
    assert "may have been done" in answer.json()["advice"]


@BEFORE_OR_AFTER
async def test_adding_by_url_again_with_its_key_adds_once(proxied: Gateway, proxy: Proxy, before: bool) -> None:
    request: dict[str, Any] = {"json": {"url": URL}, "headers": ONCE}
    await cut(proxied, proxy, b"asset.registered.v1", before, "POST", "/api/recordings", **request)
    assert len(await rows(proxied, "SELECT id FROM assets")) == (0 if before else 1)
    again = await proxied.admin.http.post("/api/recordings", **request)
    assert again.status_code == 202, again.text
    await check_one_recording(proxied, again.json())


async def check_one_recording(gateway: Gateway, accepted: dict[str, Any]) -> None:
    asset_id = UUID(accepted["asset"]["id"])
    assert await rows(gateway, "SELECT id FROM assets") == [asset_id]
    assert await rows(gateway, "SELECT id FROM jobs") == [UUID(accepted["job"]["id"])]
    assert [fact["asset_id"] for fact in await gateway.said("asset.registered.v1")] == [str(asset_id)]


@BEFORE_OR_AFTER
async def test_uploading_again_with_its_key_adds_once(
    proxied: Gateway, proxy: Proxy, behind: Behind, before: bool
) -> None:
    request: dict[str, Any] = {"files": {"file": ("talk.mp3", b"RIFFsome audio", "audio/mpeg")}, "headers": ONCE}
    await cut(proxied, proxy, b"asset.registered.v1", before, "POST", "/api/recordings/upload", **request)
    # Whether the recording refers to the file is not known, so it stays.
    assert behind.dropped == []
    first, *_ = behind.uploads
    again = await proxied.admin.http.post("/api/recordings/upload", **request)
    assert again.status_code == 202, again.text
    await check_one_recording(proxied, again.json())
    (fact,) = await proxied.said("asset.registered.v1")
    _, second = behind.uploads
    # What the one recording refers to is there; the other file is dropped, or swept by the fetcher.
    assert fact["source"]["upload_id"] == (second if before else first)
    assert behind.dropped == ([] if before else [second])


@BEFORE_OR_AFTER
async def test_making_a_collection_again_with_its_key_makes_one(proxied: Gateway, proxy: Proxy, before: bool) -> None:
    request: dict[str, Any] = {"json": {"name": "Cut off"}, "headers": ONCE}
    await cut(proxied, proxy, b"Cut off", before, "POST", "/api/collections", **request)
    again = await proxied.admin.http.post("/api/collections", **request)
    assert again.status_code == 201, again.text
    found = await rows(proxied, "SELECT id FROM collections WHERE name = 'Cut off'")
    assert found == [UUID(again.json()["id"])]


@BEFORE_OR_AFTER
async def test_without_a_key_adding_again_may_add_twice(proxied: Gateway, proxy: Proxy, before: bool) -> None:
    """Why there are keys; the answer says so."""
    request: dict[str, Any] = {"json": {"url": URL}}
    await cut(proxied, proxy, b"asset.registered.v1", before, "POST", "/api/recordings", **request)
    assert (await proxied.admin.http.post("/api/recordings", **request)).status_code == 202
    assert len(await rows(proxied, "SELECT id FROM assets")) == (1 if before else 2)


@BEFORE_OR_AFTER
async def test_cancelling_retrying_and_deleting_again_do_it_once(proxied: Gateway, proxy: Proxy, before: bool) -> None:
    """These have no key: what is done already is a conflict, or gone, and says so."""
    asset_id = (await proxied.add())["asset"]["id"]
    path = f"/api/recordings/{asset_id}"
    for act, fact, done in (
        (("POST", f"{path}/cancel"), "processing.cancelled.v1", 409),
        (("POST", f"{path}/retry"), "processing.restarted.v1", 409),
        (("DELETE", path), "asset.deleted.v1", 404),
    ):
        await cut(proxied, proxy, fact.encode(), before, *act)
        again = await proxied.admin.http.request(*act)
        assert again.is_success if before else again.status_code == done, again.text
        assert [said["asset_id"] for said in await proxied.said(fact)] == [asset_id]
    assert await rows(proxied, "SELECT run FROM jobs ORDER BY run") == [1, 2]


@BEFORE_OR_AFTER
async def test_changing_again_gives_the_same_asset(proxied: Gateway, proxy: Proxy, before: bool) -> None:
    asset_id = (await proxied.add())["asset"]["id"]
    path, change = f"/api/recordings/{asset_id}", {"json": {"title": "A better title"}, "headers": {"If-Match": '"1"'}}
    await cut(proxied, proxy, b"asset.updated.v1", before, "PATCH", path, **change)
    again = await proxied.admin.http.patch(path, **change)
    # Whoever names the version learns that somebody was faster: in this case it was he.
    assert again.status_code == (200 if before else 412), again.text
    assert (await proxied.admin.http.get(path)).json()["title"] == "A better title"
    assert len(await proxied.said("asset.updated.v1")) == 1


@BEFORE_OR_AFTER
async def test_every_other_write_again_is_done_once_or_says_so(proxied: Gateway, proxy: Proxy, before: bool) -> None:
    other, doomed = await proxied.person("other"), await proxied.person("doomed")
    http = proxied.admin.http
    collection_id = (await http.post("/api/collections", json={"name": "Shared"})).json()["id"]
    key_id = (await http.post("/api/keys", json={"name": "to be revoked"})).json()["id"]
    collection, member = f"/api/collections/{collection_id}", f"/api/collections/{collection_id}/members/{other.id}"
    user = {"email": "cut@example.org", "name": "Cut"}
    # The method and path, what only its transaction sends, and the answer to the same when it was done already.
    for act, body, mark, done in (
        (("POST", "/api/users"), user, b"cut@example.org", 409),
        (("POST", "/api/keys"), {"name": "once more"}, b"once more", 201),
        (("PATCH", collection), {"name": "Renamed"}, b"Renamed", 200),
        (("PUT", member), {"role": "editor"}, b"editor", 200),
        (("DELETE", member), None, other.id.bytes, 404),
        (("DELETE", f"/api/keys/{key_id}"), None, UUID(key_id).bytes, 404),
        (("DELETE", collection), None, b"collection.deleted.v1", 404),
        (("DELETE", f"/api/users/{doomed.id}"), None, b"user.deleted.v1", 404),
    ):
        await cut(proxied, proxy, mark, before, *act, json=body)
        again = await http.request(*act, json=body)
        assert again.is_success if before else again.status_code == done, (act, again.text)
    assert len(await rows(proxied, "SELECT id FROM users WHERE email = 'cut@example.org'")) == 1
    assert len(await rows(proxied, "SELECT id FROM api_keys WHERE name = 'once more'")) == (1 if before else 2)
    assert len(await proxied.said("user.deleted.v1")) == 1
    # The shared one, and the default collection of whom nobody else was with.
    assert len(await proxied.said("collection.deleted.v1")) == 2


async def test_a_pool_in_use_is_answered_soon(proxied: Gateway) -> None:
    db = proxied.service.db
    # As requests do: work would leave one of them alone.
    with patience.having(HASTE):
        held = contextlib.AsyncExitStack()
        await held.enter_async_context(db.acquire())
        await held.enter_async_context(db.acquire())
    async with held:
        check_unavailable(await proxied.admin.http.get("/api/recordings"))
        added = await proxied.admin.http.post("/api/recordings", json={"url": URL})
        check_unavailable(added)
        assert (await proxied.admin.http.get("/health/ready")).json() == {"database": False}
        assert (await proxied.admin.http.get("/health/live")).status_code == 200
    assert (await proxied.admin.http.get("/api/recordings")).json()["items"] == []
    assert (await proxied.admin.http.get("/health/ready")).status_code == 200


async def test_a_role_at_its_connection_limit_is_answered_soon(make_gateway: Any, database_url: str) -> None:
    gateway: Gateway = await make_gateway(database_wait_seconds=0.5)
    gateway.service.relay.stop()
    pool = gateway.service.db.pool
    async with contextlib.AsyncExitStack() as held:
        # All that the role may have: what the gateway is connected with already, and the rest elsewhere.
        with patience.having(HASTE):
            while pool.get_idle_size():
                await held.enter_async_context(gateway.service.db.acquire())
        with contextlib.suppress(asyncpg.TooManyConnectionsError):
            while True:
                held.push_async_callback((await asyncpg.connect(database_url)).close)
        check_unavailable(await gateway.admin.http.get("/api/recordings"))
    assert (await gateway.admin.http.get("/api/recordings")).status_code == 200


@pytest.mark.parametrize("direction", ["up", "down"])
async def test_a_silent_database_is_answered_soon(proxied: Gateway, proxy: Proxy, direction: Direction) -> None:
    assert (await proxied.admin.http.get("/api/recordings")).status_code == 200
    proxy.hole(direction)
    for _ in range(2):
        check_unavailable(await proxied.admin.http.get("/api/recordings"))
    assert proxy.counts.withheld[direction] > 0
    proxy.heal(release=False)
    await until_well(proxied)


async def until_well(gateway: Gateway) -> None:
    """By itself; the limit only ends a test that would never end."""
    async with asyncio.timeout(30):
        while (await gateway.admin.http.get("/api/recordings")).status_code != 200:
            await asyncio.sleep(0.1)


async def test_a_database_that_is_gone_is_answered_soon(proxied: Gateway, proxy: Proxy) -> None:
    proxy.refuse()
    check_unavailable(await proxied.admin.http.get("/api/recordings"))
    check_unavailable(await proxied.admin.http.get("/api/recordings"))
    assert proxy.counts.refused > 0
    proxy.heal()
    await until_well(proxied)


async def test_a_websocket_is_told_to_come_again(proxied: Gateway, proxy: Proxy) -> None:
    ticket = await ticket_of(proxied.admin)
    asset = (await proxied.add())["asset"]
    async with watching(proxied, proxied.admin) as watcher:
        proxy.refuse()
        with pytest.raises(InvalidStatus) as refused:
            async with connect(proxied.url.replace("http", "ws") + f"/api/ws?ticket={ticket}", proxy=None):
                pass
        assert refused.value.response.status_code == 503
        await watcher.send(subscribe=[f"asset:{asset['id']}"])
        with pytest.raises(ConnectionClosed) as closed:
            await watcher.next()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1013
    proxy.heal()
    await until_well(proxied)
