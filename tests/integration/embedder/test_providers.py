"""What every provider of vectors promises, the same for all of them, and what each does with trouble of its own.

Those of sentence-transformers need torch: tests/whisperx/test_vectors.py.
"""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import numpy as np
import pytest
from common.errors import CannotProcess, TryAgain
from embedder.providers import sentence_transformers
from embedder.providers.catalogue import UnknownModel, full_name, open_model
from embedder.providers.embedder import Embedder
from embedder.providers.minilm import MiniLm
from embedder.providers.openai import OpenAi, batches_of, estimate_tokens
from embedder.settings import EmbedderSettings, OpenAiSettings

from tests.integration.embedder.vector_server import KEY, VectorServer, reply, serving, trouble

TEXTS = ["The harbour will be dredged in autumn.", "hello", "Ünïcode 🙂 und 漢字", "word " * 700, "hello"]


@pytest.fixture
async def server(minilm: MiniLm) -> AsyncGenerator[VectorServer]:
    async with serving(minilm) as running:
        yield running


def client(server: VectorServer, *, dimensions: int | None = None, **settings: Any) -> OpenAi:
    given: dict[str, Any] = {"api_key": KEY, "base_url": server.url, "batch_texts": 2} | settings
    return OpenAi("small", OpenAiSettings(**given), dimensions=dimensions)


@pytest.fixture(params=["minilm", "openai", "openai-shortened"])
async def embedder(request: pytest.FixtureRequest, minilm: MiniLm, server: VectorServer) -> AsyncGenerator[Embedder]:
    if request.param == "minilm":
        yield minilm
    else:
        remote = client(server, dimensions=None if request.param == "openai" else 64)
        yield remote
        await remote.close()


async def test_a_vector_of_unit_length_for_each_text_in_order(embedder: Embedder) -> None:
    vectors = await embedder.embed(TEXTS)
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(TEXTS), embedder.dimensions)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert np.allclose(vectors[1], vectors[4], atol=1e-5)
    alone = np.concatenate([await embedder.embed([text]) for text in TEXTS])
    assert np.allclose(vectors, alone, atol=1e-4)
    assert not np.allclose(vectors[0], vectors[1], atol=1e-2)


async def test_no_text_and_an_empty_text(embedder: Embedder) -> None:
    await embedder.embed(["first"])
    assert (await embedder.embed([])).shape == (0, embedder.dimensions)
    assert (await embedder.embed([""])).shape == (1, embedder.dimensions)


async def test_many_at_once_get_each_their_own(embedder: Embedder) -> None:
    texts = [[f"text {i}", f"other {i}"] for i in range(6)]
    together = await asyncio.gather(*(embedder.embed(pair) for pair in texts))
    for pair, vectors in zip(texts, together, strict=True):
        assert np.allclose(vectors, await embedder.embed(pair), atol=1e-4)


async def test_tokens_are_counted_and_never_fewer_for_more_text(embedder: Embedder) -> None:
    counts = await asyncio.to_thread(embedder.count_tokens, ["", "hello", "hello there, people", "hello " * 900])
    assert counts[0] == 0
    assert counts == sorted(counts)
    assert counts[1] >= 1
    assert counts[3] >= 900
    assert await asyncio.to_thread(lambda: embedder.max_tokens) >= 16


def test_a_name_says_provider_model_and_dimensions() -> None:
    settings = EmbedderSettings(database_url="postgresql://nobody@localhost/none")
    assert full_name("minilm") == full_name("all-MiniLM-L6-v2") == MiniLm.name
    assert open_model(full_name("minilm"), settings).dimensions == 384
    short = open_model("openai:text-embedding-3-small@512", settings)
    assert (short.name, short.dimensions) == ("openai:text-embedding-3-small@512", 512)
    unsaid = open_model("openai:BAAI/bge-m3", settings)
    assert unsaid.name == "openai:BAAI/bge-m3"
    with pytest.raises(LookupError):
        _ = unsaid.dimensions
    for wrong in ("", "bge", "openai:", "cohere:x", "openai:a b", "openai:a@0", "openai:a@12x"):
        with pytest.raises(UnknownModel) as raised:
            full_name(wrong)
        assert "openai:<model>" in raised.value.advice
    if not sentence_transformers.installed():
        with pytest.raises(UnknownModel) as raised:
            full_name("sentence-transformers:BAAI/bge-small-en-v1.5")
        assert "--extra sentence-transformers" in raised.value.advice


def test_batches_hold_to_texts_and_tokens() -> None:
    assert [list(batch) for batch in batches_of(["a", "b", "c"], 2)] == [["a", "b"], ["c"]]
    long = ["x" * 240_000, "y" * 240_000, "z"]
    assert [len(batch) for batch in batches_of(long, 10)] == [1, 2]
    assert [len(batch) for batch in batches_of(["x" * 900_000, "y"], 10)] == [1, 1]
    assert list(batches_of([], 2)) == []


def test_tokens_are_rather_overestimated(minilm: MiniLm) -> None:
    texts = [
        "Good morning everybody, and welcome to this meeting about the office and its new chairs.",
        "The budget for the new website is twelve thousand dollars this year.",
        "会議は三月三日に始まります。",
    ]
    for text, real in zip(texts, minilm.count_tokens(texts), strict=True):
        assert real * 0.9 <= estimate_tokens(text) <= real * 2


async def test_texts_go_in_batches_with_a_limit_on_requests_under_way(server: VectorServer) -> None:
    model = client(server, batch_texts=3, at_once=2)
    server.hold_from = 0
    embedding = asyncio.create_task(model.embed([f"text {i}" for i in range(20)]))
    await server.held.wait()
    server.go_on.set()
    assert (await embedding).shape == (20, 384)
    assert server.most_open <= 2
    assert [len(asked["input"]) for asked in server.asked] == [3] * 6 + [2]
    assert {asked["model"] for asked in server.asked} == {"small"}
    assert not any("dimensions" in asked for asked in server.asked)
    await model.close()


async def test_a_busy_server_is_asked_again_when_it_says_and_by_nobody_before(server: VectorServer) -> None:
    model = client(server)
    server.troubles = [trouble(429, "0.3"), trouble(503, "0")]
    first = asyncio.create_task(model.embed(["one"]))
    while not model._not_before:
        await asyncio.sleep(0.01)
    until = model._not_before
    assert (await model.embed(["two"])).shape == (1, 384)
    assert (await first).shape == (1, 384)
    assert len(server.asked) == 4
    assert min(server.times[1:]) >= until
    await model.close()


@pytest.mark.parametrize(
    ("troubles", "error", "told", "advice"),
    [
        ([trouble(503, "0")] * 4, TryAgain, "busy or away", "EMBEDDER_OPENAI_BASE_URL"),
        ([trouble(429, "600")], TryAgain, "busy or away", "while"),
        ([trouble(404, message="No such model")], CannotProcess, "No such model", "'small'"),
        ([trouble(400, message="Too long")], CannotProcess, "Too long", "limits"),
        ([reply([[1.0, 2.0], [1.0, 2.0]])], CannotProcess, "2 vectors for 1 texts", "OpenAI-compatible"),
        ([reply([[1.0, 2.0]], indexes=[1])], CannotProcess, "1 vectors for 1 texts", "OpenAI-compatible"),
        ([reply([[0.0, 0.0]])], CannotProcess, "no direction", "OpenAI-compatible"),
        ([reply([])], CannotProcess, "cannot be", "OpenAI-compatible"),
        ([reply([["a"]])], CannotProcess, "cannot be read", "OpenAI-compatible"),  # type: ignore[list-item]
    ],
)
async def test_trouble_is_told_with_what_to_do(
    server: VectorServer, troubles: list[Any], error: type[Any], told: str, advice: str
) -> None:
    model = client(server)
    server.troubles = list(troubles)
    with pytest.raises(error, match=told) as raised:
        await model.embed(["hello"])
    assert raised.value.category == "engine_unavailable"
    assert advice in raised.value.advice
    assert len(server.asked) == len(troubles)
    await model.close()


async def test_a_wrong_key_and_a_server_that_is_not_there(server: VectorServer) -> None:
    stranger = client(server, api_key="sk-other")
    with pytest.raises(CannotProcess, match="key") as refused:
        await stranger.embed(["hello"])
    assert "EMBEDDER_OPENAI_API_KEY" in refused.value.advice
    await stranger.close()


async def test_dimensions_are_those_asked_for_and_do_not_change(server: VectorServer) -> None:
    model = client(server, dimensions=64)
    assert model.dimensions == 64
    assert (await model.embed(["hello"])).shape == (1, 64)
    assert server.asked[0]["dimensions"] == 64
    server.troubles = [reply([[1.0] * 65])]
    with pytest.raises(CannotProcess, match="65 dimensions, not 64"):
        await model.embed(["hello"])
    await model.close()
    unsaid = client(server)
    await unsaid.embed(["hello"])
    assert unsaid.dimensions == 384
    server.troubles = [reply([[1.0] * 12])]
    with pytest.raises(CannotProcess, match="12 dimensions, not 384"):
        await unsaid.embed(["hello"])
    await unsaid.close()


async def test_one_failed_request_ends_the_others(server: VectorServer) -> None:
    model = client(server, batch_texts=1, at_once=2)
    server.troubles = [trouble(404)]
    with pytest.raises(CannotProcess):
        await model.embed([f"text {i}" for i in range(50)])
    assert len(server.asked) < 50
    await model.close()


@pytest.mark.skipif(sentence_transformers.installed(), reason="it is installed")
async def test_a_missing_library_is_named() -> None:
    model = sentence_transformers.SentenceTransformers("BAAI/bge-small-en-v1.5")
    with pytest.raises(CannotProcess, match="not installed") as raised:
        await model.embed(["hello"])
    assert "uv sync" in raised.value.advice
