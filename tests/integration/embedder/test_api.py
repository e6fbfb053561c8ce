"""Search and retrieval over HTTP, as the gateway forwards them."""

import base64
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any
from uuid import UUID

import httpx
import numpy as np
import openai
import pytest
from common.identity import IDENTITY_HEADER, Caller, Signer, new_key_pair
from common.ids import uuid7
from common.service import Service
from embedder.domain.words import tokens
from embedder.main import build
from embedder.settings import EmbedderSettings

from tests.conftest import Databases
from tests.integration.embedder.world import World, transcript_of
from tests.integration.gateway.running import serving

TURNS = [
    ("Anna", "Good morning everybody. We begin with the café — the café 🙂 on the pier."),
    ("Ben", "Its budget is twelve thousand dollars, and the budget holds until the third of March."),
    ("Anna", "Then nothing else is left to say about it, thank you."),
]
Ask = Callable[..., Awaitable[httpx.Response]]
PRIVATE, PUBLIC = new_key_pair()


@pytest.fixture
async def service(fresh_database: Databases, store_url: str, world: World) -> AsyncGenerator[Service]:
    service = build(
        EmbedderSettings(
            database_url=fresh_database.urls["embedder"],
            object_store_url=store_url,
            identity_public_keys=f"gateway={PUBLIC}",
            model_dir=world.embedder._model_dir,  # type: ignore[attr-defined]
            threads=1,
        )
    )
    await service.db.open()
    yield service
    await service.stop()


@pytest.fixture
async def ask(service: Service) -> AsyncGenerator[Ask]:
    signer = Signer("gateway", PRIVATE)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(service.app), base_url="http://embedder") as client:

        async def send(user: UUID, method: str, path: str, *, asset: UUID | None = None, **more: Any) -> httpx.Response:
            caller = Caller(user, asset_id=asset, asset_role="viewer" if asset else None)
            return await client.request(method, path, headers={IDENTITY_HEADER: signer.user_token(caller)}, **more)

        yield send


@pytest.fixture
async def me(world: World) -> UUID:
    return await world.user()


@pytest.fixture
async def collection(world: World, me: UUID) -> UUID:
    return await world.collection(me)


@pytest.fixture
async def asset(world: World, collection: UUID) -> UUID:
    world.chunk_tokens = 25
    return await world.recording(collection, TURNS)


async def test_a_search_answers_as_promised(ask: Ask, me: UUID, collection: UUID, asset: UUID) -> None:
    answer = await ask(me, "GET", "/api/search", params={"q": " budget ", "limit": 1})
    assert answer.status_code == 200
    body = answer.json()
    item = body["items"][0]
    assert (body["query"], body["mode"], body["suggestion"], body["has_more"]) == ("budget", "hybrid", None, True)
    assert item["asset"] == {
        "id": str(asset),
        "title": "A talk",
        "kind": "recording",
        "collection_id": str(collection),
    }
    assert [item["text"][a:b] for a, b in item["highlights"]] == ["budget", "budget"]
    assert item["locator"]["type"] == "time"
    assert item["locator"]["speaker"] == "Ben"
    assert item["locator"]["start_seconds"] < item["locator"]["end_seconds"]
    assert item["url"] == f"/r/{asset}?t={item['locator']['start_seconds']:g}"
    assert 0 < item["score"] <= 1
    assert item["scores"]["lexical"] > 0
    assert 0 < item["scores"]["semantic"] <= 1
    assert item["scores"]["phrase"] is None


async def test_highlights_are_exact_with_accents_and_emoji(ask: Ask, me: UUID, asset: UUID) -> None:
    body = (await ask(me, "GET", "/api/search", params={"q": "CAFES", "mode": "lexical"})).json()
    text = body["items"][0]["text"]
    assert "🙂" in text
    assert [text[a:b] for a, b in body["items"][0]["highlights"]] == ["café", "café"]


@pytest.mark.parametrize(
    ("phrase", "turn", "word"),
    [("the third of March", 1, 11), ("CAFE 🙂 on the PIER", 0, 10), ("twelve thousand dollars, and", 1, 3)],
)
async def test_a_phrase_opens_at_its_exact_second(
    ask: Ask, me: UUID, asset: UUID, phrase: str, turn: int, word: int
) -> None:
    body = (await ask(me, "GET", "/api/search", params={"q": phrase, "mode": "phrase"})).json()
    assert len(body["items"]) == 1
    item = body["items"][0]
    said = transcript_of(TURNS, asset_id=asset).segments[turn].words or []
    assert item["locator"]["start_seconds"] == said[word].start
    assert item["url"] == f"/r/{asset}?t={said[word].start:g}"
    assert item["scores"]["phrase"] > 0
    begin, end = item["highlights"][0]
    assert [token.word for token in tokens(item["text"][begin:end])] == [token.word for token in tokens(phrase)]


async def test_what_is_not_readable_is_not_there(ask: Ask, world: World, me: UUID, asset: UUID) -> None:
    stranger = await world.user()
    body = (await ask(stranger, "GET", "/api/search", params={"q": "budget"})).json()
    assert body["items"] == []
    collection = world.collections[asset]
    for user, params in (
        (stranger, {"asset_id": str(asset)}),
        (stranger, {"collection_id": str(collection)}),
        (me, {"asset_id": str(uuid7())}),
        (me, {"collection_id": str(uuid7())}),
    ):
        answer = await ask(user, "GET", "/api/search", params={"q": "budget", **params})
        assert (answer.status_code, answer.json()["error_type"]) == (404, "not_found")
    known = await ask(me, "GET", "/api/search", params={"q": "budget", "asset_id": [str(asset)]})
    assert known.json()["items"]


@pytest.mark.parametrize(
    ("params", "named"),
    [
        ({}, "q"),
        ({"q": "   "}, "q"),
        ({"q": "x" * 1001}, "q"),
        ({"q": "a", "mode": "magic"}, "mode"),
        ({"q": "a", "limit": 0}, "limit"),
        ({"q": "a", "offset": -1}, "offset"),
        ({"q": "a", "offset": 990}, "offset + limit"),
        ({"q": "a", "collection_id": "mine"}, "collection_id"),
        ({"q": "a", "recorded_after": "yesterday"}, "recorded_after"),
        ({"q": "a", "kind": "picture"}, "kind"),
        ({"q": "a", "sort_by": "size"}, "sort_by"),
        ({"q": "a", "group_by": "day"}, "group_by"),
        ({"q": "a", "tag": ""}, "tag"),
        ({"q": "a", "status": "happy"}, "status"),
        ({"q": "a", "quality": "great"}, "quality"),
        ({"q": "a", "colour": "red"}, "colour"),
        ({"q": "a", "limit": -5}, "limit"),
        ({"q": "word " * 2000}, "q"),
        ({"q": "a", "speaker": "\0"}, "speaker"),
    ],
)
async def test_what_cannot_be_asked_is_said(ask: Ask, me: UUID, params: dict[str, Any], named: str) -> None:
    answer = await ask(me, "GET", "/api/search", params=params)
    assert answer.status_code == 422
    assert named in answer.json()["detail"]


async def test_odd_queries_get_a_page(ask: Ask, me: UUID, asset: UUID) -> None:
    for q in ("the of and", "?!… — ()", "🙂", '"" ""', "“”", "\0", "\u202e", "(((", "\\"):
        for mode in ("hybrid", "lexical", "semantic", "phrase"):
            answer = await ask(me, "GET", "/api/search", params={"q": q, "mode": mode})
            assert answer.status_code == 200, answer.text
            assert answer.json()["suggestion"] is None


async def test_an_unknown_language_has_nothing(ask: Ask, me: UUID, asset: UUID) -> None:
    for language in ("tlh", "?", "en-GB-x-y"):
        body = (await ask(me, "GET", "/api/search", params={"q": "budget", "language": language})).json()
        assert bool(body["items"]) == (language == "en-GB-x-y")


async def test_near_words_are_told(ask: Ask, me: UUID, asset: UUID) -> None:
    body = (await ask(me, "GET", "/api/search", params={"q": "Bugdet", "mode": "lexical"})).json()
    item = body["items"][0]
    assert body["suggestion"] == "budget"
    assert item["heard_as"] == [{"word": "bugdet", "text": "budget"}]
    assert [item["text"][a:b] for a, b in item["highlights"]] == ["budget", "budget"]
    chunks = (await ask(me, "POST", "/api/retrieval/query", json={"query": "bugdet"})).json()["chunks"]
    assert chunks[0]["metadata"]["heard_as"] == [{"word": "bugdet", "text": "budget"}]
    well = (await ask(me, "GET", "/api/search", params={"q": "budget"})).json()
    assert (well["suggestion"], well["items"][0]["heard_as"]) == (None, [])


async def test_a_quoted_part_opens_at_its_exact_second(ask: Ask, me: UUID, asset: UUID) -> None:
    params = {"q": 'money "twelve thousand dollars"'}
    body = (await ask(me, "GET", "/api/search", params=params)).json()
    assert len(body["items"]) == 1
    item = body["items"][0]
    said = transcript_of(TURNS, asset_id=asset).segments[1].words or []
    assert item["locator"]["start_seconds"] == said[3].start
    assert item["locator"]["end_seconds"] == said[5].end
    assert item["url"] == f"/r/{asset}?t={said[3].start:g}"
    assert "twelve thousand dollars" in [item["text"][a:b] for a, b in item["highlights"]]


async def test_words_that_say_nothing_open_where_they_stand(ask: Ask, me: UUID, asset: UUID) -> None:
    item = (await ask(me, "GET", "/api/search", params={"q": "about it", "mode": "lexical"})).json()["items"][0]
    said = transcript_of(TURNS, asset_id=asset).segments[2].words or []
    assert item["locator"]["start_seconds"] == said[7].start
    assert [item["text"][a:b] for a, b in item["highlights"]] == ["about it"]


async def test_tags_and_status_narrow(ask: Ask, world: World, me: UUID, collection: UUID, asset: UUID) -> None:
    other = await world.recording(collection, TURNS)
    for name in ("red", "blue"):
        await world.admin.execute("INSERT INTO gateway.asset_tags (asset_id, name) VALUES ($1, $2)", asset, name)
    await world.admin.execute("INSERT INTO gateway.asset_tags (asset_id, name) VALUES ($1, 'red')", other)
    await world.admin.execute("UPDATE gateway.assets SET status = 'ready' WHERE id = $1", other)

    async def found(**params: Any) -> set[str]:
        answer = await ask(me, "GET", "/api/search", params={"q": "budget", **params})
        assert answer.status_code == 200, answer.text
        return {item["asset"]["id"] for item in answer.json()["items"]}

    assert await found(tag="red") == {str(asset), str(other)}
    assert await found(tag=["red", "blue"]) == {str(asset)}
    assert await found(tag="green") == set()
    assert await found(status="ready") == {str(other)}
    assert await found(status=["ready", "processing"], tag="blue") == {str(asset)}
    question = {"query": "budget", "filters": {"tags": ["blue"], "statuses": ["processing"]}}
    chunks = (await ask(me, "POST", "/api/retrieval/query", json=question)).json()["chunks"]
    assert {chunk["metadata"]["asset_id"] for chunk in chunks} == {str(asset)}


async def test_every_quality_finds(ask: Ask, me: UUID, asset: UUID) -> None:
    for quality in ("fast", "balanced", "best"):
        for mode in ("hybrid", "semantic"):
            params = {"q": "money", "quality": quality, "mode": mode}
            body = (await ask(me, "GET", "/api/search", params=params)).json()
            assert "twelve thousand" in body["items"][0]["text"]
        question = {"query": "money", "quality": quality}
        assert (await ask(me, "POST", "/api/retrieval/query", json=question)).json()["chunks"]


async def test_search_needs_an_identity(service: Service) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(service.app), base_url="http://embedder") as client:
        assert (await client.get("/api/search", params={"q": "a"})).status_code == 401
        assert (await client.post("/api/retrieval/query", json={"query": "a"})).status_code == 401


async def test_retrieval_gives_words_lines_and_generations(ask: Ask, me: UUID, collection: UUID, asset: UUID) -> None:
    question = {"query": "How much money is there?", "top_k": 2, "include_words": True, "sources": ["lectures"]}
    body = (await ask(me, "POST", "/api/retrieval/query", json=question)).json()
    assert body["generations"] == {str(collection): 1}
    assert len(body["chunks"]) == 2
    for chunk in body["chunks"]:
        meta = chunk["metadata"]
        assert chunk["source"] == "recordings"
        assert meta["asset_id"] == str(asset)
        assert meta["revision"] == 1
        assert set(meta["scores"]) == {"lexical", "semantic", "phrase", "title", "rerank"}
        assert " ".join(chunk["content"][a:b] for a, b, _, _ in meta["words"]) == chunk["content"]
        assert meta["locator"]["start_seconds"] == meta["words"][0][2]
        assert meta["lines"][0][:2] == [0, meta["lines"][0][1]]
        assert meta["lines"][-1][1] == len(chunk["content"])
        assert {line[4] for line in meta["lines"]} <= {"Anna", "Ben"}
    plain = (await ask(me, "POST", "/api/retrieval/query", json={"query": "money"})).json()
    assert "words" not in plain["chunks"][0]["metadata"]


async def test_retrieval_widens_passages_to_windows(ask: Ask, world: World, me: UUID, collection: UUID) -> None:
    world.chunk_tokens = 12
    turns = [("Anna", f"Point {i}: the {word} was talked about today.") for i, word in enumerate("abcdefg")]
    turns[3] = ("Ben", "Point 3: penguins were talked about today.")
    asset = await world.recording(collection, turns)
    listed = (await ask(me, "GET", f"/api/assets/{asset}/chunks", asset=asset)).json()["items"]
    question = {"query": "penguins", "top_k": 20, "window": 2, "mode": "lexical"}
    (found,) = (await ask(me, "POST", "/api/retrieval/query", json=question)).json()["chunks"]
    index, window = found["metadata"]["chunk_index"], found["metadata"]["window"]
    around = listed[max(0, index - 2) : index + 3]
    assert len(around) == 5
    assert window == {
        "text": " ".join(chunk["text"] for chunk in around),
        "start_seconds": around[0]["locator"]["start_seconds"],
        "end_seconds": around[-1]["locator"]["end_seconds"],
        "first_chunk_index": index - 2,
        "last_chunk_index": index + 2,
    }
    assert found["content"] in window["text"]
    # It ends where the recording ends.
    whole = (await ask(me, "POST", "/api/retrieval/query", json=question | {"window": 10})).json()["chunks"][0]
    assert whole["metadata"]["window"]["text"] == " ".join(text for _, text in turns)
    plain = (await ask(me, "POST", "/api/retrieval/query", json=question | {"window": 0})).json()["chunks"][0]
    assert "window" not in plain["metadata"]
    for wrong in (-1, 11, "all"):
        assert (await ask(me, "POST", "/api/retrieval/query", json=question | {"window": wrong})).status_code == 422


async def test_retrieval_narrows_and_refuses_unknown_filters(
    ask: Ask, world: World, me: UUID, collection: UUID, asset: UUID
) -> None:
    other = await world.recording(collection, TURNS)

    async def assets(**filters: Any) -> set[str]:
        question = {"query": "budget", "filters": filters}
        answer = await ask(me, "POST", "/api/retrieval/query", json=question)
        assert answer.status_code == 200, answer.text
        return {chunk["metadata"]["asset_id"] for chunk in answer.json()["chunks"]}

    assert await assets() == {str(asset), str(other)}
    assert await assets(asset_ids=[str(other)]) == {str(other)}
    assert await assets(asset_ids=[str(uuid7())]) == set()
    assert await assets(asset_ids=[]) == set()
    assert await assets(speaker="nobody") == set()
    for wrong in ({"query": "a", "filters": {"colour": "red"}}, {"query": "a", "top_k": 0}, {"query": ""}):
        assert (await ask(me, "POST", "/api/retrieval/query", json=wrong)).status_code == 422
    unknown = {"query": "a", "collection_id": str(uuid7())}
    assert (await ask(me, "POST", "/api/retrieval/query", json=unknown)).status_code == 404
    stranger = await world.user()
    closed = {"query": "a", "collection_id": str(collection)}
    assert (await ask(stranger, "POST", "/api/retrieval/query", json=closed)).status_code == 404


async def test_chunks_of_an_asset_for_debugging(ask: Ask, me: UUID, asset: UUID) -> None:
    pages, cursor = [], None
    while True:
        params = {"limit": 1} | ({"cursor": cursor} if cursor else {})
        body = (await ask(me, "GET", f"/api/assets/{asset}/chunks", asset=asset, params=params)).json()
        pages += body["items"]
        cursor = body["next_cursor"]
        if cursor is None:
            break
    assert [chunk["chunk_index"] for chunk in pages] == list(range(len(pages)))
    assert " ".join(chunk["text"] for chunk in pages) == " ".join(text for _, text in TURNS)
    assert (await ask(me, "GET", f"/api/assets/{asset}/chunks")).status_code == 404
    answer = await ask(me, "GET", f"/api/assets/{asset}/chunks", asset=asset, params={"cursor": "x"})
    assert answer.status_code == 422


async def test_embeddings_as_openai_gives_them(ask: Ask, world: World, me: UUID) -> None:
    texts = ["The harbour will be dredged.", "hello"]
    expected = await world.embedder.embed(texts)
    body = (await ask(me, "POST", "/v1/embeddings", json={"input": texts, "model": "default"})).json()
    assert [item["index"] for item in body["data"]] == [0, 1]
    assert np.allclose([item["embedding"] for item in body["data"]], expected, atol=1e-6)
    assert body["usage"]["total_tokens"] == sum(world.embedder.count_tokens(texts))
    packed = {"input": texts[1], "encoding_format": "base64"}
    body = (await ask(me, "POST", "/v1/embeddings", json=packed)).json()
    vector = np.frombuffer(base64.b64decode(body["data"][0]["embedding"]), "<f4")
    assert np.allclose(vector, expected[1], atol=1e-6)
    assert (await ask(me, "POST", "/v1/embeddings", json={"input": "a", "model": "gpt"})).status_code == 404
    assert (await ask(me, "POST", "/v1/embeddings", json={"input": "a", "dimensions": 384})).status_code == 200


WRONG_INPUTS: list[tuple[dict[str, Any], str]] = [
    ({"input": []}, "empty list"),
    ({"input": ""}, "item 0 is empty"),
    ({"input": ["a", ""]}, "item 1 is empty"),
    ({"input": [1, 2, 3]}, "tokens"),
    ({"input": [[1, 2], [3]]}, "tokens"),
    ({"input": [{"text": "a"}]}, "item 0 is no text"),
    ({"input": None}, "item 0 is no text"),
    ({"input": True}, "item 0 is no text"),
    ({}, "input"),
    ({"input": ["a"] * 2049}, "2048"),
    ({"input": ["a" * 40_000]}, "item 0 has 40000 characters"),
    ({"input": "a", "encoding_format": "hex"}, "encoding_format"),
    ({"input": "a", "dimensions": 1536}, "dimensions: all-MiniLM-L6-v2 has 384"),
    ({"input": "a", "dimensions": -1}, "dimensions"),
]


async def test_what_cannot_be_embedded_is_said(ask: Ask, me: UUID) -> None:
    for wrong, said in WRONG_INPUTS:
        answer = await ask(me, "POST", "/v1/embeddings", json=wrong)
        assert answer.status_code == 422, wrong
        assert said in answer.json()["detail"], answer.text
        assert answer.json()["error"]["message"] == answer.json()["detail"]


async def test_the_official_client_unmodified(service: Service, world: World, me: UUID) -> None:
    token = Signer("gateway", PRIVATE).user_token(Caller(me))
    texts = ["The harbour will be dredged.", "hello", "東京 🙂"]
    expected = await world.embedder.embed(texts)
    async with (
        serving(service.app) as url,
        openai.AsyncOpenAI(
            api_key="unused", base_url=f"{url}/v1", default_headers={IDENTITY_HEADER: token}, max_retries=0
        ) as client,
    ):
        packed = await client.embeddings.create(input=texts, model="default")
        plain = await client.embeddings.create(input=texts, model="all-MiniLM-L6-v2", encoding_format="float")
        one = await client.embeddings.create(input="hello", model="default", dimensions=384, user="somebody")
        for answer in (packed, plain):
            assert [item.index for item in answer.data] == [0, 1, 2]
            assert np.allclose([item.embedding for item in answer.data], expected, atol=1e-6)
        assert np.allclose(one.data[0].embedding, expected[1], atol=1e-6)
        assert packed.usage.prompt_tokens == packed.usage.total_tokens == sum(world.embedder.count_tokens(texts))
        with pytest.raises(openai.NotFoundError) as unknown:
            await client.embeddings.create(input="a", model="text-embedding-3-small")
        assert (unknown.value.code, unknown.value.param) == ("model_not_found", "model")
        with pytest.raises(openai.UnprocessableEntityError, match="send text"):
            await client.embeddings.create(input=[1, 2, 3], model="default")


async def test_embeddings_need_an_identity(service: Service) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(service.app), base_url="http://embedder") as client:
        assert (await client.post("/v1/embeddings", json={"input": "a"})).status_code == 401
