"""Images and PDFs in the questions of sessions and of chat completions: what reaches the model, and what is kept."""

from base64 import b64encode
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import openai
import pytest
from chat import handlers
from common.events import CollectionDeleted

from tests.conftest import Databases
from tests.integration.chat import wire
from tests.integration.chat.conftest import Meeting, record_meeting
from tests.integration.chat.house import House, open_house
from tests.integration.chat.talk import SAID, Talk, begin
from tests.integration.chat.wire import Call, Provider
from tests.unit.chat.files import GIF, PDF, PNG

QUESTION = "When is the contract due?"


@pytest.fixture
async def provider() -> AsyncGenerator[Provider]:
    async with wire.listening() as listening:
        yield listening


@pytest.fixture
async def house(fresh_database: Databases, store_url: str, provider: Provider) -> AsyncGenerator[House]:
    """The default model reads text only; the two others images, too, and the last of them fails over to the first."""
    model = {"openai_base_url": f"{provider.url}/v1", "openai_api_key": "secret", "model": "blind"}
    more = {"models": "gpt-4o, gpt-4.1", "fallbacks": "blind, gpt-4o, extractive", "attachments_bytes": 2000}
    async with open_house(
        fresh_database, store_url, provider="openai", provider_retries=0, flush_seconds=0.05, **model, **more
    ) as opened:
        yield opened


@pytest.fixture
async def meeting(house: House) -> Meeting:
    return await record_meeting(house)


def sent(name: str, data: bytes) -> dict[str, str]:
    return {"name": name, "data": b64encode(data).decode()}


def files_of(call: Call) -> list[str]:
    """What the model was shown beside text, in its order, as data URLs."""
    content = call.body["messages"][-1]["content"]
    parts = [] if isinstance(content, str) else content
    shown = [part.get("image_url", {}).get("url") or part.get("file", {}).get("file_data") for part in parts]
    return [url for url in shown if url]


def url_of(media_type: str, data: bytes) -> str:
    return f"data:{media_type};base64,{b64encode(data).decode()}"


async def file_at(talk: Talk, place: str, user_id: UUID | None = None) -> httpx.Response:
    headers = talk.house.as_user(user_id) if user_id else talk.headers
    return await talk.house.http.get(place, headers=headers)


def stored(store_url: str) -> list[Path]:
    return [path for path in Path(store_url.removeprefix("file://")).glob("attachment/*/*") if path.is_file()]


async def test_a_model_sees_them_now_and_later_and_they_go_with_the_session(
    house: House, meeting: Meeting, provider: Provider, store_url: str
) -> None:
    talk = await begin(house, meeting)
    provider.serve = wire.openai_says("A single dot.")
    # A repeated creation: the same file, message and answer.
    headers = talk.headers | {"Idempotency-Key": "k"}
    body = {"content": "What is in the picture?", "attachments": [sent("dot.png", PNG), sent("plan.pdf", PDF)]}
    first, again = [
        (await house.http.post(f"{talk.path}/messages", json=body, headers=headers)).json() for _ in range(2)
    ]
    assert (first["answered"], first["content"], first["citations"]) == (True, "A single dot.", [])
    assert (first["model"], first["id"], len(provider.calls)) == ("gpt-4o", again["id"], 1)
    assert files_of(provider.calls[0]) == [url_of("image/png", PNG), url_of("application/pdf", PDF)]
    question = (await talk.read())["messages"][0]
    assert [(one["name"], one["media_type"], one["size_bytes"]) for one in question["attachments"]] == [
        ("dot.png", "image/png", len(PNG)),
        ("plan.pdf", "application/pdf", len(PDF)),
    ]
    stranger = await house.world.user()
    for one, data in zip(question["attachments"], (PNG, PDF), strict=True):
        read = await file_at(talk, one["url"])
        assert (read.status_code, read.content, read.headers["content-type"]) == (200, data, one["media_type"])
        assert (read.headers["x-content-type-options"], "sandbox" in read.headers["content-security-policy"]) == (
            "nosniff",
            True,
        )
        assert (await file_at(talk, one["url"], stranger)).status_code == 404
    other = await begin(house, meeting)
    assert (await file_at(other, question["attachments"][0]["url"].replace(talk.id, other.id))).status_code == 404

    # The next question is asked of a model that reads them, too, and may say what the library does not hold.
    provider.serve = wire.openai_says(f"{SAID.capitalize()} [1]. The dot is black.")
    then = await talk.say("When is it due, and which colour has the dot?", attachments=[sent("one.gif", GIF)])
    assert then["answered"]
    assert files_of(provider.calls[1]) == [
        url_of("image/png", PNG),
        url_of("application/pdf", PDF),
        url_of("image/gif", GIF),
    ]
    assert "1. dot.png (image/png, with an earlier question)" in str(provider.calls[1].body)
    # One that does not may be named; it is shown the words alone.
    await talk.say(QUESTION, model="blind")
    assert (files_of(provider.calls[2]), provider.calls[2].body["model"]) == ([], "blind")

    # What is the same is stored once, and kept for as long as any session has it.
    branch = await talk.branch(first["id"])
    copied = (await branch.read())["messages"][0]["attachments"]
    assert {one["id"] for one in copied}.isdisjoint(one["id"] for one in question["attachments"])
    assert len(stored(store_url)) == 3
    assert (await house.http.delete(talk.path, headers=talk.headers)).status_code == 204
    assert {path.read_bytes() for path in stored(store_url)} == {PNG, PDF}
    assert (await file_at(branch, copied[0]["url"])).content == PNG
    assert (await house.http.delete(branch.path, headers=talk.headers)).status_code == 204
    assert stored(store_url) == []
    assert [await house.count(table) for table in ("attachments", "objects", "object_refs")] == [0, 0, 0]


async def test_they_are_the_askers_alone_and_for_models_that_read_them(
    house: House, meeting: Meeting, provider: Provider, store_url: str
) -> None:
    talk = await begin(house, meeting, collection_id=str(meeting.collection_id))
    senseless: list[tuple[dict[str, Any], str]] = [
        ({"attachments": [sent("dot.png", PNG)], "model": "blind"}, "The model 'blind' does not read images."),
        ({"attachments": [sent("a.svg", b"<svg/>")]}, "attachments.0: it is no JPEG, PNG, GIF, WebP or PDF."),
        ({"attachments": [sent("a", PNG), {"data": "?"}]}, "attachments.1: its data is not base64."),
        ({"attachments": [sent("a", PNG + bytes(2000))]}, "attachments: together they are larger than 0.002 MB."),
    ]
    for more, told in senseless:
        refused = await talk.post("/messages", {"content": "What?", **more})
        assert (refused.status_code, refused.json()["detail"]) == (422, told)
    eleven = await talk.post("/messages", {"content": "What?", "attachments": [sent("a", PNG)] * 11})
    assert eleven.status_code == 422
    assert (await talk.post("/messages", {"content": "What?", "attachments": "x" * 2_000_000})).status_code == 413
    assert (await talk.read())["message_count"] == 0

    # Nothing of an answer with a picture comes from the cache, or goes into it.
    for picture in (PNG, GIF):
        provider.serve = wire.openai_says(f"{SAID} [1].")
        fresh = await begin(house, meeting)
        answer = await fresh.say(QUESTION, attachments=[sent("a", picture)], model="gpt-4o")
        assert (answer["answered"], len(answer["citations"])) == (True, 1)
    assert len(provider.calls) == 2
    assert await house.count("answer_cache") == 0

    # A model that fails is followed by one that reads them, and never by a blind one.
    async def serve(call: Call) -> None:
        if call.body["model"] == "gpt-4.1":
            await call.answer("400 Bad Request", {"error": {"message": "no", "type": "x"}})
        else:
            await wire.openai_says("A dot.")(call)

    provider.serve = serve
    told = await talk.say("What is it?", attachments=[sent("a", PNG)], model="gpt-4.1")
    assert (told["content"], told["model"]) == ("A dot.", "gpt-4o")
    assert [call.body["model"] for call in provider.calls[2:]] == ["gpt-4.1", "gpt-4o"]
    assert files_of(provider.calls[-1]) == [url_of("image/png", PNG)]

    # Retried, the question has them still.
    async def fails(call: Call) -> None:
        await call.answer("400 Bad Request", {"error": {"message": "no", "type": "x"}})

    provider.serve = fails
    failed = await talk.post("/messages", {"content": "And this?", "attachments": [sent("b", GIF)], "model": "gpt-4o"})
    assert failed.status_code == 502
    provider.serve = wire.openai_says("Another dot.")
    last = (await talk.read())["messages"][-1]
    retried = await talk.post(f"/messages/{last['id']}/retry", {})
    assert (retried.json()["content"], files_of(provider.calls[-1])[-1]) == ("Another dot.", url_of("image/gif", GIF))

    # A deleted collection takes its sessions, and they their files.
    gone = CollectionDeleted(collection_id=meeting.collection_id)
    await handlers.forget_collection(gone, house.delivery(gone))
    assert await house.count("object_refs") == 2
    assert await house.count("attachments") == 2


async def test_openais_client_sends_them_as_it_does_to_openai(
    house: House, meeting: Meeting, provider: Provider
) -> None:
    provider.serve = wire.openai_says("Two dots.")
    image: Any = {"type": "image_url", "image_url": {"url": url_of("image/png", PNG), "detail": "high"}}
    file: Any = {"type": "file", "file": {"filename": "plan.pdf", "file_data": url_of("application/pdf", PDF)}}
    talk: list[Any] = [
        {"role": "user", "content": [image, {"type": "text", "text": "What is this?"}]},
        {"role": "assistant", "content": "A dot."},
        {"role": "user", "content": [{"type": "text", "text": "And how many are there here?"}, file]},
    ]
    url, headers = f"{house.http.base_url}/v1", house.as_user(meeting.user_id)
    async with openai.AsyncOpenAI(api_key="k", base_url=url, default_headers=headers, max_retries=0) as client:
        done = await client.chat.completions.create(model="earshot", messages=talk)
        assert done.choices[0].message.content == "Two dots."
        assert (done.model_extra or {})["earshot"]["model"] == "gpt-4o"
        assert files_of(provider.calls[0]) == [url_of("image/png", PNG), url_of("application/pdf", PDF)]
        for part in (
            {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
            {"type": "file", "file": {"file_id": "file-1"}},
            {"type": "input_audio", "input_audio": {"data": "", "format": "wav"}},
        ):
            said: list[Any] = [{"role": "user", "content": [{"type": "text", "text": "What?"}, part]}]
            with pytest.raises(openai.BadRequestError) as refused:
                await client.chat.completions.create(model="earshot", messages=said)
            assert refused.value.param == "messages"
        with pytest.raises(openai.UnprocessableEntityError, match="does not read PDFs"):
            await client.chat.completions.create(model="blind", messages=talk[-1:])
    assert len(provider.calls) == 1
    assert await house.count("attachments") == 0
