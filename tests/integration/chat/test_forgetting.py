"""A deleted user: nothing of theirs is left, nothing comes after, and what is others' stays."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from chat import forgetting
from chat.forgetting import Forgetting
from chat.providers.attachments import AttachmentStore
from chat.providers.memory import NoMemory
from chat.queries import sessions
from chat.queries.session_rows import NewSession
from common import users
from common.db import Connection
from common.delivery import Delivery
from common.errors import AlreadyHandled, Continue
from common.events import UserDeleted
from common.ids import uuid7
from common.store import open_store
from common.turns import Leaving

from tests.conftest import Databases
from tests.integration.chat import wire
from tests.integration.chat.conftest import Meeting, record_meeting
from tests.integration.chat.house import House, open_house
from tests.integration.chat.talk import Talk
from tests.integration.chat.test_attachments import sent, stored
from tests.integration.chat.wire import Call
from tests.unit.chat.files import GIF, PNG

QUESTION = "When is the contract due?"
# Whose rows lead to a user by themselves.
OF_USERS = ("sessions", "answers", "request_keys", "provider_keys", "model_defaults")


async def rows_of(house: House, user_id: UUID) -> dict[str, int]:
    return {table: await house.count(table, "user_id = $1", user_id) for table in OF_USERS}


async def live(house: House, who: Meeting, picture: bytes) -> Talk:
    """What somebody leaves behind who uses everything."""
    headers = house.as_user(who.user_id)
    for path, body in (
        ("/api/models/keys/xai", {"key": "xai-0123456789"}),
        ("/api/models/defaults/title?for=me", None),
    ):
        put = await house.http.put(path, json=body or {"model": "extractive"}, headers=headers)
        assert put.is_success, put.text
    once = headers | {"Idempotency-Key": "k"}
    made = await house.http.post("/api/chat/sessions", json={"title": "Mine"}, headers=once)
    talk = Talk(house, who, made.json()["id"])
    answer = await talk.say("What is in the picture?", attachments=[sent("dot", PNG), sent("own", picture)])
    await talk.branch(answer["id"])
    await house.answer(who.user_id, QUESTION, model="extractive")
    return talk


async def hand(house: House, fact: UserDeleted, message_id: UUID, *, leaving: bool = False) -> None:
    delivery = replace(house.delivery(fact, message_id), leaving=lambda: leaving)
    await house.services[0].consumer.handlers[fact.type](fact, delivery)


async def test_nothing_of_a_deleted_user_is_left_and_nothing_comes_after(
    fresh_database: Databases, store_url: str
) -> None:
    async def remembers(call: Call) -> None:
        await call.answer("200 OK", {"results": []})

    async def fails(call: Call) -> None:
        await call.answer("500 Internal Server Error", {"detail": "no"})

    async def goes_on(call: Call) -> None:
        await call.begin_stream()
        await call.send(wire.openai_chunk("The contract is"))
        await call.until_hung_up()

    async with wire.listening() as provider, wire.listening() as mem0:
        provider.serve, mem0.serve = wire.openai_says("A dot."), remembers
        model = {"openai_base_url": f"{provider.url}/v1", "openai_api_key": "k", "model": "gpt-4o"}
        more = {"mem0_url": mem0.url, "key_secret": "s" * 32, "flush_seconds": 0.05}
        async with open_house(fresh_database, store_url, provider="openai", **model, **more) as house:
            meeting = await record_meeting(house)
            other = replace(meeting, user_id=await house.world.user())
            await house.world.admin.execute(
                "INSERT INTO gateway.members (collection_id, user_id, role) VALUES ($1, $2, 'viewer')",
                meeting.collection_id,
                other.user_id,
            )
            talk, kept = await live(house, meeting, GIF), await live(house, other, PNG)
            before = await rows_of(house, other.user_id)
            assert set(before.values()).isdisjoint({0})
            assert await rows_of(house, meeting.user_id) == before
            assert len(stored(store_url)) == 2

            # A worker that leaves after its first step has stopped what was being written.
            provider.serve, asked = goes_on, len(provider.calls)
            writing = asyncio.create_task(talk.post("/messages", {"content": QUESTION}))
            async with asyncio.timeout(20):
                while len(provider.calls) == asked:
                    await asyncio.sleep(0.02)
            assert await house.count("answers", "user_id = $1 AND state = 'running'", meeting.user_id) == 1
            fact, message_id = UserDeleted(user_id=meeting.user_id), uuid7()
            with pytest.raises(Leaving):
                await hand(house, fact, message_id, leaving=True)
            async with asyncio.timeout(20):
                await provider.calls[-1].until_hung_up()
                assert (await writing).status_code == 404
            assert await house.count("answers", "user_id = $1 AND state = 'running'", meeting.user_id) == 0
            assert await house.count("sessions", "user_id = $1", meeting.user_id) == before["sessions"]

            # What was asked just before may still be on its way to the memory: it is forgotten again in a minute.
            with pytest.raises(Continue) as later:
                await hand(house, fact, message_id)
            assert later.value.delay_seconds == 60
            assert set((await rows_of(house, meeting.user_id)).values()) == {0}
            forgotten = [call for call in mem0.calls if call.method == "DELETE"]
            assert [call.path for call in forgotten] == [f"/memories?user_id={meeting.user_id}"]
            await house.world.admin.execute("UPDATE chat.deleted_users SET deleted_at = deleted_at - interval '60 s'")
            mem0.serve = fails
            with pytest.raises(Continue) as away:
                await hand(house, fact, message_id)
            assert away.value.delay_seconds == 900
            mem0.serve = remembers
            await hand(house, fact, message_id)
            with pytest.raises(AlreadyHandled):
                await hand(house, fact, message_id)

            # What is others' stays, also what both had attached.
            assert await rows_of(house, other.user_id) == before
            assert len(stored(store_url)) == 1
            assert (
                await house.count(
                    "messages", "session_id NOT IN (SELECT id FROM sessions WHERE user_id = $1)", other.user_id
                )
                == 0
            )
            files = (await kept.read())["messages"][0]["attachments"]
            for one in files:
                assert (await house.http.get(one["url"], headers=kept.headers)).content == PNG

            # Requests that were let in before and come now.
            late: tuple[tuple[str, str, dict[str, Any]], ...] = (
                ("POST", "/api/chat/sessions", {"title": "Late"}),
                ("POST", "/api/answers", {"question": QUESTION, "model": "extractive"}),
                ("POST", f"{talk.path}/messages", {"content": QUESTION, "model": "extractive"}),
                ("PUT", "/api/models/keys/xai", {"key": "xai-0123456789"}),
                ("PUT", "/api/models/defaults/chat?for=me", {"model": "extractive"}),
            )
            for method, path, body in late:
                refused = await house.http.request(method, path, json=body, headers=talk.headers)
                assert (refused.status_code, refused.json()["detail"]) == (404, "There is no such user."), path
            assert set((await rows_of(house, meeting.user_id)).values()) == {0}


async def test_thousands_of_rows_go_step_by_step_and_overtake_nobody(
    fresh_database: Databases, store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user_id = uuid7()
    fact = UserDeleted(user_id=user_id)
    async with fresh_database.open("chat") as db:
        forget = Forgetting(db, AttachmentStore(db, open_store(store_url), tmp_path, 1), NoMemory()).forget_user
        delivery = Delivery(fact, uuid7(), "chat.user.deleted.v1", 1, "chat", db)

        async def left(table: str) -> int:
            async with db.acquire() as conn:
                return await conn.fetchval(f"SELECT count(*) FROM {table}")

        async with db.transaction() as conn:
            await conn.execute(
                "INSERT INTO sessions (id, user_id) SELECT gen_random_uuid(), $1 FROM generate_series(1, 45)", user_id
            )
            await conn.execute(
                """
                INSERT INTO answers (id, user_id, question, model, state)
                SELECT gen_random_uuid(), $1, 'q', 'm', 'done' FROM generate_series(1, 250)
                """,
                user_id,
            )
        # A request that is at work makes it wait, and is seen when it has committed.
        async with db.transaction() as conn:
            await users.admit(conn, user_id)
            await sessions.create_session(conn, NewSession(uuid7(), user_id, None, None))
            monkeypatch.setattr(forgetting, "_TURN_SECONDS", -1.0)
            forgetting_it = asyncio.create_task(forget(fact, delivery))
            await until_it_waits(conn)
            assert not forgetting_it.done()
        with pytest.raises(Continue):
            await forgetting_it
        assert (await left("sessions"), await left("answers")) == (26, 250)
        turns = 1
        with suppress(AlreadyHandled):
            while True:
                turns += 1
                with suppress(Continue):
                    await forget(fact, delivery)
        assert (turns, await left("sessions"), await left("answers")) == (8, 0, 0)


async def until_it_waits(looking: Connection) -> None:
    async with asyncio.timeout(20):
        while not await looking.fetchval(
            "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = "
            "(SELECT oid FROM pg_database WHERE datname = current_database()))"
        ):
            await asyncio.sleep(0.02)
