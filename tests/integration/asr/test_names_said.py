"""Names that are said, found by a language model over the real SDK and the wire."""

import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import pytest

from tests.integration.asr.people import People, people, voice
from tests.integration.chat.wire import Call, Provider, listening

__all__ = ["people"]


@pytest.fixture
async def model() -> AsyncGenerator[Provider]:
    async with listening() as provider:
        yield provider


@pytest.fixture
def changes(model: Provider) -> dict[str, Any]:
    return {"names_url": f"{model.url}/v1", "names_model": "reader-1", "names_api_key": "sk-names"}


def says(text: str, status: str = "200 OK") -> Callable[[Call], Awaitable[None]]:
    async def serve(call: Call) -> None:
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        body = {"id": "c1", "object": "chat.completion", "created": 1, "model": "reader-1", "choices": [choice]}
        await call.answer(status, body if status.startswith("2") else {"error": {"message": "No."}})

    return serve


def names(*claims: tuple[str, str, str]) -> str:
    return json.dumps({"names": [{"speaker": s, "name": n, "segment": at} for s, n, at in claims]})


async def said(people: People, me: Any, asset: Any) -> tuple[str, str, str]:
    """A word that is said, who says it, and in which segment."""
    spoken = await people.ok(me, "GET", f"/api/recordings/{asset}/transcript")
    for segment in spoken["segments"]:
        for word in segment["text"].split():
            if len(word) > 5 and word.isalpha():
                return word, segment["speaker"], segment["id"]
    raise AssertionError(spoken)


async def test_a_name_that_is_said_is_suggested_and_accepted(people: People, model: Provider) -> None:
    me = await people.user()
    asset = await people.recording(await people.collection(me), voice(1.0), voice(1.0, of=1))
    word, speaker, segment = await said(people, me, asset)
    model.serve = says(names((speaker, word, segment), (speaker, "Nobodysaysthis", segment)))
    await people.work()
    (call,) = model.calls
    assert (call.path, call.headers["authorization"]) == ("/v1/chat/completions", "Bearer sk-names")
    assert call.body["model"] == "reader-1"
    assert [message["role"] for message in call.body["messages"]] == ["system", "user"]
    document = json.loads(call.body["messages"][1]["content"])
    assert [segment, speaker] in [line[:2] for line in document]
    (found,) = await people.suggestions(me, asset)
    assert (found["source"], found["name"], found["speaker_id"]) == ("said", word, speaker)
    assert (found["segment_id"], found["profile_id"]) == (segment, None)
    await people.take()
    assert (await people.decide(me, asset, found["id"], accept=True)).status_code == 200
    (fact,) = await people.revised()
    assert (fact.change, fact.speakers_changed) == ("renamed", True)
    assert (await people.speakers(me, asset))[speaker] == (word, None)
    assert await people.suggestions(me, asset) == []


async def test_a_rejected_name_is_not_suggested_again(people: People, model: Provider) -> None:
    me = await people.user()
    asset = await people.recording(await people.collection(me), voice(1.0), voice(1.0, of=1))
    word, speaker, segment = await said(people, me, asset)
    model.serve = says(names((speaker, word, segment)))
    await people.work()
    (found,) = await people.suggestions(me, asset)
    assert (await people.decide(me, asset, found["id"], accept=False)).status_code == 200
    model.serve = says(names((speaker, word.upper(), segment)))
    await people.again(asset)
    await people.work()
    assert (len(model.calls), await people.suggestions(me, asset)) == (2, [])


@pytest.mark.parametrize(
    ("status", "text", "again"),
    [
        ("500 Internal Server Error", "", True),
        ("429 Too Many Requests", "", True),
        ("401 Unauthorized", "", False),
        ("200 OK", "I cannot tell.", True),
        ("200 OK", "", False),
    ],
)
async def test_a_model_that_does_not_answer_costs_nothing(
    people: People, model: Provider, status: str, text: str, again: bool
) -> None:
    me = await people.user()
    model.serve = says(text, status)
    asset = await people.recording(await people.collection(me), voice(1.0), voice(1.0, of=1))
    await people.work()
    assert (len(model.calls), await people.suggestions(me, asset)) == (1, [])
    waiting = await people.fetch("SELECT kind, due_at > now() AS later FROM speaker_tasks")
    assert [tuple(row) for row in waiting] == [("names", True)] * again
    await people.fetch("UPDATE speaker_tasks SET due_at = now(), attempts = 5")
    await people.work()
    assert await people.fetch("SELECT FROM speaker_tasks") == []
    word, speaker, segment = await said(people, me, asset)
    model.serve = says(names((speaker, word, segment)))
    await people.fetch("INSERT INTO speaker_tasks (kind, asset_id) VALUES ('names', $1)", asset)
    await people.work()
    assert len(await people.suggestions(me, asset)) == 1


async def test_nobody_is_asked_about_speakers_who_have_names(people: People, model: Provider) -> None:
    me = await people.user()
    asset = await people.recording(await people.collection(me), voice(1.0), voice(1.0, of=1))
    for speaker in ("speaker_1", "speaker_2"):
        await people.name(me, asset, speaker, name=f"Name of {speaker}")
    await people.work()
    assert model.calls == []


class TestOff:
    """Without a model nothing leaves the house, whatever address is set."""

    @pytest.fixture
    def changes(self, model: Provider) -> dict[str, Any]:
        return {"names_url": f"{model.url}/v1"}

    async def test_by_default(self, people: People, model: Provider) -> None:
        me = await people.user()
        await people.recording(await people.collection(me), voice(1.0), voice(1.0, of=1))
        await people.work()
        assert (model.calls, await people.fetch("SELECT FROM speaker_tasks")) == ([], [])
