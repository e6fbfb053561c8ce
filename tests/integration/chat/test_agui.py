"""AG-UI 1.0: every event of real conversations is read by the official Python models, and driven by the npm client."""

import asyncio
import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from ag_ui.core import AgentCapabilities
from chat.queries import once as queries_once
from common.ids import uuid7

from tests import node
from tests.conftest import Databases
from tests.integration.chat import wire
from tests.integration.chat.agui import Client, check_order, one, text_of
from tests.integration.chat.conftest import Meeting, record_meeting
from tests.integration.chat.house import open_house
from tests.integration.chat.talk import SAID
from tests.integration.chat.test_session_streams import Halting
from tests.integration.chat.wire import Call, Provider

QUESTION = "When is the contract due?"


@pytest.fixture
async def provider() -> AsyncGenerator[Provider]:
    async with wire.listening() as listening:
        yield listening


@pytest.fixture
async def client(fresh_database: Databases, store_url: str, provider: Provider) -> AsyncGenerator[Client]:
    """Of a service that also has a model, the loopback provider's."""
    model = {"openai_base_url": f"{provider.url}/v1", "openai_api_key": "secret", "model": "test-model"}
    more = {"abandon_seconds": 1.0, "flush_seconds": 0.05, "keep_alive_seconds": 0.2}
    async with open_house(fresh_database, store_url, provider="openai", **model, **more) as house:
        yield Client(house, await record_meeting(house))


async def refuse(call: Call) -> None:
    await call.answer("401 Unauthorized", {"error": {"message": "wrong key"}})


async def test_a_thread_is_a_session_and_a_run_its_answer(client: Client) -> None:
    told = await client.ask(QUESTION, model="extractive", collection_id=str(client.meeting.collection_id))
    started = told[0].raw
    assert (started["threadId"], started["runId"], started["protocolVersion"]) == ("t1", "r1", "1.0")
    ours = started["metadata"]["earshot"]
    session = await client.get(f"/api/chat/sessions/{ours['session_id']}")
    assert session["collection_id"] == str(client.meeting.collection_id)
    question, answer = session["messages"]
    assert (question["content"], answer["id"], answer["run_id"]) == (QUESTION, ours["message_id"], ours["run_id"])

    steps = [(event.type, event.raw["stepName"]) for event in told if event.type.startswith("STEP_")]
    names = ("searching", "reading", "writing")
    assert steps == [pair for name in names for pair in (("STEP_STARTED", name), ("STEP_FINISHED", name))]
    call = one(told, "TOOL_CALL_START")
    assert call["toolCallName"] == "search"
    assert json.loads(one(told, "TOOL_CALL_ARGS")["delta"]) == {"query": QUESTION}
    found = json.loads(one(told, "TOOL_CALL_RESULT")["content"])["passages"]
    assert found == answer["chunks"]
    assert text_of(told) == answer["content"]
    assert one(told, "TEXT_MESSAGE_START")["messageId"] == answer["id"]
    cited = one(told, "CUSTOM")
    assert (cited["name"], cited["value"]["citations"]) == ("earshot.citations", answer["citations"])
    assert cited["value"]["citations"][0]["quote"] == SAID
    assert cited["value"]["citations"][0]["locator"]["type"] == "time"
    ended = one(told, "TEXT_MESSAGE_END")["metadata"]["earshot"]
    assert ended["citations"] == answer["citations"]
    assert told[-1].raw["result"]["answered"] is True
    assert "usage" not in told[-1].raw

    # The client's own account of the conversation is not believed; the stored one is.
    body = client.body("When is it due?", "r2", "t1", model="extractive")
    body["messages"] = [{"id": "x", "role": "user", "content": "Tell me about lunch."}, *body["messages"]]
    again = await client.follow(body)
    assert again[0].raw["metadata"]["earshot"]["session_id"] == ours["session_id"]
    assert SAID in text_of(again)
    # A session's own id is a name of its thread.
    by_id = await client.ask("Why?", "r3", ours["session_id"], model="extractive")
    assert by_id[0].raw["threadId"] == ours["session_id"]
    assert len((await client.get(f"/api/chat/sessions/{ours['session_id']}"))["messages"]) == 6
    # The same name of somebody else stands for something else.
    other = Client(client.house, Meeting(await client.house.world.user(), uuid7(), uuid7()))
    theirs = await other.ask(QUESTION, "r1", ours["session_id"], model="extractive")
    assert theirs[0].raw["metadata"]["earshot"]["session_id"] != ours["session_id"]
    assert one(theirs, "CUSTOM")["value"]["answered"] is False
    assert text_of(theirs) == "Nothing in the library matches the question."
    assert json.loads(one(theirs, "TOOL_CALL_RESULT")["content"]) == {"passages": []}

    await check_that_names_outlive_keys(client, ours["session_id"])
    await check_configuration(client)


async def check_that_names_outlive_keys(client: Client, session_id: str) -> None:
    async with client.house.db.acquire() as conn:
        await conn.execute("UPDATE request_keys SET created_at = now() - interval '3 days'")
        await queries_once.forget_keys(conn, 24)
    again = await client.ask(QUESTION, "r1", model="extractive")
    assert again[0].raw["metadata"]["earshot"]["session_id"] == session_id
    await client.house.http.delete(f"/api/chat/sessions/{session_id}", headers=client.headers)
    anew = (await client.ask(QUESTION, "r2", model="extractive"))[0].raw["metadata"]["earshot"]["session_id"]
    assert len((await client.get(f"/api/chat/sessions/{anew}"))["messages"]) == 2


async def check_configuration(client: Client) -> None:
    config = await client.get("/api/agui/config")
    assert (config["protocol_version"], config["endpoint"]) == ("1.0", "/ag-ui")
    assert config["models"] == ["test-model", "extractive"]
    capabilities = AgentCapabilities.model_validate(config["capabilities"])
    assert capabilities.model_dump(mode="json", by_alias=True) == config["capabilities"]
    assert set(config["forwarded_props"]["properties"]) == {"collection_id", "model", "top_k"}
    assert (await client.house.http.get("/api/agui/config")).status_code == 401


async def test_a_run_is_resumed_stopped_followed_by_another_and_fails(client: Client, provider: Provider) -> None:
    halting = Halting()
    provider.serve = halting.serve
    body = client.body(QUESTION, "r1", "t1")
    first = await client.until_text(body)
    assert text_of(first) == "It must be sent"
    whole = asyncio.create_task(client.follow(body))
    rest = asyncio.create_task(client.follow(body, after=first[-1].id))
    halting.go_on.set()
    told = await whole
    check_order(told)
    assert [event.raw for event in first + await rest] == [event.raw for event in told]
    assert text_of(told) == "It must be sent before the end of November [1]."
    assert len(provider.calls) == 1
    assert await client.follow(body, after=told[-1].id) == []

    # Whoever cannot say that a run is to be stopped just asks something else: a client that only hung up.
    provider.serve = Halting().serve
    left = await client.until_text(client.body(QUESTION, "r2", "t1"))
    ours = left[0].raw["metadata"]["earshot"]
    after = await client.ask("Who asks for the contract?", "r3", "t1", model="extractive")
    assert after[-1].raw["outcome"] == {"type": "success"}
    message = f"/api/chat/sessions/{ours['session_id']}/messages/{ours['message_id']}"
    assert (await client.get(message))["status"] == "cancelled"
    stopped = await client.follow(client.body(QUESTION, "r2", "t1"))
    check_order(stopped)
    assert (text_of(stopped), stopped[-1].raw["outcome"]) == ("It must be sent", {"type": "cancelled"})

    await check_failures(client, provider)


async def check_failures(client: Client, provider: Provider) -> None:
    """Before a run begins by the status, afterwards by RUN_ERROR."""
    provider.serve = refuse
    told = await client.ask(QUESTION, "r5")
    assert (told[-1].type, told[-1].raw["code"]) == ("RUN_ERROR", "provider_refused")
    assert "secret" not in str(told)
    body = client.body("Something else?", "r5", "t1")
    used = await client.post(body)
    assert (used.status_code, used.json()["error_type"]) == (409, "conflict")
    assert "runId" in used.json()["detail"]
    elsewhere = await client.post(client.body(QUESTION, "r9", "t1", collection_id=str(client.meeting.collection_id)))
    assert elsewhere.status_code == 409
    unknown = await client.post(client.body(QUESTION, "r9", "t9", collection_id=str(uuid7())))
    assert unknown.status_code == 404
    assert (await client.post(client.body(QUESTION, "r9", "t9", model="grandmother"))).status_code == 422
    for field, value in SENSELESS:
        refused = await client.post(client.body(QUESTION, "r9", "t9") | {field: value})
        assert (refused.status_code, refused.json()["error_type"]) == (422, "validation_error"), (field, value)
    strange = await client.post(client.body(QUESTION, "r5", "t1"), after="1.2")
    assert strange.status_code == 422
    sessions = await client.get("/api/chat/sessions")
    assert len(sessions["items"]) == 1

    # Once its source is gone, nothing of the answer is told, wherever its reader had been.
    provider.serve = wire.openai_says("It must be sent before the end of November [1].")
    asked = client.body(QUESTION, "r6", "t1", top_k=1)
    told = await client.follow(asked)
    assert told[-1].raw["usage"][0]["totalTokens"] == 129
    await client.house.world.move(client.meeting.asset_id, await client.house.world.collection())
    assert (await client.post(asked)).status_code == 404
    await client.house.world.move(client.meeting.asset_id, client.meeting.collection_id)
    assert (await client.follow(asked))[-1].raw == told[-1].raw


SENSELESS: list[tuple[str, Any]] = [
    ("threadId", ""),
    ("runId", "x" * 201),
    ("messages", []),
    ("messages", [{"id": "1", "role": "assistant", "content": "I ask"}]),
    ("messages", [{"id": "1", "role": "grandmother", "content": "When?"}]),
    ("messages", [{"id": "1", "role": "user", "content": "   "}]),
    ("messages", [{"id": "1", "role": "user", "content": [{"type": "image", "source": {}}]}]),
    ("forwardedProps", {"top_k": 0}),
    ("resume", [{"interruptId": "1", "status": "resolved"}]),
]


async def answer_as_asked(call: Call) -> None:
    if "<question>\nRefuse" in call.body["messages"][-1]["content"]:
        await refuse(call)
    else:
        await Halting().serve(call)


@node.needs("@ag-ui/client")
async def test_npm(client: Client, provider: Provider) -> None:
    provider.serve = answer_as_asked
    script = Path(__file__).with_name("agui_client.mjs")
    told = json.dumps({"headers": client.headers, "question": QUESTION})
    done = await asyncio.to_thread(node.run, script, client.house.http.base_url, told=told)
    # The client warns of whatever the protocol does not describe, or its rules of order forbid.
    assert "ag-ui" not in done.stderr
    found = json.loads(done.stdout)
    call, result, answer = found["answered"]["newMessages"]
    assert call["toolCalls"][0]["function"]["name"] == "search"
    assert (result["role"], result["toolCallId"]) == ("tool", call["toolCalls"][0]["id"])
    assert any(SAID in passage["title"] or passage["number"] for passage in json.loads(result["content"])["passages"])
    assert f"“{SAID}” [1]" in answer["content"]
    assert answer["metadata"]["earshot"]["citations"][0]["quote"] == SAID
    assert found["answered"]["citations"] == answer["metadata"]["earshot"]["citations"]
    assert found["answered"]["pending"] == []
    assert [name for name, _ in found["answered"]["steps"]] == ["searching", "reading", "writing"]
    # The second question leans on the first, which only the server remembers rightly.
    assert SAID in found["leaning"]["newMessages"][-1]["content"]
    assert found["refused"] == {"code": "provider_refused", "status": 502}
    assert found["cancelled"] == {"outcome": "cancelled", "text": "It must be sent"}
    assert found["unasked"] == {"status": 422, "error_type": "validation_error"}
