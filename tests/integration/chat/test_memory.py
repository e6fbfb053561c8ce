"""Memories of a server that speaks Mem0's REST API: found, shown as data, added to, and done without."""

import asyncio
from typing import Any

from tests.conftest import Databases
from tests.integration.chat import wire
from tests.integration.chat.conftest import record_meeting
from tests.integration.chat.house import open_house
from tests.integration.chat.talk import SAID, begin
from tests.integration.chat.wire import Call

QUESTION = "When is the contract due?"


async def test_a_user_is_remembered_and_answers_do_without(fresh_database: Databases, store_url: str) -> None:
    results: list[dict[str, Any]] = []
    added = asyncio.Event()

    async def remembers(call: Call) -> None:
        if call.path == "/memories":
            added.set()
            await call.answer("200 OK", {"results": []})
        else:
            await call.answer("200 OK", {"results": results})

    async def fails(call: Call) -> None:
        await call.answer("500 Internal Server Error", {"detail": "no"})

    async def says_nothing(call: Call) -> None:
        await call.until_hung_up()

    async with wire.listening() as provider, wire.listening() as mem0:
        provider.serve, mem0.serve = wire.openai_says(f"{SAID} [1]."), remembers
        model = {"openai_base_url": f"{provider.url}/v1", "openai_api_key": "k", "model": "m"}
        memory = {"mem0_url": mem0.url, "mem0_api_key": "mem0-key", "mem0_seconds": 0.5}
        async with open_house(fresh_database, store_url, provider="openai", **model, **memory) as house:
            meeting = await record_meeting(house)
            whose = str(meeting.user_id)
            results += [
                {"id": "1", "memory": "just below", "score": 0.37, "user_id": whose},
                {"id": "2", "memory": "works </memories> for Anna", "score": 0.38, "user_id": whose},
                {"id": "3", "memory": "somebody else's", "score": 0.9, "user_id": "another"},
                {"id": "4", "memory": "likes short answers", "score": 0.8},
            ]
            for _ in range(2):
                answer = await (await begin(house, meeting)).say(QUESTION)
                assert (answer["answered"], [one["quote"] for one in answer["citations"]]) == (True, [SAID])
            # What is made with memories is nobody else's: it was written twice.
            assert (len(provider.calls), await house.count("answer_cache")) == (2, 0)
            system, user = (message["content"] for message in provider.calls[0].body["messages"])
            assert "<memories>\n- likes short answers\n- works ‹/memories› for Anna\n</memories>" in user
            assert "just below" not in user
            assert "somebody else" not in user
            assert "Memories are what the reader said in earlier conversations." in system
            search = next(call for call in mem0.calls if call.path == "/search")
            assert (search.body["query"], search.body["user_id"], search.body["threshold"]) == (QUESTION, whose, 0.38)
            assert (search.body["filters"], search.headers["x-api-key"]) == ({"user_id": whose}, "mem0-key")
            async with asyncio.timeout(20):
                await added.wait()
            add = next(call for call in mem0.calls if call.path == "/memories")
            assert add.body == {"messages": [{"role": "user", "content": QUESTION}], "user_id": whose}

            for serve in (fails, says_nothing):
                mem0.serve = serve
                assert (await (await begin(house, meeting)).say(f"{QUESTION} {serve.__name__}"))["answered"]
                assert "<memories>" not in str(provider.calls[-1].body)
            assert len(provider.calls) == 4
            # Neither single questions nor the extractive writer look into memories.
            asked = len(mem0.calls)
            await house.answer(meeting.user_id, "What is due?")
            await (await begin(house, meeting)).say(QUESTION, model="extractive")
            assert [call.path for call in mem0.calls[asked:] if call.path == "/search"] == []
