"""Live news by WebSocket: a ticket once, a snapshot first, then what happens, for those who may see it."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest
from common.progress import Progress
from gateway.handlers.progress import ProgressKeeper, Report
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.integration.gateway.bus import Asset, Bus
from tests.integration.gateway.running import Gateway, Person


async def ticket_of(person: Person) -> str:
    answer = await person.http.post("/api/ws/ticket")
    assert answer.status_code == 201
    return answer.json()["ticket"]


class Watcher:
    """A WebSocket client."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def send(self, **message: Any) -> None:
        await self.socket.send(json.dumps(message))

    async def next(self) -> dict[str, Any]:
        return json.loads(await asyncio.wait_for(self.socket.recv(), 20))

    async def next_of(self, *types: str) -> dict[str, Any]:
        while (message := await self.next())["type"] not in types:
            pass
        return message

    async def fact(self, name: str) -> dict[str, Any]:
        """The next news of this fact; others, such as the asset's own registration, may come before."""
        while (message := await self.next_of("fact"))["fact"] != name:
            pass
        return message


@asynccontextmanager
async def watching(gateway: Gateway, person: Person, *topics: str) -> AsyncGenerator[Watcher]:
    url = gateway.url.replace("http", "ws") + f"/api/ws?ticket={await ticket_of(person)}"
    async with connect(url, proxy=None) as socket:
        watcher = Watcher(socket)
        if topics:
            await watcher.send(subscribe=list(topics))
        yield watcher


@pytest.fixture
async def asr(rabbitmq_url: str) -> AsyncGenerator[Progress]:
    """Tells progress as the asr service does."""
    progress = Progress(rabbitmq_url, "asr")
    yield progress
    await progress.close()


async def until_bound(bus: Bus, asset_id: str, asr: Progress, watcher: Watcher) -> dict[str, Any]:
    """Progress is lossy: told again and again until some of it arrives."""
    arriving = asyncio.create_task(watcher.next_of("progress"))
    fraction = 0.0
    async with asyncio.timeout(20):
        while not arriving.done():
            fraction += 0.001
            await asr.tell(UUID(asset_id), 1, "transcribe", fraction, f"{fraction:.3f}")
            await asyncio.sleep(0.05)
    return arriving.result()


async def test_a_ticket_lets_in_once(gateway: Gateway):
    ticket = await ticket_of(gateway.admin)
    url = gateway.url.replace("http", "ws") + f"/api/ws?ticket={ticket}"
    async with connect(url, proxy=None):
        pass
    for refused in (url, gateway.url.replace("http", "ws") + "/api/ws", url[:-1]):
        with pytest.raises(InvalidStatus) as error:
            async with connect(refused, proxy=None):
                pass
        assert error.value.response.status_code == 403


async def test_an_expired_ticket_does_not(gateway: Gateway):
    ticket = await ticket_of(gateway.admin)
    async with gateway.db.acquire() as conn:
        await conn.execute("UPDATE ws_tickets SET expires_at = now()")
    with pytest.raises(InvalidStatus):
        async with connect(gateway.url.replace("http", "ws") + f"/api/ws?ticket={ticket}", proxy=None):
            pass


async def test_a_snapshot_comes_first_then_progress_facts_and_status(bus: Bus, asr: Progress):
    asset = Asset(await bus.gateway.add())
    async with watching(bus.gateway, bus.gateway.admin, f"asset:{asset.id}") as watcher:
        snapshot = await watcher.next()
        assert (snapshot["type"], snapshot["topic"]) == ("snapshot", f"asset:{asset.id}")
        assert (snapshot["asset"]["id"], snapshot["status"]["status"]) == (asset.id, "pending")
        told = await until_bound(bus, asset.id, asr, watcher)
        assert (told["asset_id"], told["stage"], told["run"]) == (asset.id, "transcribe", 1)
        assert told["words"]
        await bus.say(asset.fetched())
        fact = await watcher.fact("recording.fetched")
        assert fact["asset_id"] == asset.id
        assert fact["data"] == {"duration_seconds": 90.0, "title": "From the file"}
        status = await watcher.next_of("status")
        assert (status["asset_id"], status["status"], status["stage"]) == (asset.id, "processing", "transcribe")
        await bus.gateway.admin.http.post(f"/api/assets/{asset.id}/cancel")
        await watcher.fact("processing.cancelled")
        assert (await watcher.next_of("status"))["status"] == "cancelled"


async def test_progress_of_the_running_stage_is_kept(bus: Bus, asr: Progress):
    asset = Asset(await bus.gateway.add())

    async def stored() -> dict[str, Any] | None:
        await asr.tell(UUID(asset.id), 1, "transcribe", 0.4, "minute 2 of 5")
        status = (await bus.gateway.admin.http.get(f"/api/assets/{asset.id}/status")).json()
        return status if status["stages"][1]["progress"] else None

    status = await bus.until(stored)
    stage = status["stages"][1]
    assert (stage["name"], stage["status"], stage["progress"]) == ("transcribe", "processing", 0.4)
    assert (stage["message"], status["status"]) == ("minute 2 of 5", "processing")
    assert stage["started_at"]


async def test_progress_is_stored_at_most_once_a_second_over_all_gateways(gateway: Gateway):
    asset = Asset(await gateway.add())
    one, other = ProgressKeeper(gateway.db), ProgressKeeper(gateway.db)

    async def take(keeper: ProgressKeeper, fraction: float, now: float, run: int = 1) -> bool:
        report = Report(asset_id=UUID(asset.id), run=run, stage="fetch", progress=fraction)
        return await keeper.take(report, now)

    async def last_stored(interval: str) -> None:
        async with gateway.db.acquire() as conn:
            await conn.execute(f"UPDATE jobs SET progress_at = now() + interval '{interval}'")

    assert await take(one, 0.1, now=100.0)
    await last_stored("-1 hour")
    # The same gateway waits by its own clock, another one by what the database says.
    assert not await take(one, 0.2, now=100.9)
    assert await take(other, 0.3, now=5.0)
    await last_stored("1 hour")
    assert not await take(one, 0.4, now=102.0)
    await last_stored("-1 hour")
    assert await take(one, 0.5, now=104.0)
    assert not await take(one, 0.6, now=106.0, run=2)
    status = (await gateway.admin.http.get(f"/api/assets/{asset.id}/status")).json()
    assert status["stages"][0]["progress"] == 0.5


async def test_a_collection_tells_of_all_its_assets(bus: Bus):
    asset = Asset(await bus.gateway.add())
    collection = asset.about["collection_id"]
    async with watching(bus.gateway, bus.gateway.admin, f"collection:{collection}") as watcher:
        snapshot = await watcher.next()
        assert [item["id"] for item in snapshot["assets"]] == [asset.id]
        await bus.say(asset.fetched())
        assert (await watcher.fact("recording.fetched"))["asset_id"] == asset.id
        new = await bus.gateway.add()
        while (await watcher.fact("asset.registered"))["asset_id"] != new["asset"]["id"]:
            pass


async def test_what_one_may_not_see_cannot_be_watched(bus: Bus):
    accepted = await bus.gateway.add()
    other = await bus.gateway.person("other")
    mine = f"asset:{accepted['asset']['id']}"
    names = [mine, f"collection:{accepted['asset']['collection_id']}", f"asset:{uuid4()}", "asset:x", "weather:today"]
    async with watching(bus.gateway, other, *names) as watcher:
        for name in names:
            answer = await watcher.next()
            assert (answer["type"], answer["topic"], answer["error_type"]) == ("error", name, "not_found")
        await watcher.socket.send("not json")
        assert (await watcher.next())["error_type"] == "validation_error"


async def test_moving_an_asset_away_silences_its_former_readers_at_once(bus: Bus):
    admin, reader = bus.gateway.admin, await bus.gateway.person("reader")
    shared = (await admin.http.post("/api/collections", json={"name": "shared"})).json()["id"]
    await admin.http.put(f"/api/collections/{shared}/members/{reader.id}", json={"role": "viewer"})
    moved = Asset(await bus.gateway.add(collection_id=shared))
    stays = Asset(await bus.gateway.add(collection_id=shared))
    topics = (f"asset:{moved.id}", f"asset:{stays.id}")
    async with watching(bus.gateway, reader, *topics) as watcher:
        # Either comes once more when the feed has just begun to listen.
        seen: set[str] = set()
        while seen != set(topics):
            seen.add((await watcher.next_of("snapshot"))["topic"])
        private = (await admin.http.post("/api/collections", json={"name": "private"})).json()["id"]
        await admin.http.patch(f"/api/assets/{moved.id}", json={"collection_id": private})
        await bus.say(moved.fetched(), stays.fetched())
        assert (await watcher.fact("recording.fetched"))["asset_id"] == stays.id


async def test_short_ids_and_unsubscribing(bus: Bus):
    accepted = await bus.gateway.add()
    first, second = Asset(accepted), Asset(await bus.gateway.add())
    async with watching(bus.gateway, bus.gateway.admin, f"asset:{accepted['asset']['short_id']}") as watcher:
        assert (await watcher.next())["topic"] == f"asset:{first.id}"
        await watcher.send(unsubscribe=[f"asset:{first.id}"], subscribe=[f"asset:{second.id}"])
        assert (await watcher.next_of("snapshot"))["topic"] == f"asset:{second.id}"
        await bus.say(first.fetched(), second.fetched())
        assert (await watcher.fact("recording.fetched"))["asset_id"] == second.id


async def test_a_client_that_says_too_much_is_shown_out(gateway: Gateway):
    async with watching(gateway, gateway.admin) as watcher:
        await watcher.socket.send("x" * 50_000)
        with pytest.raises(ConnectionClosed):
            await watcher.next()


async def test_watching_survives_the_broker_going_away(bus: Bus, rabbit: Any):
    asset = Asset(await bus.gateway.add())
    async with watching(bus.gateway, bus.gateway.admin, f"asset:{asset.id}") as watcher:
        assert (await watcher.next())["type"] == "snapshot"
        await asyncio.to_thread(rabbit.kill)
        await bus.gateway.admin.http.post(f"/api/assets/{asset.id}/cancel")
        await asyncio.to_thread(rabbit.restart)
        # The news of it may be lost; a snapshot is not.
        async with asyncio.timeout(60):
            while not cancelled(json.loads(await watcher.socket.recv())):
                pass


def cancelled(message: dict[str, Any]) -> bool:
    """Whether a status, in a snapshot or by itself, says so."""
    status = message["status"] if message["type"] == "snapshot" else message
    return status.get("status") == "cancelled"
