"""The answer cache: what is given again, to whom, for how long; and one writer for all who ask the same at once."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
from chat import handlers
from chat.bells import Bells
from chat.sharing import Sharing
from common import lifecycle
from common.events import AssetDeleted

from tests.conftest import Databases
from tests.integration.chat import talk as talks
from tests.integration.chat import wire
from tests.integration.chat.conftest import Meeting, record_meeting
from tests.integration.chat.house import House, open_house, read_events
from tests.integration.chat.wire import Call, Provider
from tests.integration.embedder.world import transcript_of

QUESTION = "When is the contract due?"
SAID = "please send me the contract before the end of november"
ANEW = {"Cache-Control": "max-age=0, No-Cache"}
PATIENCE_SECONDS = 60


@dataclass
class Asker:
    """Somebody who asks one question of one scope, and what the service counted meanwhile."""

    house: House
    user_id: UUID

    async def ask(self, question: str = QUESTION, headers: dict[str, str] | None = None, **body: Any) -> dict[str, Any]:
        response = await self.house.http.post(
            "/api/answers",
            json={"question": question, **body},
            headers=self.house.as_user(self.user_id) | (headers or {}),
        )
        assert response.status_code == 200, response.text
        return response.json()

    async def quotes(self, **body: Any) -> tuple[list[str], bool]:
        """What is quoted, and whether it was kept from before."""
        answer = await self.ask(**body)
        return [one["quote"] for one in answer["citations"]], answer["cached"]


async def join(house: House, collection_id: UUID, *users: UUID) -> None:
    for user_id in users:
        await house.world.admin.execute(
            "INSERT INTO gateway.members (collection_id, user_id, role) VALUES ($1, $2, 'viewer')",
            collection_id,
            user_id,
        )


async def leave(house: House, collection_id: UUID, user_id: UUID) -> None:
    await house.world.admin.execute(
        "DELETE FROM gateway.members WHERE collection_id = $1 AND user_id = $2", collection_id, user_id
    )


async def test_the_same_is_given_again_in_every_form(house: House, meeting: Meeting) -> None:
    me = Asker(house, meeting.user_id)
    first = await me.ask()
    again = await me.ask("  when is the CONTRACT due")
    assert (first["cached"], again["cached"]) == (False, True)
    assert again["id"] != first["id"]
    assert again["question"] == "when is the CONTRACT due"
    same = {"answered", "answer", "citations", "nearest", "reason", "model"}
    assert {name: again[name] for name in same} == {name: first[name] for name in same}
    assert first["citations"][0]["quote"] == SAID

    headers = house.as_user(meeting.user_id)
    streamed = await house.http.post("/api/answers", json={"question": QUESTION, "stream": True}, headers=headers)
    seen = read_events(streamed.text)
    assert [name for _, name, _ in seen] == ["status", "content", "citations", "done"]
    assert seen[1][2]["content"] == first["answer"]
    assert (seen[-1][2]["response"]["cached"], seen[-1][2]["response"]["citations"]) == (True, first["citations"])

    body = {"model": "earshot", "messages": [{"role": "user", "content": QUESTION}]}
    completion = (await house.http.post("/v1/chat/completions", json=body, headers=headers)).json()
    assert completion["earshot"]["cached"] is True
    assert completion["choices"][0]["message"]["content"] == first["answer"]
    assert (await house.http.post("/v1/chat/completions", json=body, headers=headers | ANEW)).json()["earshot"][
        "cached"
    ] is False

    # A refusal is an answer too; of a session the first question, and with the extractive writer every one.
    refused = [await me.ask("What did they decide about the coffee machine?") for _ in range(2)]
    assert [(one["answered"], one["cached"]) for one in refused] == [(False, False), (False, True)]
    assert refused[0]["nearest"] == refused[1]["nearest"] != []
    talk = await talks.begin(house, meeting)
    said = await talk.say(QUESTION)
    assert (said["content"], await house.count("answers", "cached AND message_id = $1", UUID(said["id"]))) == (
        first["answer"],
        1,
    )

    # Anew means anew, and what comes of it takes the place of what was kept.
    anew = await me.ask(headers=ANEW)
    assert anew["cached"] is False
    assert await house.count("answer_cache", "answer_id = $1", UUID(anew["id"])) == 1
    assert (await me.ask())["cached"] is True
    async with house.db.acquire() as conn:
        lasts = await conn.fetchval("SELECT max(expires_at - now()) FROM answer_cache")
        assert 335 * 3600 < lasts.total_seconds() <= 336 * 3600
        await conn.execute("UPDATE answer_cache SET expires_at = now() - interval '1 second'")
    assert (await me.ask())["cached"] is False
    await Sharing(house.db, Bells(), house.settings()).forget_expired()
    assert await house.count("answer_cache") == await house.count("answer_cache", "expires_at > now()") == 1


async def test_nobody_is_given_what_they_could_not_find(house: House, meeting: Meeting) -> None:
    """Same rights share; fewer, more or other rights, and another scope, never."""
    owner, world = Asker(house, meeting.user_id), house.world
    other = await world.collection(meeting.user_id)
    equal, narrow, stranger = [Asker(house, await world.user()) for _ in range(3)]
    await join(house, meeting.collection_id, equal.user_id)
    await join(house, other, equal.user_id, narrow.user_id)
    only: dict[str, Any] = {"collection_id": str(meeting.collection_id)}
    elsewhere: dict[str, Any] = {"collection_id": str(other)}
    assert await owner.quotes() == ([SAID], False)
    assert await equal.quotes() == ([SAID], True)
    assert await narrow.quotes() == ([], False)
    assert await stranger.quotes() == ([], False)
    assert (await owner.quotes(**only))[1] is False
    assert await equal.quotes(**only) == ([SAID], True)
    assert await owner.quotes(**elsewhere) == ([], False)
    assert await narrow.quotes(**elsewhere) == ([], False)
    assert (await house.ask(narrow.user_id, QUESTION, **only)).status_code == 404
    assert await owner.quotes(asset_ids=[str(meeting.asset_id)]) == ([SAID], False)
    assert await narrow.quotes(asset_ids=[str(meeting.asset_id)]) == ([], False)
    assert (await owner.ask(top_k=7))["cached"] is False

    # A member who goes finds nothing any more, not even what was theirs; who stays goes on sharing.
    kept = await equal.ask(**only)
    await leave(house, meeting.collection_id, equal.user_id)
    assert await equal.quotes() == ([], False)
    assert (await house.ask(equal.user_id, QUESTION, **only)).status_code == 404
    gone = await house.http.get(f"/api/answers/{kept['id']}", headers=house.as_user(equal.user_id))
    assert gone.status_code == 404
    assert await owner.quotes() == ([SAID], True)

    # Moved away: no answer of the old collection, whether search has heard of it or not.
    assert (await owner.quotes(**only)) == ([SAID], True)
    await world.move(meeting.asset_id, other)
    assert await owner.quotes(**only) == ([], False)
    await world.hear_update(meeting.asset_id, other, "A talk", 2)
    world.collections[meeting.asset_id] = other
    assert await owner.quotes(**only) == ([], False)
    assert await owner.quotes(**elsewhere) == ([SAID], False)
    assert await narrow.quotes(**elsewhere) == ([SAID], True)


async def test_nothing_old_is_given_again(house: House, meeting: Meeting) -> None:
    me, world = Asker(house, meeting.user_id), house.world
    assert [await me.quotes() for _ in range(2)] == [([SAID], False), ([SAID], True)]
    # Something else is indexed beside it.
    await world.recording(meeting.collection_id, [("", "the museum opens at nine on sundays")])
    assert [await me.quotes() for _ in range(2)] == [([SAID], False), ([SAID], True)]
    # Corrected, and by then even chat has heard so: nothing old is left in the cache.
    before = await house.count("answer_cache")
    edited = "please send me the contract before the end of october"
    transcript = transcript_of([("", edited)], asset_id=meeting.asset_id, revision=2)
    fact = await world.correct(transcript)
    assert [await me.quotes() for _ in range(2)] == [([edited], False), ([edited], True)]
    assert await house.count("answer_cache") == before + 1
    await house.revisions.note_correction(fact, house.delivery(fact))
    assert await house.count("answer_cache") == 0
    assert [await me.quotes() for _ in range(2)] == [([edited], False), ([edited], True)]
    # Deleted: at once where the gateway knows, and nowhere kept when chat has heard.
    await world.admin.execute("UPDATE gateway.assets SET deleted_at = now() WHERE id = $1", meeting.asset_id)
    assert await me.quotes() == ([], False)
    gone = AssetDeleted(asset_id=meeting.asset_id, run=1, collection_id=meeting.collection_id)
    await lifecycle.purge(house.db, None, handlers.erase)(gone, house.delivery(gone))
    for table in ("answer_citations", "answer_chunks", "answer_sources"):
        assert await house.count(table, "asset_id = $1", meeting.asset_id) == 0
    assert await house.count("message_events", "data ->> 'content' LIKE '%contract%'") == 0
    assert await house.count("answers", "answer LIKE '%contract%'") == 0
    assert await house.count("answer_cache AS c", "NOT EXISTS (SELECT FROM answers WHERE id = c.answer_id)") == 0


@asynccontextmanager
async def asked_of_a_model(
    databases: Databases, store_url: str, **settings: Any
) -> AsyncGenerator[tuple[House, Meeting, Provider]]:
    async with wire.listening() as provider:
        model = {"provider": "openai", "openai_base_url": f"{provider.url}/v1", "model": "test-model"}
        # Nobody is given up here because the machine is slow.
        more = {"abandon_seconds": 60, "interrupted_seconds": 60, "retrieval_seconds": 60, "flush_seconds": 0.05}
        async with open_house(databases, store_url, **model, **more, **settings) as house:
            yield house, await record_meeting(house), provider


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await holds():
            await asyncio.sleep(0.05)


@dataclass
class Hold:
    """A provider that begins to speak and goes on when it is let; ``rest`` by the number of the call."""

    provider: Provider
    goes_on: asyncio.Event
    rest: list[str]

    async def serve(self, call: Call) -> None:
        turn = len(self.provider.calls) - 1
        n = next(part[1] for part in str(call.body).split("<passage number=") if SAID in part)
        await call.begin_stream()
        await call.send(wire.openai_chunk(f"The contract must be sent before the end of november [{n}]."))
        while not self.goes_on.is_set() and not call.hung_up.is_set():
            await asyncio.sleep(0.02)
        await call.send(wire.openai_chunk(self.rest[turn].replace("N", n)))
        await call.send(wire.openai_chunk(finish="stop") + wire.openai_chunk(usage=wire.OPENAI_USAGE))
        await call.send("data: [DONE]\n\n")
        await call.end_stream()


async def writing_of_november(house: House) -> int:
    """Answers that are being written, with text to be seen."""
    return await house.count(
        "answers AS a",
        """
        state = 'running'
            AND EXISTS (SELECT FROM message_events AS e WHERE e.answer_id = a.id AND e.event = 'content')
        """,
    )


async def test_one_call_for_all_who_ask_at_once(fresh_database: Databases, store_url: str) -> None:
    async with asked_of_a_model(fresh_database, store_url) as (house, meeting, provider):
        hold = Hold(provider, asyncio.Event(), [" That is all.", "", " Cats sleep on the roof [N]."])
        provider.serve = hold.serve
        users = [meeting.user_id, *[await house.world.user() for _ in range(4)]]
        await join(house, meeting.collection_id, *users[1:])
        waiting: list[asyncio.Task[httpx.Response]] = []
        # A few at a time: the embedder's pool is small. None is done before the last has begun.
        for gang in range(5):
            asks = [house.ask(users[i % 5], QUESTION, stream=i % 2 == 0) for i in range(4 * gang, 4 * gang + 4)]
            waiting += [asyncio.create_task(ask) for ask in asks]
            await until_written(house, len(waiting))
        hold.goes_on.set()
        replies = await asyncio.gather(*waiting)
        assert len(provider.calls) == 1
        streams = [read_events(reply.text) for i, reply in enumerate(replies) if i % 2 == 0]
        answers = [reply.json() for i, reply in enumerate(replies) if i % 2] + [
            seen[-1][2]["response"] for seen in streams
        ]
        said = "The contract must be sent before the end of november [1]. That is all."
        assert {answer["answer"] for answer in answers} == {said}
        assert {answer["citations"][0]["quote"] for answer in answers} == {SAID}
        for seen in streams:
            assert "".join(data["content"] for _, name, data in seen if name == "content") == said
        # One asker's call counts its tokens, once.
        assert sorted(answer["cached"] for answer in answers) == [False] + [True] * 19
        assert [answer["usage"] is None for answer in answers] == [answer["cached"] for answer in answers]
        assert len({answer["id"] for answer in answers}) == 20
        assert (await house.answer(meeting.user_id, QUESTION))["cached"] is True
        await the_writer_goes(house, meeting, hold)
        await what_may_be_better_is_not_kept(house, meeting, hold)


async def the_writer_goes(house: House, meeting: Meeting, hold: Hold) -> None:
    """Who follows an answer that is cancelled writes it, in the same stream; its readers are told to begin again."""
    hold.goes_on.clear()
    before, question = len(hold.provider.calls), "When must the contract be sent?"
    hold.rest = ["", *["" for _ in hold.provider.calls], " Soon."]
    talk = await talks.begin(house, meeting)
    leader = asyncio.create_task(talk.post("/messages", {"content": question}))
    await until_written(house, 1)
    follower = asyncio.create_task(house.ask(meeting.user_id, question, stream=True))
    await until_written(house, 2)
    running = (await talk.read())["messages"][-1]
    await talk.post(f"/messages/{running['id']}/cancel", {})

    async def asked_again() -> bool:
        return len(hold.provider.calls) == before + 2

    await until(asked_again)
    hold.goes_on.set()
    assert (await leader).status_code == 409
    seen = read_events((await follower).text)
    names = [name for _, name, _ in seen]
    last = max(place for place, name in enumerate(names) if name == "status")
    assert names.index("content") < last
    done = seen[-1][2]["response"]
    assert "".join(data["content"] for _, name, data in seen[last:] if name == "content") == done["answer"]
    assert (done["answer"][-5:], done["cached"]) == ("Soon.", False)


async def until_written(house: House, answers: int) -> None:
    async def holds() -> bool:
        return await writing_of_november(house) == answers

    await until(holds)


async def what_may_be_better_is_not_kept(house: House, meeting: Meeting, hold: Hold) -> None:
    """A citation that was dropped, and a provider that failed: whoever asks next is answered anew."""
    question, me = "By which date should the contract be sent?", Asker(house, meeting.user_id)
    hold.rest = [" Cats sleep on the roof [N]."] * 20
    assert [(await me.ask(question))["cached"] for _ in range(2)] == [False, False]
    calls = len(hold.provider.calls)

    async def refuses(call: Call) -> None:
        await call.answer("401 Unauthorized", {"error": {"message": "no", "type": "invalid_request_error"}})

    hold.provider.serve = refuses
    assert (await house.ask(meeting.user_id, question)).status_code == 502
    hold.provider.serve = hold.serve
    hold.rest = [""] * 20
    assert [(await me.ask(question))["cached"] for _ in range(2)] == [False, True]
    assert len(hold.provider.calls) == calls + 2


async def test_an_answer_that_was_overtaken_by_the_index_is_found_by_nobody(
    fresh_database: Databases, store_url: str
) -> None:
    """While it is written the transcript is corrected: it is kept under the index that it was made from."""
    async with asked_of_a_model(fresh_database, store_url) as (house, meeting, provider):
        hold = Hold(provider, asyncio.Event(), ["", ""])
        provider.serve = hold.serve
        first = asyncio.create_task(house.answer(meeting.user_id, QUESTION))
        await until_written(house, 1)
        turns = [("", SAID), ("", "bring the key")]
        fact = await house.world.correct(transcript_of(turns, asset_id=meeting.asset_id, revision=2))
        await house.revisions.note_correction(fact, house.delivery(fact))
        # Asked before the first is done, and after: neither follows it.
        second = asyncio.create_task(house.answer(meeting.user_id, QUESTION))
        await until_written(house, 2)
        hold.goes_on.set()
        answers = [await first, await second, await house.answer(meeting.user_id, QUESTION)]
        assert [(one["cached"], one["citations"][0]["revision"]) for one in answers] == [
            (False, 1),
            (False, 2),
            (True, 2),
        ]
        assert answers[0]["citations"][0]["stale"] is True


async def test_it_can_be_switched_off(fresh_database: Databases, store_url: str) -> None:
    async with open_house(fresh_database, store_url, cache_hours=0) as house:
        meeting = await record_meeting(house)
        assert [(await house.answer(meeting.user_id, QUESTION))["cached"] for _ in range(2)] == [False, False]
        assert await house.count("answer_cache") == 0
