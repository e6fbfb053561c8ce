"""The service as it runs: a process that is killed while it writes, and one that hears facts from the broker."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from common import envelope, topology
from common.broker import Publisher
from common.events import AssetDeleted, Message, UserDeleted
from common.identity import IDENTITY_HEADER, Caller, Signer

from tests.integration.chat import talk as talks
from tests.integration.chat import wire
from tests.integration.chat.conftest import Meeting
from tests.integration.chat.house import House, read_events
from tests.integration.chat.wire import Call, Provider
from tests.integration.embedder.world import transcript_of

QUESTION = "When is the contract due?"
PATIENCE_SECONDS = 60


@pytest.fixture
async def provider() -> AsyncGenerator[Provider]:
    """Begins every answer and finishes none."""

    async def serve(call: Call) -> None:
        await call.begin_stream()
        await call.send(wire.openai_chunk("It is due"))
        await call.until_hung_up()

    async with wire.listening() as listening:
        listening.serve = serve
        yield listening


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@asynccontextmanager
async def process(house: House, port: int, **more: str) -> AsyncGenerator[asyncio.subprocess.Process]:
    """``python -m chat.main``, ready; killed at the end at the latest."""
    variables = {
        "PATH": os.environ["PATH"],
        "CHAT_DATABASE_URL": house.databases.urls["chat"],
        "CHAT_IDENTITY_PRIVATE_KEY": house.keys.private["chat"],
        "CHAT_EMBEDDER_URL": house.embedder_url,
        "CHAT_PORT": str(port),
        "CHAT_INTERRUPTED_SECONDS": "2",
        "EARSHOT_IDENTITY_PUBLIC_KEYS": house.keys.public,
        "EARSHOT_OBJECT_STORE_URL": house.store_url,
        "EARSHOT_ROLE": "api",
        "EARSHOT_RABBITMQ_URL": "amqp://guest:guest@127.0.0.1:9/",
    }
    running = await asyncio.create_subprocess_exec(sys.executable, "-m", "chat.main", env=variables | more)
    try:
        await until(lambda: _ready(port))
        yield running
    finally:
        if running.returncode is None:
            running.kill()
        await running.wait()


async def _ready(port: int) -> bool:
    try:
        async with httpx.AsyncClient() as client:
            return (await client.get(f"http://127.0.0.1:{port}/health/ready")).status_code == 200
    except httpx.HTTPError:
        return False


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await holds():
            await asyncio.sleep(0.05)


async def read_until_content(client: httpx.AsyncClient, headers: dict[str, str], texts: int = 1) -> list[Any]:
    """Ask, and read the stream until so many texts or the stream's end."""
    seen = ""
    body = {"question": QUESTION, "stream": True}
    try:
        async with client.stream("POST", "/api/answers", json=body, headers=headers) as response:
            async for text in response.aiter_text():
                seen += text
                if seen.count("event: content") >= texts and seen.endswith("\n\n"):
                    break
    except httpx.HTTPError:
        pass
    return read_events(seen)


async def test_killed_while_writing(house: House, meeting: Meeting, provider: Provider) -> None:
    """Another process tells the reader who comes back that the answer broke off, and what there was of it.

    Who asked the same there has followed it, and has it written on their own behalf from then on.
    """
    model = {"CHAT_OPENAI_BASE_URL": f"{provider.url}/v1", "CHAT_MODEL": "test-model"}
    headers, ports = house.as_user(meeting.user_id), (free_port(), free_port())
    addresses = [f"http://127.0.0.1:{port}" for port in ports]
    async with (
        process(house, ports[0], **model) as first,
        process(house, ports[1], **model),
        httpx.AsyncClient(base_url=addresses[0], timeout=60) as there,
        httpx.AsyncClient(base_url=addresses[1], timeout=60) as client,
    ):
        seen = await read_until_content(there, headers)
        following = asyncio.create_task(read_until_content(client, headers, texts=2))
        await until(lambda: _written(house, 2))
        assert len(provider.calls) == 1
        first.kill()
        await first.wait()
        assert [name for _, name, _ in seen][-1] == "content"
        answer_id = seen[0][2]["answer_id"]
        resume = headers | {"Last-Event-ID": str(seen[-1][0])}
        rest = read_events((await client.get(f"/api/answers/{answer_id}/events", headers=resume)).text)
        assert [name for _, name, _ in rest] == ["error"]
        assert rest[0][2]["error_type"] == "interrupted"
        found = (await client.get(f"/api/answers/{answer_id}", headers=headers)).json()
        assert (found["status"], found["answer"], found["answered"]) == ("interrupted", "It is due", False)
        told = [(name, data.get("content")) for _, name, data in await following]
        assert [text for name, text in told if name == "content"] == ["It is due", "It is due"]
        assert (told[-2][0], told[-1][0]) == ("status", "content")
        assert len(provider.calls) == 2


async def _written(house: House, texts: int) -> bool:
    """Whether readers have so many texts to see."""
    return await house.count("message_events", "event = 'content'") == texts


async def test_killed_while_writing_in_a_session(house: House, meeting: Meeting, provider: Provider) -> None:
    """The message is interrupted, whoever comes back is told so, and it can be written again."""
    port, model = free_port(), {"CHAT_OPENAI_BASE_URL": f"{provider.url}/v1", "CHAT_MODEL": "test-model"}
    talk = await talks.begin(house, meeting)
    body = {"content": QUESTION, "stream": True}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
        async with process(house, port, **model) as first:
            path = f"{talk.path}/messages"
            seen = ""
            async with client.stream("POST", path, json=body, headers=talk.headers) as response:
                async for text in response.aiter_text():
                    seen += text
                    if "event: content" in seen and seen.endswith("\n\n"):
                        break
            first.kill()
            await first.wait()
        *_, (last_id, _, data) = talks.read_events(seen)
        message = f"{path}/{data['message_id']}"
        assert (await talk.get(f"/messages/{data['message_id']}"))["status"] == "running"
        async with process(house, port, **model):
            rest = await client.get(f"{message}/events", headers=talk.headers | {"Last-Event-ID": last_id})
            assert [(name, data["error_type"]) for _, name, data in talks.read_events(rest.text)] == [
                ("error", "interrupted")
            ]
    found = (await talk.read())["messages"][1]
    assert (found["status"], found["content"], found["error"]["error_type"]) == (
        "interrupted",
        "It is due",
        "interrupted",
    )
    retried = (await talk.post(f"/messages/{found['id']}/retry", {})).json()
    assert (retried["id"], retried["status"], retried["attempt"]) == (found["id"], "done", 2)
    assert talks.SAID in retried["content"]


async def test_a_stop_tells_the_readers(house: House, meeting: Meeting, provider: Provider) -> None:
    port, model = free_port(), {"CHAT_OPENAI_BASE_URL": f"{provider.url}/v1", "CHAT_MODEL": "test-model"}
    async with (
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as client,
        process(house, port, **model, EARSHOT_DRAIN_SECONDS="1") as running,
    ):
        await read_until_content(client, house.as_user(meeting.user_id))
        running.terminate()
        assert await running.wait() == 0
    assert await house.count("answers", "state = 'interrupted'") == 1
    assert await house.count("message_events", "event = 'error'") == 1


async def test_facts_come_from_the_broker(house: House, meeting: Meeting, rabbitmq_url: str) -> None:
    answer = await house.answer(meeting.user_id, QUESTION)
    assert answer["citations"][0]["stale"] is False
    publisher = Publisher(rabbitmq_url, "test")

    async def publish(fact: Message) -> None:
        sealed = envelope.seal(fact, "gateway", topology.EVENTS_EXCHANGE)
        await publisher.publish(
            sealed.exchange, sealed.routing_key, sealed.body, sealed.headers, message_id=str(sealed.id)
        )

    port = free_port()
    async with process(house, port, EARSHOT_ROLE="both", EARSHOT_RABBITMQ_URL=rabbitmq_url):
        newer = transcript_of([("", "the roof of the house is old")], asset_id=meeting.asset_id, revision=2)
        await publish(await house.world.completed(newer))
        await until(lambda: _at_least(house, "asset_states", "revision = 2"))
        assert await house.count("answers") == 1
        summary = await summarise(house, meeting, port)
        assert [one["text"] for one in summary["bottom_line"]] == ["the roof of the house is old"]
        await publish(AssetDeleted(asset_id=meeting.asset_id, run=1, collection_id=meeting.collection_id))
        await until(lambda: _at_least(house, "asset_states", "deleted_at IS NOT NULL"))
        await until(lambda: _at_least(house, "inbox", "consumer LIKE '%asset.deleted%'"))
        assert await house.count("answers") == await house.count("summaries") == 0
        await talks.begin(house, meeting)
        await publish(UserDeleted(user_id=meeting.user_id))
        await until(lambda: _at_least(house, "inbox", "consumer LIKE '%user.deleted%'"))
        assert await house.count("sessions") == 0
    await publisher.close()


async def summarise(house: House, meeting: Meeting, port: int) -> dict[str, Any]:
    """By way of the broker, as everybody's."""
    editor = Caller(meeting.user_id, asset_id=meeting.asset_id, asset_role="editor")
    headers = {IDENTITY_HEADER: Signer("gateway", house.keys.private["gateway"]).user_token(editor)}
    path = f"http://127.0.0.1:{port}/api/assets/{meeting.asset_id}/summary"
    async with httpx.AsyncClient(timeout=60) as client:
        response = await client.post(path, params={"wait": True}, headers=headers)
    assert (response.status_code, response.json()["status"]) == (200, "ready"), response.text
    return response.json()


async def _at_least(house: House, table: str, where: str) -> bool:
    return await house.count(table, where) >= 1
