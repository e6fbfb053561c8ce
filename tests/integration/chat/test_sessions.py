"""Sessions over HTTP: questions in a row, their history, branches, and what becomes of them when the world changes."""

import asyncio
from dataclasses import replace
from typing import Any
from uuid import UUID

import httpx
import pytest
from chat import handlers
from chat.bells import Bells
from chat.journal import Gone, Journal
from chat.press import Press
from chat.queries import once, writing
from common import lifecycle
from common.errors import AlreadyHandled
from common.events import AssetDeleted, CollectionDeleted
from common.ids import uuid7

from tests.integration.chat.conftest import Meeting
from tests.integration.chat.house import House
from tests.integration.chat.talk import SAID, begin
from tests.integration.embedder.world import transcript_of
from tests.unit.chat.passages import passage

QUESTION = "When is the contract due?"
TABLES = ("answers", "answer_sources", "answer_citations", "answer_chunks", "message_events")


async def test_a_question_is_understood_from_those_before_it(house: House, meeting: Meeting) -> None:
    talk = await begin(house, meeting)
    alone = await (await begin(house, meeting)).say("When is it due?")
    assert SAID not in alone["content"]
    first = await talk.say("Tell me about the contract.")
    then = await talk.say("When is it due?")
    assert (then["role"], then["status"], then["answered"], then["model"]) == ("assistant", "done", True, "extractive")
    assert SAID in then["citations"][0]["quote"]
    assert f"“{then['citations'][0]['quote']}” [1]" in then["content"]
    assert then["citations"][0]["asset_id"] == str(meeting.asset_id)
    used = {chunk["chunk_id"]: chunk for chunk in then["chunks"]}
    assert len(used) == len(then["chunks"]) >= 2
    assert [chunk["number"] for chunk in then["chunks"]] == sorted(chunk["number"] for chunk in then["chunks"])
    assert all((chunk["asset_id"], chunk["stale"]) == (str(meeting.asset_id), False) for chunk in used.values())
    # The chunks are those of the index, and the cited one is among them.
    async with house.world.db.acquire() as conn:
        held = {str(row["id"]) for row in await conn.fetch("SELECT id FROM chunks")}
    assert set(used) <= held
    whole = await talk.read()
    assert [one["content"] for one in whole["messages"][::2]] == ["Tell me about the contract.", "When is it due?"]
    assert whole["messages"][1::2] == [first, then]
    assert [one["role"] for one in whole["messages"]] == ["user", "assistant"] * 2
    assert then["reply_to"] == whole["messages"][2]["id"]
    assert (whole["title"], whole["message_count"], whole["has_earlier"]) == ("Tell me about the contract", 4, False)
    assert whole["last_message"]["id"] == then["id"]
    assert await talk.get(f"/messages/{then['id']}") == then
    pages = await talk.get("/messages", limit=3)
    rest = await talk.get("/messages", limit=3, cursor=pages["next_cursor"])
    assert (pages["items"] + rest["items"], rest["next_cursor"]) == (whole["messages"], None)


async def test_lists_are_ones_own_and_their_pages_do_not_shift(house: House, meeting: Meeting) -> None:
    other = await house.world.collection(meeting.user_id)
    talks = [await begin(house, meeting, collection_id=str(other) if n == 1 else None) for n in range(4)]
    answer = await talks[0].say(QUESTION)
    mine = house.as_user(meeting.user_id)

    async def page(**params: Any) -> dict[str, Any]:
        response = await house.http.get("/api/chat/sessions", params=params, headers=mine)
        assert response.status_code == 200, response.text
        return response.json()

    first = await page(limit=2)
    late = await begin(house, meeting)
    second = await page(limit=2, cursor=first["next_cursor"])
    assert [one["id"] for one in first["items"] + second["items"]] == [talk.id for talk in reversed(talks)]
    assert second["next_cursor"] is None
    last = second["items"][-1]["last_message"]
    assert (last["id"], last["role"], last["status"]) == (answer["id"], "assistant", "done")
    assert answer["content"].startswith(last["content"].removesuffix("…"))
    assert len(last["content"]) <= 200
    assert [one["id"] for one in (await page(collection_id=str(other)))["items"]] == [talks[1].id]
    newest = (await page(limit=1))["items"][0]
    assert (newest["id"], newest["title"], newest["last_message"]) == (late.id, None, None)
    stranger = house.as_user(await house.world.user())
    assert (await house.http.get("/api/chat/sessions", headers=stranger)).json()["items"] == []
    places = ["", "/messages", f"/messages/{answer['id']}", f"/messages/{answer['id']}/events"]
    for place in places:
        response = await house.http.get(f"{talks[0].path}{place}", headers=stranger)
        assert response.status_code == 404, place
    for place, body in (
        ("/messages", {"content": "Mine?"}),
        (f"/messages/{answer['id']}/cancel", {}),
        (f"/messages/{answer['id']}/retry", {}),
        ("/branch", {"message_id": answer["id"]}),
    ):
        response = await house.http.post(f"{talks[0].path}{place}", json=body, headers=stranger)
        assert response.status_code == 404, place
    for method, sent in (("PATCH", {"title": "Mine"}), ("DELETE", None)):
        response = await house.http.request(method, talks[0].path, json=sent, headers=stranger)
        assert response.status_code == 404
    assert (await talks[0].read())["message_count"] == 2
    renamed = await house.http.patch(talks[0].path, json={"title": " The contract "}, headers=mine)
    assert renamed.json()["title"] == "The contract"
    await talks[0].say(QUESTION)
    assert (await talks[0].read())["title"] == "The contract"
    assert (await house.http.delete(talks[0].path, headers=mine)).status_code == 204
    assert (await house.http.get(talks[0].path, headers=mine)).status_code == 404
    for table in (*TABLES, "messages"):
        assert await house.count(table) == 0, table
    run = await house.http.get(f"/api/answers/{answer['run_id']}", headers=mine)
    assert run.status_code == 404


async def test_what_makes_no_sense_is_refused_and_leaves_nothing(house: House, meeting: Meeting) -> None:
    mine, stranger = house.as_user(meeting.user_id), house.as_user(await house.world.user())
    senseless: list[dict[str, object]] = [{"title": ""}, {"collection_id": "here"}, {"titel": "x"}, {"title": "a\x00"}]
    for body in senseless:
        response = await house.http.post("/api/chat/sessions", json=body, headers=mine)
        assert (response.status_code, response.json()["error_type"]) == (422, "validation_error"), body
    closed = {"collection_id": str(meeting.collection_id)}
    assert (await house.http.post("/api/chat/sessions", json=closed, headers=stranger)).status_code == 404
    assert await house.count("sessions") == 0
    talk = await begin(house, meeting)
    for body in ({"content": " "}, {}, {"content": "When?", "model": "dearest"}, {"content": "When?", "top_k": 0}):
        assert (await talk.post("/messages", body)).status_code == 422, body
    assert await house.count("messages") == 0
    answer = await talk.say(QUESTION)
    question = answer["reply_to"]
    assert (await talk.post(f"/messages/{answer['id']}/retry", {})).status_code == 409
    assert (await talk.post(f"/messages/{question}/retry", {})).status_code == 404
    assert (await talk.post(f"/messages/{uuid7()}/cancel", {})).status_code == 404
    assert (await talk.post("/branch", {"message_id": str(uuid7())})).status_code == 422
    assert (await talk.post(f"/messages/{answer['id']}/cancel", {})).json() == answer
    for strange in ("x", "1", "1.x", "-1.2", "9" * 30 + ".1"):
        headers = mine | {"Last-Event-ID": strange}
        response = await house.http.get(f"{talk.path}/messages/{answer['id']}/events", headers=headers)
        assert response.status_code == 422, strange
    assert (await talk.read())["messages"][1:] == [answer]


async def test_the_same_creation_sent_twice_creates_one_thing(house: House, meeting: Meeting) -> None:
    async def post(path: str, key: str, body: dict[str, Any]) -> httpx.Response:
        headers = house.as_user(meeting.user_id) | {"Idempotency-Key": key}
        return await house.http.post(path, json=body, headers=headers)

    made = await asyncio.gather(*(post("/api/chat/sessions", "a", {"title": "One"}) for _ in range(3)))
    assert {response.status_code for response in made} == {201}
    assert len({response.json()["id"] for response in made}) == 1
    assert made[0].headers["location"] == f"/api/chat/sessions/{made[0].json()['id']}"
    assert (await post("/api/chat/sessions", "a", {"title": "Two"})).status_code == 409
    path = made[0].headers["location"]
    asked = await asyncio.gather(*(post(f"{path}/messages", "b", {"content": QUESTION}) for _ in range(2)))
    assert asked[0].json() == asked[1].json()
    assert asked[0].headers["location"] == f"{path}/messages/{asked[0].json()['id']}"
    streamed = await post(f"{path}/messages", "b", {"content": QUESTION, "stream": True})
    assert f'"message_id": "{asked[0].json()["id"]}"' in streamed.text
    branch = {"message_id": asked[0].json()["id"]}
    branched = [await post(f"{path}/branch", "c", branch) for _ in range(2)]
    assert branched[0].json()["id"] == branched[1].json()["id"] != made[0].json()["id"]
    assert (await post(f"{path}/branch", "a", branch)).status_code == 409
    assert (await house.count("sessions"), await house.count("messages"), await house.count("answers")) == (2, 4, 2)
    elsewhere = house.as_user(await house.world.user()) | {"Idempotency-Key": "a"}
    assert (await house.http.post("/api/chat/sessions", json={}, headers=elsewhere)).status_code == 201
    async with house.db.transaction() as conn:
        await conn.execute("UPDATE request_keys SET created_at = now() - interval '25 hours' WHERE key <> 'c'")
        await once.forget_keys(conn, 24)
        # Answers of a session are kept as long as it.
        await conn.execute("UPDATE answers SET created_at = now() - interval '99 days'")
        assert await writing.delete_old(conn, 30) == 0
    assert await house.count("request_keys") == 1


async def test_a_branch_goes_its_own_way(house: House, meeting: Meeting) -> None:
    talk = await begin(house, meeting, collection_id=str(meeting.collection_id))
    first = await talk.say("Tell me about the contract.")
    second = await talk.say("When is it due?")
    branch = await talk.branch(first["id"])
    copied = (await branch.read())["messages"]
    unlike = {"id", "session_id", "reply_to", "run_id"}
    assert [strip(one, unlike) for one in copied] == [strip(one, unlike) for one in (await talk.read())["messages"][:2]]
    assert copied[1]["reply_to"] == copied[0]["id"]
    whole = await branch.read()
    assert (whole["branched_from"], whole["collection_id"]) == (talk.id, str(meeting.collection_id))
    before = await talk.branch(second["reply_to"])
    assert [one["content"] for one in (await before.read())["messages"]] == [one["content"] for one in copied]
    assert SAID in (await branch.say("When is it due?"))["content"]
    assert (await talk.read())["message_count"] == 4
    events = await branch.events(copied[1]["id"])
    assert "".join(data.get("content", "") for _, _, data in events) == first["content"]
    assert events[-1][2]["response"] == copied[1]
    assert (await house.http.delete(talk.path, headers=house.as_user(meeting.user_id))).status_code == 204
    whole = await branch.read()
    assert (whole["branched_from"], whole["message_count"]) == (None, 4)
    assert whole["messages"][1] == copied[1]


def strip(message: dict[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in message.items() if name not in names}


async def test_a_writer_whose_session_is_deleted_leaves_nothing(house: House, meeting: Meeting) -> None:
    """Also when it has only just found its passages."""
    found = replace(passage(["one two"]), asset_id=meeting.asset_id, collection_id=meeting.collection_id)
    with pytest.raises(Gone):
        await Journal(house.db, uuid7(), Bells(), Press(house.db)).keep([found])
    assert await house.count("answer_sources") == 0


async def test_sessions_follow_the_world(house: House, meeting: Meeting) -> None:
    """Newer transcripts, lost and regained access, a deleted asset, a deleted collection."""
    talk = await begin(house, meeting, collection_id=str(meeting.collection_id))
    answer = await talk.say(QUESTION)
    branch = await talk.branch(answer["id"])
    newer = await house.world.completed(transcript_of([("", "other")], asset_id=meeting.asset_id, revision=2), run=2)
    await house.revisions.note_revision(newer, house.delivery(newer))
    (_, now) = (await talk.read())["messages"]
    assert [one["stale"] for one in now["citations"]] == [True] * len(now["citations"])
    assert [one["stale"] for one in now["chunks"]] == [True] * len(now["chunks"])
    assert now["content"] == answer["content"]

    await house.world.admin.execute("DELETE FROM gateway.members WHERE user_id = $1", meeting.user_id)
    whole = await talk.read()
    assert_nothing_is_left(whole, answer)
    assert (whole["title"], whole["messages"][0]["content"]) == ("When is the contract due", QUESTION)
    listed = await house.http.get("/api/chat/sessions", headers=house.as_user(meeting.user_id))
    assert SAID not in listed.text
    refused = await talk.post("/messages", {"content": "And the roof?"})
    assert (refused.status_code, refused.json()["error_type"]) == (404, "not_found")
    assert "closed to you" in refused.json()["detail"]
    events = f"/messages/{answer['id']}/events"
    assert (await house.http.get(talk.path + events, headers=house.as_user(meeting.user_id))).status_code == 404
    assert (await talk.read())["message_count"] == 2
    await house.world.admin.execute(
        "INSERT INTO gateway.members (collection_id, user_id, role) VALUES ($1, $2, 'viewer')",
        meeting.collection_id,
        meeting.user_id,
    )
    assert (await talk.read())["messages"][1] == now

    gone = deleted(house, meeting.asset_id)
    purge = lifecycle.purge(house.db, None, handlers.erase)
    await purge(gone, house.delivery(gone, message := uuid7()))
    with pytest.raises(AlreadyHandled):
        await purge(gone, house.delivery(gone, message))
    for table in TABLES:
        assert await house.count(table) == 0, table
    for one in (talk, branch):
        assert_nothing_is_left(await one.read(), answer)
    again = await talk.post(f"/messages/{answer['id']}/retry", {})
    assert (again.status_code, again.json()["answered"], again.json()["attempt"]) == (200, False, 2)

    elsewhere = await begin(house, meeting)
    fact = CollectionDeleted(collection_id=meeting.collection_id)
    await handlers.forget_collection(fact, house.delivery(fact, message := uuid7()))
    with pytest.raises(AlreadyHandled):
        await handlers.forget_collection(fact, house.delivery(fact, message))
    assert await house.count("messages") == 0
    left = (await house.http.get("/api/chat/sessions", headers=house.as_user(meeting.user_id))).json()["items"]
    assert [one["id"] for one in left] == [elsewhere.id]


def assert_nothing_is_left(whole: dict[str, Any], answer: dict[str, Any]) -> None:
    removed = whole["messages"][1]
    assert (removed["role"], removed["status"], removed["content"]) == ("assistant", "removed", "")
    assert removed["citations"] == removed["nearest"] == removed["chunks"] == []
    assert whole["last_message"]["content"] == ""
    assert SAID not in str(whole)
    assert str(answer["citations"][0]["asset_id"]) not in str(whole)


def deleted(house: House, asset_id: UUID) -> AssetDeleted:
    return AssetDeleted(asset_id=asset_id, run=1, collection_id=house.world.collections[asset_id])
