"""Parked messages for administrators: five services over real sockets, some of them away."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import aio_pika
import httpx
import pytest
from common import parked, topology
from common.db import Database
from common.identity import IDENTITY_HEADER, Caller, Signer, new_key_pair
from common.ids import uuid7
from common.parked import Parked
from common.service import Service
from common.settings import ServiceSettings

from tests.conftest import Databases
from tests.integration.gateway.running import NOWHERE, Gateway, client, serving
from tests.integration.gateway.test_permissions import filled, operations

LIST = "/api/admin/parked"
QUEUES = {
    "gateway": "gateway.facts",
    "fetcher": "fetcher.asset.registered.v1",
    "asr": "asr.part.planned.v1",
    "embedder": "embedder.transcript.completed.v1",
    "chat": "chat.asset.deleted.v1",
}


@dataclass
class House:
    """A gateway, the four services behind it, each with its database and address."""

    gateway: Gateway
    signer: Signer
    databases: dict[str, Database]
    urls: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def http(self) -> httpx.AsyncClient:
        return self.gateway.admin.http

    async def park(self, service: str, body: bytes = b"{}", **changes: Any) -> str:
        queue = QUEUES[service]
        type_ = queue.removeprefix(f"{service}.")
        values: dict[str, Any] = {
            "id": uuid7(),
            "queue": queue,
            "message_id": uuid7(),
            "type": type_,
            "asset_id": None,
            "reason": "KeyError: 'a bug'",
            "history": ["KeyError('a bug')"],
            "headers": {"cloudEvents_type": f"earshot.{type_}"},
            "body": body,
            "parked_at": datetime.now(UTC),
        }
        row = Parked(**values | changes)
        async with self.databases[service].transaction() as conn:
            await parked.park(conn, [row])
        return str(row.id)

    async def get(self, path: str = "", **params: Any) -> Any:
        answer = await self.http.get(LIST + path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(self, path: str, **params: Any) -> httpx.Response:
        return await self.http.post(LIST + path, params=params)

    async def outbox(self, service: str) -> list[Any]:
        async with self.databases[service].acquire() as conn:
            return await conn.fetch("SELECT routing_key, body FROM outbox WHERE exchange = '' ORDER BY seq")


@asynccontextmanager
async def behind(
    databases: Databases, public_key: str, store_url: str, scratch: Path, names: tuple[str, ...]
) -> AsyncIterator[dict[str, str]]:
    """These services' APIs, each on a port of its own; answers their addresses."""
    async with AsyncExitStack() as stack:
        urls: dict[str, str] = {}
        for name in names:
            settings = ServiceSettings(
                database_url=databases.urls[name],
                rabbitmq_url=NOWHERE,
                object_store_url=store_url,
                identity_public_keys=f"gateway={public_key}",
                role="api",
                scratch_dir=scratch,
            )
            service = Service(name, settings)  # type: ignore[arg-type]
            urls[name] = await stack.enter_async_context(serving(service.app))
        yield urls


@pytest.fixture
async def make_house(
    make_gateway: Any, db: Database, fresh_database: Databases, store_url: str, tmp_path: Path
) -> AsyncGenerator[Any]:
    async with AsyncExitStack() as stack:

        async def make(*names: str, **settings: Any) -> House:
            private, public = new_key_pair()
            urls = await stack.enter_async_context(behind(fresh_database, public, store_url, tmp_path, names))
            addresses = {f"{name}_url": url for name, url in urls.items()}
            addresses = {f"{name}_url": "http://127.0.0.1:1" for name in QUEUES if name != "gateway"} | addresses
            gateway = await make_gateway(identity_private_key=private, **addresses | settings)
            databases = {"gateway": db}
            for name in QUEUES:
                if name != "gateway":
                    databases[name] = await stack.enter_async_context(fresh_database.open(name))
            return House(gateway, Signer("gateway", private), databases, urls)

        yield make


@pytest.fixture
async def house(make_house: Any) -> House:
    return await make_house("fetcher", "asr", "embedder", "chat")


async def test_all_services_are_listed_as_one_newest_first(house: House) -> None:
    asset_id = uuid7()
    ids = [await house.park(service, asset_id=asset_id) for service in QUEUES]
    page = await house.get()
    assert [item["id"] for item in page["items"]] == sorted(ids, reverse=True)
    assert {item["service"] for item in page["items"]} == set(QUEUES)
    assert (page["next_cursor"], page["unavailable"]) == (None, [])
    (item,) = (await house.get(service="asr"))["items"]
    assert item == {
        "id": ids[2],
        "short_id": ids[2][-8:],
        "service": "asr",
        "queue": "asr.part.planned.v1",
        "message_id": item["message_id"],
        "type": "part.planned.v1",
        "asset_id": str(asset_id),
        "reason": "KeyError: 'a bug'",
        "parked_at": item["parked_at"],
        "history_count": 1,
        "size_bytes": 2,
    }
    assert [one["service"] for one in (await house.get(type="asset.registered.v1"))["items"]] == ["fetcher"]
    assert (await house.get(type="asset.registered.v1", service="asr"))["items"] == []
    assert (await house.http.get(LIST, params={"service": "nobody"})).status_code == 422


async def test_pages_over_all_services_stay_as_they_are_while_more_are_parked(house: House) -> None:
    there = [await house.park(service) for _ in range(7) for service in QUEUES]
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = await house.get(limit=4, **cursor)
        seen += [item["id"] for item in page["items"]]
        await asyncio.gather(*(house.park(service) for service in QUEUES))
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert seen == sorted(there, reverse=True)


@pytest.mark.parametrize(
    ("body", "encoding", "shown"),
    [
        (b'{"run": 1}', "json", {"run": 1}),
        (b"{not json", "text", "{not json"),
        (b"\xff\xfe\x00", "base64", "//4A"),
        (b"[" * 900 + b"]" * 900, "text", "[" * 900 + "]" * 900),
    ],
)
@pytest.mark.parametrize("service", ["gateway", "asr"])
async def test_one_is_told_whole(house: House, service: str, body: bytes, encoding: str, shown: Any) -> None:
    parked_id = await house.park(service, body)
    for name in (parked_id, parked_id[-8:], parked_id[-8:].upper()):
        found = await house.get(f"/{name}")
        assert (found["id"], found["service"], found["history"]) == (parked_id, service, ["KeyError('a bug')"])
        assert (found["encoding"], found["body"], found["body_complete"]) == (encoding, shown, True)
        assert found["headers"]["cloudEvents_type"].startswith("earshot.")


async def test_of_a_body_without_limit_the_beginning_is_told(house: House) -> None:
    parked_id = await house.park("asr", b"a" * 2_000_000)
    found = await house.get(f"/{parked_id}")
    assert (len(found["body"]), found["size_bytes"], found["body_complete"]) == (1024 * 1024, 2_000_000, False)


@pytest.mark.parametrize("service", ["gateway", "asr"])
async def test_replayed_by_many_at_once_it_is_sent_once(house: House, service: str) -> None:
    body = b"\xff\xfe\x00not text"
    parked_id = await house.park(service, body)
    answers = await asyncio.gather(*(house.post(f"/{parked_id}/replay") for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [202] + [404] * 7
    assert next(answer.json() for answer in answers if answer.status_code == 202) == {"replayed": 1, "stranded": 0}
    assert [tuple(row) for row in await house.outbox(service)] == [(QUEUES[service], body)]
    gone = await house.http.get(f"{LIST}/{parked_id}")
    assert (gone.status_code, gone.json()["error_type"]) == (404, "not_found")
    assert "replayed or dropped" in gone.json()["advice"]


@pytest.mark.parametrize("service", ["gateway", "asr"])
async def test_dropped_it_is_gone(house: House, service: str) -> None:
    kept, parked_id = await house.park(service), await house.park(service)
    assert (await house.http.delete(f"{LIST}/{parked_id[-8:]}")).status_code == 204
    assert (await house.http.delete(f"{LIST}/{parked_id}")).status_code == 404
    assert (await house.post(f"/{parked_id}/replay")).status_code == 404
    assert [item["id"] for item in (await house.get())["items"]] == [kept]
    assert await house.outbox(service) == []


async def test_all_of_a_type_are_replayed_and_only_they(house: House) -> None:
    for _ in range(120):
        await house.park("asr")
    other = await house.park("asr", type="recording.fetched.v1", queue="asr.recording.fetched.v1")
    chat = await house.park("chat")
    unnamed = await house.post("/replay")
    assert (unnamed.status_code, unnamed.json()["error_type"]) == (422, "validation_error")
    elsewhere = await house.post("/replay", type="part.planned.v1", service="chat")
    assert elsewhere.json() == {"replayed": 0, "stranded": 0, "unavailable": []}
    done = await house.post("/replay", type="part.planned.v1")
    assert (done.status_code, done.json()) == (202, {"replayed": 120, "stranded": 0, "unavailable": []})
    assert {item["id"] for item in (await house.get())["items"]} == {other, chat}
    assert (await house.post("/replay", all="true")).json()["replayed"] == 2
    assert len(await house.outbox("asr")) == 121


async def test_without_its_queue_a_replay_is_refused_with_advice(house: House) -> None:
    for service in ("gateway", "asr"):
        parked_id = await house.park(service, queue=f"{service}.of.an.earlier.version")
        refused = await house.post(f"/{parked_id}/replay")
        assert (refused.status_code, refused.json()["error_type"]) == (409, "conflict")
        assert f"{service}.of.an.earlier.version" in refused.json()["detail"]
        assert refused.json()["advice"]
    assert (await house.post("/replay", all="true")).json() == {"replayed": 0, "stranded": 2, "unavailable": []}
    assert len((await house.get())["items"]) == 2


async def test_names_that_mean_nothing_or_too_much(house: House) -> None:
    tail = 0x1234ABCD
    for service in ("asr", "chat"):
        await house.park(service, id=UUID(int=uuid7().int >> 32 << 32 | tail))
    for method in ("GET", "DELETE"):
        many = await house.http.request(method, f"{LIST}/1234abcd")
        assert (many.status_code, many.json()["advice"]) == (409, "Use the full id.")
        for nothing in ("nonsense", "00000000", str(uuid7())):
            assert (await house.http.request(method, f"{LIST}/{nothing}")).status_code == 404
    assert len((await house.get())["items"]) == 2


async def test_services_that_are_away_are_named_and_the_others_answer(make_house: Any) -> None:
    house = await make_house("asr", "chat")
    ids = [await house.park(service) for service in QUEUES]
    page = await house.get()
    assert page["unavailable"] == ["fetcher", "embedder"]
    assert [item["service"] for item in page["items"]] == ["chat", "asr", "gateway"]
    assert (await house.get(service="fetcher")) == {"items": [], "next_cursor": None, "unavailable": ["fetcher"]}
    # Found with one that answers, or perhaps with one that does not.
    assert (await house.get(f"/{ids[2]}"))["service"] == "asr"
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/replay")):
        answer = await house.http.request(method, f"{LIST}/{ids[1]}{path}")
        assert (answer.status_code, answer.json()["error_type"]) == (503, "unavailable")
        assert int(answer.headers["retry-after"]) > 0
        assert "fetcher and embedder" in answer.json()["detail"]
        assert answer.json()["advice"]
    assert (await house.post("/replay", all="true")).json() == {
        "replayed": 3,
        "stranded": 0,
        "unavailable": ["fetcher", "embedder"],
    }


async def test_a_service_that_is_frozen_or_of_another_kind_does_not_keep_the_others_back(make_house: Any) -> None:
    left = asyncio.Event()

    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Takes the question and is silent until the asker has left."""
        await reader.read()
        writer.close()
        left.set()

    async def hello(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"<html>"})

    frozen = await asyncio.start_server(never, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{frozen.sockets[0].getsockname()[1]}"
    async with serving(hello) as another:
        house = await make_house("asr", fetcher_url=url, embedder_url=another)
        parked_id = await house.park("asr")
        page = await house.get()
    async with asyncio.timeout(20):
        await left.wait()
    assert [item["id"] for item in page["items"]] == [parked_id]
    assert page["unavailable"] == ["fetcher", "embedder", "chat"]
    frozen.close()


async def test_only_administrators_see_any_of_it(house: House) -> None:
    parked_id = await house.park("asr")
    document = (await house.http.get("/openapi.json")).json()
    person = await house.gateway.person("person")
    limited = await house.http.post("/api/keys", json={"name": "w", "scopes": ["read", "write"]})
    walked = 0
    async with client(house.gateway.url, limited.json()["key"]) as without_scope:
        for method, path, operation in operations(document):
            if not path.startswith("/api/admin"):
                continue
            assert operation["x-earshot-scope"] == "admin", path
            for http in (person.http, without_scope):
                answer = await http.request(method, filled(path, parked_id=parked_id))
                assert (answer.status_code, answer.json()["error_type"]) == (403, "forbidden"), (method, path)
            walked += 1
    assert walked == 6
    assert [item["id"] for item in (await house.get())["items"]] == [parked_id]


async def test_a_service_believes_only_the_gateways_word_for_an_administrator(house: House) -> None:
    parked_id = await house.park("asr")
    user = Caller(uuid7())
    stranger = Signer("gateway", new_key_pair()[0])
    told = {
        "nobody": ({}, 401),
        "service": ({"X-Earshot-Service": house.signer.service_token()}, 401),
        "forged": ({IDENTITY_HEADER: stranger.user_token(Caller(uuid7(), is_admin=True))}, 401),
        "user": ({IDENTITY_HEADER: house.signer.user_token(user)}, 403),
        "admin": ({IDENTITY_HEADER: house.signer.user_token(Caller(uuid7(), is_admin=True))}, None),
    }
    ways = (
        ("POST", f"/{parked_id}/replay"),
        ("POST", "/replay"),
        ("GET", ""),
        ("GET", "/backlog"),
        ("GET", f"/{parked_id}"),
    )
    async with httpx.AsyncClient(base_url=house.urls["asr"], trust_env=False) as asr:
        for headers, status in told.values():
            for method, path in (("DELETE", f"/{parked_id}"), *ways):
                if status is not None:
                    answer = await asr.request(method, f"/internal/parked{path}", headers=headers)
                    assert answer.status_code == status, (method, path)
        headers, _ = told["admin"]
        assert [item["id"] for item in (await asr.get("/internal/parked", headers=headers)).json()] == [parked_id]
    # And the door leads to nothing internal.
    for path in ("/internal/parked", f"/internal/parked/{parked_id}", "/internal/parked/backlog"):
        assert (await house.http.get(path, headers=headers)).status_code == 404


async def test_queues_as_the_broker_tells_them(make_house: Any, rabbitmq_url: str) -> None:
    house = await make_house("asr", "chat", "fetcher", rabbitmq_url=rabbitmq_url)
    await house.park("asr")
    connection = await aio_pika.connect(rabbitmq_url)
    async with connection:
        channel = await connection.channel()
        for _ in range(3):
            await channel.default_exchange.publish(aio_pika.Message(b"{}"), "asr.part.planned.v1")
        await (await channel.get_queue("chat.asset.deleted.v1")).consume(_leave_it)

        async def counted() -> dict[str, Any]:
            # Again each time: the gateway declares everything when it has reached the broker.
            await channel.queue_delete("chat.transcript.completed.v1")
            return (await house.http.get("/api/admin/queues")).json()

        async with asyncio.timeout(20):
            while (_messages(told := await counted(), "asr.part.planned.v1") != 3) or (
                _messages(told, "chat.transcript.completed.v1") is not None
            ):
                await asyncio.sleep(0.1)
    named = {queue["name"]: queue for queue in told["queues"]}
    every = {*topology.work_queues(), *(topology.delay_name(seconds) for seconds in topology.DELAYS)}
    assert named.keys() == every | {topology.dead_queue(name) for name in QUEUES} | {topology.PROGRESS_QUEUE}
    assert (told["broker_reachable"], told["unavailable"]) == (True, ["embedder"])
    assert named["asr.part.planned.v1"] == {
        "name": "asr.part.planned.v1",
        "kind": "work",
        "service": "asr",
        "messages": 3,
        "consumers": 0,
    }
    assert named["chat.asset.deleted.v1"]["consumers"] == 1
    assert named["chat.transcript.completed.v1"]["messages"] is None
    assert (named["earshot.delay.5s"]["kind"], named["earshot.delay.5s"]["service"]) == ("delay", None)
    assert {queue["kind"] for queue in told["queues"]} == {"work", "delay", "dead", "progress"}
    (asr,) = [waiting for waiting in told["services"] if waiting["service"] == "asr"]
    assert asr == {"service": "asr", "outbox": 0, "parked": {"part.planned.v1": 1}}


async def _leave_it(_message: Any) -> None:
    return


def _messages(told: dict[str, Any], name: str) -> int | None:
    return next(queue["messages"] for queue in told["queues"] if queue["name"] == name)


async def test_while_the_broker_is_away_what_waits_for_it_is_told(house: House) -> None:
    await house.gateway.add()
    told = (await house.http.get("/api/admin/queues")).json()
    assert (told["broker_reachable"], told["queues"], told["unavailable"]) == (False, None, [])
    assert {waiting["service"]: waiting["outbox"] for waiting in told["services"]} == dict.fromkeys(QUEUES, 0) | {
        "gateway": 1
    }
