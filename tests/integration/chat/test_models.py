"""Answers written by a model: what it cites is checked, what it cannot answer is refused, what fails is told."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import httpx
import pytest

from tests.conftest import Databases
from tests.integration.chat import wire
from tests.integration.chat.conftest import Meeting, record_meeting
from tests.integration.chat.house import House, open_house, read_events, until_a_write_waits
from tests.integration.chat.wire import Call, Provider

QUESTION = "When is the contract due?"
SAID = "please send me the contract before the end of november"


@pytest.fixture
async def provider() -> AsyncGenerator[Provider]:
    async with wire.listening() as listening:
        yield listening


@pytest.fixture(params=["openai", "anthropic"])
def brand(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
async def house(fresh_database: Databases, store_url: str, provider: Provider, brand: str) -> AsyncGenerator[House]:
    """Answers through the loopback provider; readers that leave are missed after some seconds."""
    at = f"{provider.url}/v1" if brand == "openai" else provider.url
    settings: dict[str, Any] = {f"{brand}_base_url": at, f"{brand}_api_key": "secret-key", "model": "test-model"}
    more = {"abandon_seconds": 2.5, "flush_seconds": 0.05, "keep_alive_seconds": 0.2, "running_answers": 2}
    async with open_house(fresh_database, store_url, provider=brand, **settings, **more) as opened:
        yield opened


@pytest.fixture
async def meeting(house: House) -> Meeting:
    return await record_meeting(house)


def says(brand: str, *texts: str) -> wire.Serve:
    return wire.openai_says(*texts) if brand == "openai" else wire.anthropic_says(*texts)


def begins_with(brand: str, text: str) -> str:
    return wire.openai_chunk(text) if brand == "openai" else wire.anthropic_begins() + wire.anthropic_text(text)


def says_and_waits(brand: str, text: str) -> wire.Serve:
    async def serve(call: Call) -> None:
        await call.begin_stream()
        await call.send(
            wire.openai_chunk(text) if brand == "openai" else wire.anthropic_begins() + wire.anthropic_text(text)
        )
        await call.until_hung_up()

    return serve


async def number_of(call: Call, words: str) -> int:
    """The number under which the prompt shows the passage with these words."""
    shown = str(call.body).split("<passage number=")
    (found,) = [part for part in shown if words in part]
    return int(found[1 : found.index('"', 1)])


async def test_citations_are_settled_by_us(house: House, meeting: Meeting, provider: Provider, brand: str) -> None:
    async def serve(call: Call) -> None:
        n = await number_of(call, SAID)
        text = (
            f"The contract must be sent before the end of November [{n}]. Cats sleep on the roof [{n}]. Who knows [77]."
        )
        # Cut in the middle of markers.
        pieces = [text[i : i + 5] for i in range(0, len(text), 5)]
        await says(brand, *pieces)(call)

    provider.serve = serve
    answer = await house.answer(meeting.user_id, QUESTION)
    assert answer["answered"] is True
    assert answer["answer"] == (
        "The contract must be sent before the end of November [1]. Cats sleep on the roof. Who knows."
    )
    (citation,) = answer["citations"]
    assert (citation["index"], citation["quote"]) == (1, SAID)
    assert answer["model"] == "test-model"
    assert answer["usage"] == {"input_tokens": 120, "output_tokens": 9}


async def test_the_model_may_say_that_there_is_no_answer(
    house: House, meeting: Meeting, provider: Provider, brand: str
) -> None:
    provider.serve = says(brand, "NO_", "ANSWER")
    answer = await house.answer(meeting.user_id, QUESTION)
    assert (answer["answered"], answer["answer"], answer["citations"]) == (False, "", [])
    assert answer["reason"] == "The model finds no answer in the passages that come closest."
    assert SAID in [near["quote"] for near in answer["nearest"]]


async def test_an_answer_without_support_is_none(
    house: House, meeting: Meeting, provider: Provider, brand: str
) -> None:
    provider.serve = says(brand, "Cats sleep on the roof [1].")
    answer = await house.answer(meeting.user_id, QUESTION)
    assert (answer["answered"], answer["citations"]) == (False, [])
    assert answer["reason"] == "The passages do not support what the model wrote."


async def test_extractive_can_be_asked_for(house: House, meeting: Meeting, provider: Provider) -> None:
    answer = await house.answer(meeting.user_id, QUESTION, model="extractive")
    assert answer["citations"][0]["quote"] == SAID
    assert provider.calls == []


async def test_a_refusing_provider_is_told_as_such(house: House, meeting: Meeting, provider: Provider) -> None:
    async def serve(call: Call) -> None:
        await call.answer("401 Unauthorized", {"error": {"message": "Bad key", "type": "authentication_error"}})

    provider.serve = serve
    response = await house.ask(meeting.user_id, QUESTION)
    error = response.json()
    assert (response.status_code, error["error_type"]) == (502, "provider_refused")
    assert "CHAT_" in error["advice"]
    streamed = await house.ask(meeting.user_id, QUESTION, stream=True)
    *_, (_, name, data) = read_events(streamed.text)
    assert (name, data["error_type"]) == ("error", "provider_refused")
    assert await house.count("answers", "state = 'failed'") == 2


async def test_text_before_a_cut_is_kept(house: House, meeting: Meeting, provider: Provider, brand: str) -> None:
    async def serve(call: Call) -> None:
        await call.begin_stream()
        await call.send(
            wire.openai_chunk("It is due")
            if brand == "openai"
            else wire.anthropic_begins() + wire.anthropic_text("It is due")
        )
        await asyncio.sleep(0.1)
        await call.cut()

    provider.serve = serve
    response = await house.ask(meeting.user_id, QUESTION, stream=True)
    seen = read_events(response.text)
    assert seen[-1][1] == "error"
    assert seen[-1][2]["error_type"] == "provider_unreachable"
    answer_id = seen[0][2]["answer_id"]
    kept = (await house.http.get(f"/api/answers/{answer_id}", headers=house.as_user(meeting.user_id))).json()
    assert (kept["status"], kept["answered"], kept["answer"]) == ("failed", False, "It is due")


async def test_a_reader_who_leaves_ends_the_request_upstream(
    house: House, meeting: Meeting, provider: Provider, brand: str
) -> None:
    provider.serve = says_and_waits(brand, "It is due")
    lines: list[str] = []
    async with house.http.stream(
        "POST", "/api/answers", json={"question": QUESTION, "stream": True}, headers=house.as_user(meeting.user_id)
    ) as response:
        async for line in response.aiter_lines():
            lines.append(line)
            if line == ": still here" and "event: content" in lines:
                break
    async with asyncio.timeout(20):
        await provider.calls[0].until_hung_up()
        while not await house.count("answers", "state = 'interrupted'"):
            await asyncio.sleep(0.05)


async def test_a_reader_who_waits_for_the_whole_answer_may_leave_too(
    house: House, meeting: Meeting, provider: Provider, brand: str
) -> None:
    provider.serve = says_and_waits(brand, "It is due")
    with pytest.raises(httpx.ReadTimeout):
        await house.http.post(
            "/api/answers", json={"question": QUESTION}, headers=house.as_user(meeting.user_id), timeout=4
        )
    async with asyncio.timeout(20):
        await provider.calls[0].until_hung_up()


async def test_a_stream_is_resumed_and_has_many_readers(
    house: House, meeting: Meeting, provider: Provider, brand: str
) -> None:
    go_on = asyncio.Event()

    async def serve(call: Call) -> None:
        n = await number_of(call, SAID)
        parts = ["It must be sent ", f"before the end of November [{n}]."]
        await call.begin_stream()
        if brand == "openai":
            await call.send(wire.openai_chunk(parts[0]))
            await go_on.wait()
            await call.send(wire.openai_chunk(parts[1]) + wire.openai_chunk(finish="stop") + "data: [DONE]\n\n")
        else:
            await call.send(wire.anthropic_begins() + wire.anthropic_text(parts[0]))
            await go_on.wait()
            await call.send(wire.anthropic_text(parts[1]) + wire.anthropic_ends())
        await call.end_stream()

    provider.serve = serve
    headers = house.as_user(meeting.user_id)
    body = {"question": QUESTION, "stream": True}
    seen = ""
    async with house.http.stream("POST", "/api/answers", json=body, headers=headers) as response:
        async for text in response.aiter_text():
            seen += text
            if "event: content" in seen and seen.endswith("\n\n"):
                break
        first = read_events(seen)
        path = f"/api/answers/{first[0][2]['answer_id']}/events"
        # Begun before the first one leaves: with nobody reading the answer would be stopped.
        other = asyncio.create_task(house.http.get(path, headers=headers))
    resumed = asyncio.create_task(house.http.get(path, headers=headers | {"Last-Event-ID": str(first[-1][0])}))
    await asyncio.sleep(0.3)
    go_on.set()
    rest = read_events((await resumed).text)
    assert first + rest == read_events((await other).text)
    assert rest[-1][1] == "done"
    assert "".join(data["content"] for _, name, data in first + rest if name == "content") == (
        "It must be sent before the end of November [1]."
    )


async def test_text_that_is_being_written_when_the_answer_ends_is_not_lost(
    house: House, meeting: Meeting, provider: Provider, brand: str
) -> None:
    go_on, end = asyncio.Event(), asyncio.Event()

    async def serve(call: Call) -> None:
        n = await number_of(call, SAID)
        await call.begin_stream()
        await call.send(begins_with(brand, "It must be sent "))
        await go_on.wait()
        more = wire.openai_chunk if brand == "openai" else wire.anthropic_text
        await call.send(more("before the end "))
        await end.wait()
        last = wire.openai_chunk(finish="stop") + "data: [DONE]\n\n" if brand == "openai" else wire.anthropic_ends()
        await call.send(more(f"of November [{n}].") + last)
        await call.end_stream()

    provider.serve = serve
    seen = ""
    body, headers = {"question": QUESTION, "stream": True}, house.as_user(meeting.user_id)
    async with house.http.stream("POST", "/api/answers", json=body, headers=headers) as response:
        chunks = response.aiter_text()
        while "event: content" not in seen:
            seen += await anext(chunks)
        async with house.db.acquire() as looking, house.db.transaction() as conn:
            await conn.execute("LOCK TABLE message_events IN SHARE MODE")
            go_on.set()
            await until_a_write_waits(looking)
            end.set()
            # The writer ends while the text is on its way into the table.
            await asyncio.sleep(0.5)
        async for text in chunks:
            seen += text
    events = read_events(seen)
    assert events[-1][1] == "done"
    assert "".join(data["content"] for _, name, data in events if name == "content") == (
        "It must be sent before the end of November [1]."
    )


async def test_only_so_many_at_a_time(house: House, meeting: Meeting, provider: Provider, brand: str) -> None:
    provider.serve = says_and_waits(brand, "It is due")
    # Of the same question only one would be written.
    asking = [asyncio.create_task(house.ask(meeting.user_id, f"{QUESTION} {i}")) for i in range(2)]
    async with asyncio.timeout(20):
        while len(provider.calls) < 2:
            await asyncio.sleep(0.05)
    response = await house.ask(meeting.user_id, QUESTION)
    assert response.status_code == 503
    assert response.headers["retry-after"]
    for task in asking:
        task.cancel()
    await asyncio.gather(*asking, return_exceptions=True)
