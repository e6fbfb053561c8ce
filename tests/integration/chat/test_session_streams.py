"""A session's answers while a model writes them: followed, resumed, cancelled, broken off, written again."""

import asyncio
from collections.abc import AsyncGenerator
from uuid import UUID

import pytest
from chat import handlers
from chat.queries import writing
from chat.queries.rows import EventRow
from common import lifecycle
from common.events import AssetDeleted

from tests.conftest import Databases
from tests.integration.chat import wire
from tests.integration.chat.conftest import Meeting, record_meeting
from tests.integration.chat.house import House, open_house
from tests.integration.chat.talk import SAID, Event, Talk, begin, read_events
from tests.integration.chat.wire import Call, Provider

QUESTION = "When is the contract due?"


@pytest.fixture
async def provider() -> AsyncGenerator[Provider]:
    async with wire.listening() as listening:
        yield listening


@pytest.fixture
async def house(fresh_database: Databases, store_url: str, provider: Provider) -> AsyncGenerator[House]:
    """Answers through the loopback provider; what nobody reads would be stopped soon."""
    model = {"openai_base_url": f"{provider.url}/v1", "openai_api_key": "secret", "model": "test-model"}
    more = {"abandon_seconds": 1.0, "flush_seconds": 0.05, "keep_alive_seconds": 0.2}
    async with open_house(fresh_database, store_url, provider="openai", **model, **more) as opened:
        yield opened


@pytest.fixture
async def meeting(house: House) -> Meeting:
    return await record_meeting(house)


def number_of(call: Call, words: str) -> int:
    """The number under which the prompt shows the passage with these words."""
    shown = str(call.body).split("<passage number=")
    (found,) = [part for part in shown if words in part]
    return int(found[1 : found.index('"', 1)])


def says(text: str) -> wire.Serve:
    """``text`` with ``{n}`` for the number of the passage about the contract."""

    async def serve(call: Call) -> None:
        await wire.openai_says(text.format(n=number_of(call, SAID)))(call)

    return serve


class Halting:
    """Says one half, and the other when it may; notices when its client hangs up."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()

    async def serve(self, call: Call) -> None:
        await call.begin_stream()
        await call.send(wire.openai_chunk("It must be sent "))
        waiting = [asyncio.create_task(self.go_on.wait()), asyncio.create_task(call.until_hung_up())]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()
        rest = f"before the end of November [{number_of(call, SAID)}]."
        await call.send(wire.openai_chunk(rest) + wire.openai_chunk(finish="stop") + "data: [DONE]\n\n")
        await call.end_stream()


async def ask_until_text(talk: Talk, content: str = QUESTION) -> list[Event]:
    """The stream's events up to the first text; then its reader leaves."""
    seen = ""
    body = {"content": content, "stream": True}
    async with talk.house.http.stream("POST", f"{talk.path}/messages", json=body, headers=talk.headers) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        async for text in response.aiter_text():
            seen += text
            if "event: content" in seen and seen.endswith("\n\n"):
                break
    return read_events(seen)


async def test_a_stream_is_resumed_and_read_by_two(house: House, meeting: Meeting, provider: Provider) -> None:
    halting = Halting()
    provider.serve = halting.serve
    talk = await begin(house, meeting)
    first = await ask_until_text(talk)
    message_id, run_id = first[0][2]["message_id"], first[0][2]["run_id"]
    names = {"session_id": talk.id, "message_id": message_id, "run_id": run_id}
    assert all(names.items() <= data.items() and data["type"] == name for _, name, data in first)
    running = await talk.get(f"/messages/{message_id}")
    assert (running["status"], running["content"], running["run_id"]) == ("running", "It must be sent", run_id)
    assert len(running["chunks"]) > 1
    busy = await talk.post("/messages", {"content": "And the roof?"})
    assert (busy.status_code, busy.json()["error_type"]) == (409, "conflict")
    assert "cancel" in busy.json()["advice"]
    assert (await talk.post("/branch", {"message_id": message_id})).status_code == 409
    # Nobody reads for longer than an answer without a session would be given.
    async with house.db.acquire() as conn:
        while not await conn.fetchval("SELECT read_at < now() - interval '2.5 s' FROM answers"):
            await asyncio.sleep(0.1)
    whole = asyncio.create_task(talk.events(message_id))
    rest = asyncio.create_task(talk.events(message_id, after=first[-1][0]))
    halting.go_on.set()
    assert first + await rest == await whole
    *_, (_, last, data) = await whole
    assert (last, data["response"]) == ("done", await talk.get(f"/messages/{message_id}"))
    assert data["response"]["content"] == "It must be sent before the end of November [1]."
    assert data["response"]["citations"][0]["quote"] == SAID
    assert await talk.events(message_id, after=(await whole)[-1][0]) == []


async def test_an_answer_is_cancelled_and_written_again(house: House, meeting: Meeting, provider: Provider) -> None:
    provider.serve = Halting().serve
    talk = await begin(house, meeting)
    first = await ask_until_text(talk)
    message_id = first[0][2]["message_id"]
    reading = asyncio.create_task(talk.events(message_id, after=first[-1][0]))
    cancelled = (await talk.post(f"/messages/{message_id}/cancel", {})).json()
    assert (cancelled["status"], cancelled["content"]) == ("cancelled", "It must be sent")
    assert cancelled["error"]["error_type"] == "cancelled"
    assert [(name, data["error_type"]) for _, name, data in await reading] == [("error", "cancelled")]
    async with asyncio.timeout(20):
        await provider.calls[0].until_hung_up()
    assert await talk.get(f"/messages/{message_id}") == cancelled
    assert (await talk.post(f"/messages/{message_id}/cancel", {})).json() == cancelled

    provider.serve = says("Before the end of November [{n}].")
    again, late = await asyncio.gather(
        *(talk.post(f"/messages/{message_id}/retry", {"stream": True}) for _ in range(2))
    )
    if again.status_code != 200:
        again, late = late, again
    assert (again.status_code, late.status_code) == (200, 409)
    events = read_events(again.text)
    assert [name for _, name, _ in events][-2:] == ["citations", "done"]
    done = events[-1][2]["response"]
    assert (done["id"], done["status"], done["attempt"]) == (message_id, "done", 2)
    assert done["run_id"] != first[0][2]["run_id"]
    assert [one["id"] for one in (await talk.read())["messages"]] == [done["reply_to"], message_id]
    # Who has seen some of the first attempt is told the second from its beginning.
    assert await talk.events(message_id, after=first[-1][0]) == events


async def test_cancelling_meets_text_on_its_way_into_the_table(
    house: House, meeting: Meeting, provider: Provider
) -> None:
    provider.serve = Halting().serve
    talk = await begin(house, meeting)
    first = await ask_until_text(talk)
    message_id = first[0][2]["message_id"]
    async with house.db.acquire() as looking, house.db.transaction() as conn:
        late = EventRow(len(first) + 1, "content", {"content": " soon"})
        assert await writing.append_events(conn, UUID(first[0][2]["run_id"]), [late])
        cancelling = asyncio.create_task(talk.post(f"/messages/{message_id}/cancel", {}))
        async with asyncio.timeout(20):
            while not await looking.fetchval(_CANCELLING):
                await asyncio.sleep(0.02)
    cancelled = await cancelling
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    assert cancelled.json()["content"] == "It must be sent soon"
    assert [name for _, name, _ in await talk.events(message_id)][-2:] == ["content", "error"]


_CANCELLING = """
    SELECT EXISTS (
        SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
            AND (query LIKE '%message_id = $1 FOR UPDATE%' OR query LIKE '%''cancelled''%')
    )
"""


async def test_a_failure_is_told_and_can_be_retried(house: House, meeting: Meeting, provider: Provider) -> None:
    async def refuse(call: Call) -> None:
        await call.answer("401 Unauthorized", {"error": {"message": "wrong key"}})

    provider.serve = refuse
    talk = await begin(house, meeting)
    response = await talk.post("/messages", {"content": QUESTION})
    assert (response.status_code, response.json()["error_type"]) == (502, "provider_refused")
    question, failed = (await talk.read())["messages"]
    assert (question["content"], failed["status"], failed["error"]["error_type"]) == (
        QUESTION,
        "failed",
        "provider_refused",
    )
    assert "secret" not in str(failed)
    retried = await talk.post(f"/messages/{failed['id']}/retry", {"model": "extractive"})
    assert (retried.status_code, retried.json()["status"], retried.json()["model"]) == (200, "done", "extractive")
    assert SAID in retried.json()["content"]


async def test_what_a_model_was_told_before_goes_with_its_sources(
    house: House, meeting: Meeting, provider: Provider
) -> None:
    """A later answer may repeat an earlier one: it is closed and deleted along with what that was made from."""
    elsewhere = await house.world.collection(meeting.user_id)
    lunch = await house.world.recording(elsewhere, [("", "lunch on friday is soup with fresh bread from the bakery")])
    talk = await begin(house, meeting)
    provider.serve = says("It must be sent before the end of November [{n}].")
    first = await talk.say(QUESTION, top_k=1)
    provider.serve = wire.openai_says("Lunch on friday is soup [1].")
    second = await talk.say("What is for lunch on friday?", top_k=1)
    assert [chunk["asset_id"] for chunk in second["chunks"]] == [str(lunch)]
    shown = str(provider.calls[-1].body)
    assert f"user: {QUESTION}" in shown
    assert "assistant: It must be sent before the end of November." in shown
    quoted = await talk.say("What is for lunch on friday?", top_k=1, model="extractive")
    assert [chunk["asset_id"] for chunk in quoted["chunks"]] == [str(lunch)]

    await house.world.move(meeting.asset_id, await house.world.collection())
    assert [one["status"] for one in (await talk.read())["messages"][1::2]] == ["removed", "removed", "done"]
    await talk.say("What is for lunch on friday?", top_k=1)
    assert "November" not in str(provider.calls[-1].body)
    await house.world.move(meeting.asset_id, meeting.collection_id)
    assert [one["id"] for one in (await talk.read())["messages"][1:4:2]] == [first["id"], second["id"]]
    assert "removed" not in str((await talk.read())["messages"])

    fact = AssetDeleted(asset_id=meeting.asset_id, run=1, collection_id=meeting.collection_id)
    await lifecycle.purge(house.db, None, handlers.erase)(fact, house.delivery(fact))
    left = (await talk.read())["messages"][1::2]
    assert [one["status"] for one in left] == ["removed", "removed", "done", "done"]
    assert left[2] == quoted
    assert await house.count("answers") == 2
