"""Questions over HTTP: answered with verbatim, timed quotes, or refused, or not found."""

from uuid import UUID

import httpx
import pytest
from chat.main import build
from common.ids import uuid7

from tests.integration.chat.conftest import Meeting
from tests.integration.chat.house import House, read_events, serving


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("What happens if the weather is bad?", "if there is rain the children can play in the museum"),
        ("When is the contract due?", "please send me the contract before the end of november"),
        ("What did Peter say about the director of the museum?", "the director of the museum has already agreed"),
    ],
)
async def test_answers_quote_the_line_that_says_it(house: House, meeting: Meeting, question: str, said: str) -> None:
    answer = await house.answer(meeting.user_id, question)
    assert (answer["answered"], answer["status"], answer["model"], answer["cached"]) == (
        True,
        "done",
        "extractive",
        False,
    )
    first = answer["citations"][0]
    assert said in first["quote"]
    assert f"“{first['quote']}” [{first['index']}]" in answer["answer"]
    assert first["asset_id"] == str(meeting.asset_id)
    assert (first["kind"], first["revision"], first["stale"], first["title"]) == ("recording", 1, False, "A talk")
    assert first["locator"]["type"] == "time"
    assert first["locator"]["start_seconds"] <= first["quote_start_seconds"] < first["quote_end_seconds"]
    assert first["quote_end_seconds"] <= first["locator"]["end_seconds"]
    assert first["url"] == f"/r/{meeting.asset_id}?t={first['quote_start_seconds']:.1f}"
    async with house.world.db.acquire() as conn:
        chunks = [row["content"] for row in await conn.fetch("SELECT content FROM chunks")]
    assert any(first["quote"] in chunk for chunk in chunks)


async def test_what_the_library_does_not_hold_is_refused(house: House, meeting: Meeting) -> None:
    answer = await house.answer(meeting.user_id, "What did they decide about the coffee machine?")
    assert (answer["answered"], answer["answer"], answer["citations"]) == (False, "", [])
    assert "does not seem to hold the answer" in answer["reason"]
    assert 1 <= len(answer["nearest"]) <= 3
    assert all(near["quote"] and near["url"] for near in answer["nearest"])


async def test_an_empty_library_says_so(house: House) -> None:
    answer = await house.answer(await house.world.user(), "When is the contract due?")
    assert (answer["answered"], answer["nearest"]) == (False, [])
    assert answer["reason"] == "Nothing in the library matches the question."


async def test_the_scope_narrows(house: House, meeting: Meeting) -> None:
    other = await house.world.collection(meeting.user_id)
    question = "When is the contract due?"
    assert (await house.answer(meeting.user_id, question, collection_id=str(meeting.collection_id)))["answered"]
    assert not (await house.answer(meeting.user_id, question, collection_id=str(other)))["answered"]
    assert (await house.answer(meeting.user_id, question, asset_ids=[str(meeting.asset_id)]))["answered"]
    assert not (await house.answer(meeting.user_id, question, asset_ids=[str(uuid7())]))["answered"]


SENSELESS: list[dict[str, object]] = [
    {"question": ""},
    {"question": "   "},
    {},
    {"question": "a\x00b"},
    {"question": "x" * 4001},
    {"question": "When?", "top_k": 0},
    {"question": "When?", "asset_ids": []},
    {"question": "When?", "collection_id": "here"},
    {"question": "When?", "model": "dearest"},
    {"question": "When?", "qestion": "typo"},
]


async def test_what_makes_no_sense_is_422(house: House) -> None:
    headers = house.as_user(await house.world.user())
    for body in SENSELESS:
        response = await house.http.post("/api/answers", json=body, headers=headers)
        assert (response.status_code, response.json()["error_type"]) == (422, "validation_error"), body
    assert await house.count("answers") == 0


async def test_a_long_question_is_answered(house: House, meeting: Meeting) -> None:
    question = "When is the contract due? " + "I would like to know. " * 170
    assert (await house.ask(meeting.user_id, question)).status_code == 200


async def test_someone_elses_collection_does_not_exist(house: House, meeting: Meeting) -> None:
    stranger = await house.world.user()
    for collection_id in (meeting.collection_id, uuid7()):
        response = await house.ask(stranger, "When?", collection_id=str(collection_id))
        assert (response.status_code, response.json()["error_type"]) == (404, "not_found")
    assert await house.count("answers") == 0


async def test_who_is_nobody_is_401(house: House) -> None:
    assert (await house.http.post("/api/answers", json={"question": "When?"})).status_code == 401


async def test_an_answer_is_its_askers_alone(house: House, meeting: Meeting) -> None:
    answer = await house.answer(meeting.user_id, "When is the contract due?")
    path = f"/api/answers/{answer['id']}"
    mine = await house.http.get(path, headers=house.as_user(meeting.user_id))
    assert mine.json() == answer
    stranger = house.as_user(await house.world.user())
    for place in (path, f"{path}/events", f"/api/answers/{uuid7()}"):
        assert (await house.http.get(place, headers=stranger)).status_code == 404


async def events(house: House, user_id: UUID, answer_id: str, after: int = 0) -> list[tuple[int, str, object]]:
    headers = house.as_user(user_id) | {"Last-Event-ID": str(after)}
    response = await house.http.get(f"/api/answers/{answer_id}/events", headers=headers)
    assert response.status_code == 200
    return read_events(response.text)


async def test_streaming_tells_the_same_story(house: House, meeting: Meeting) -> None:
    async with house.http.stream(
        "POST",
        "/api/answers",
        json={"question": "When is the contract due?", "stream": True},
        headers=house.as_user(meeting.user_id),
    ) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        seen = read_events((await response.aread()).decode())
    names = [name for _, name, _ in seen]
    assert names[0] == "status"
    assert names[-2:] == ["citations", "done"]
    assert all(data["type"] == name for _, name, data in seen)
    done = seen[-1][2]["response"]
    assert done["answered"] is True
    assert "".join(data["content"] for _, name, data in seen if name == "content") == done["answer"]
    assert seen[-2][2]["citations"] == done["citations"]
    assert response.headers["location"] == f"/api/answers/{done['id']}"
    assert await events(house, meeting.user_id, done["id"]) == seen
    assert await events(house, meeting.user_id, done["id"], after=2) == seen[2:]
    assert await events(house, meeting.user_id, done["id"], after=seen[-1][0]) == []


async def test_accept_alone_asks_for_a_stream(house: House, meeting: Meeting) -> None:
    headers = house.as_user(meeting.user_id) | {"Accept": "text/event-stream"}
    response = await house.http.post("/api/answers", json={"question": "What of the coffee machine?"}, headers=headers)
    seen = read_events(response.text)
    assert seen[-1][1] == "done"
    assert seen[-1][2]["response"]["answered"] is False


async def test_without_vectors_answers_come_from_words(house: House, meeting: Meeting) -> None:
    """The embedder's model cannot be asked for lines: here, because chat may not speak as itself."""
    house.keys.private["chat"] = house.keys.private["gateway"]

    async with serving(build(house.settings())) as url, httpx.AsyncClient(base_url=url, timeout=60) as client:
        body = {"question": "When must the contract be sent?"}
        response = await client.post("/api/answers", json=body, headers=house.as_user(meeting.user_id))
    assert "contract" in response.json()["citations"][0]["quote"]
