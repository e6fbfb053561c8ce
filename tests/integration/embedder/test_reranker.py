"""The second look: over HTTP from a loopback server that really compares texts, and by a cross-encoder on disk."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from common.errors import TryAgain
from embedder.domain.words import term_counts
from embedder.providers.reranker import Reranker
from embedder.providers.reranker_http import Dialect, HttpReranker
from embedder.providers.reranker_onnx import OnnxReranker
from embedder.providers.rerankers import reranker
from embedder.query_vectors import QueryVectors
from embedder.reranking import Reranking
from embedder.searching import Search, Wanted
from embedder.settings import EmbedderSettings
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

from tests.integration.embedder.world import World
from tests.integration.gateway.running import serving

TALK = [
    ("Anna", "The budget is a word that the budget meeting about the budget used."),
    ("Ben", "Nobody knows how much money the budget leaves for chairs."),
    ("Carla", "Ships wait outside for the tide, and their budget is the sea."),
]


@dataclass
class RerankServer:
    """Judges by how much of the query's words a text has; ``troubles``: answers given in place of the real ones."""

    url: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    troubles: list[Response] = field(default_factory=list)

    async def judge(self, request: Request) -> Response:
        body = await request.json()
        self.asked.append(body)
        self.keys.append(request.headers.get("authorization", ""))
        if self.troubles:
            return self.troubles.pop(0)
        wanted = set(term_counts(body["query"], "en"))
        texts = body.get("texts") or body["documents"]
        judged = [(index, len(wanted & set(term_counts(text, "en"))) / len(wanted)) for index, text in enumerate(texts)]
        judged.sort(key=lambda pair: -pair[1])
        if request.url.path == "/tei":
            return JSONResponse([{"index": index, "score": score} for index, score in judged])
        return JSONResponse({"results": [{"index": index, "relevance_score": score} for index, score in judged]})


@pytest.fixture
async def server() -> AsyncGenerator[RerankServer]:
    made, app = RerankServer(), FastAPI()
    for path in ("/cohere", "/tei"):
        app.add_api_route(path, made.judge, methods=["POST"], response_model=None)
    async with serving(app) as url:
        made.url = url
        yield made


def search(world: World, by: Reranker, top: int = 200) -> Search:
    return Search(world.db, world.models, 100, 10_000, QueryVectors(), Reranking(by, top))


@pytest.mark.parametrize("dialect", ["cohere", "tei"])
async def test_what_the_reranker_says_decides(world: World, server: RerankServer, dialect: Dialect) -> None:
    world.chunk_tokens = 20
    me = await world.user()
    await world.recording(await world.collection(me), TALK)
    http = HttpReranker(f"{server.url}/{dialect}", dialect=dialect, model="m", api_key="secret", batch=2)
    query = "how much money the budget leaves for chairs: budget budget"
    results = await search(world, http).run(me, Wanted(query))
    assert results.found[0].passage.content.startswith("Nobody knows")
    assert [item.ranked.chunk.rerank for item in results.found] == sorted(
        (item.ranked.chunk.rerank or 0.0 for item in results.found), reverse=True
    )
    assert set(server.keys) == {"Bearer secret"}
    assert max(len(asked.get("texts", asked.get("documents", []))) for asked in server.asked) == 2
    assert all(asked["query"] == query for asked in server.asked)
    # Other orders are asked for by name, and a phrase is exact already.
    asked = len(server.asked)
    await search(world, http).run(me, Wanted("the budget", mode="phrase"))
    await search(world, http).run(me, Wanted("the budget", sort_by="date"))
    assert len(server.asked) == asked
    await http.close()


async def test_only_the_best_are_judged_and_a_group_is_its_best_one(world: World, server: RerankServer) -> None:
    world.chunk_tokens = 20
    me = await world.user()
    collection = await world.collection(me)
    await world.recording(collection, TALK)
    await world.recording(collection, TALK)
    http = HttpReranker(f"{server.url}/tei", dialect="tei")
    results = await search(world, http, top=2).run(me, Wanted("money for chairs"))
    assert len(server.asked[-1]["texts"]) == 2
    assert [item.ranked.chunk.rerank is not None for item in results.found] == [True, True, *[False] * 4]
    grouped = await search(world, http).run(me, Wanted("money for chairs", one_per_asset=True))
    assert len(grouped.found) == 2
    assert all(item.passage.content.startswith("Nobody knows") for item in grouped.found)
    await http.close()


async def test_a_later_page_is_not_judged_again(world: World, server: RerankServer) -> None:
    world.chunk_tokens = 20
    me = await world.user()
    await world.recording(await world.collection(me), TALK)
    http = HttpReranker(f"{server.url}/tei", dialect="tei")
    whole = (await search(world, http).run(me, Wanted("money for chairs", paged=True))).found
    pages = (await search(world, http).run(me, Wanted("money for chairs", limit=2, paged=True))).found
    asked = len(server.asked)
    pages += (await search(world, http).run(me, Wanted("money for chairs", limit=2, offset=2, paged=True))).found
    assert len(server.asked) == asked
    assert [item.passage.number for item in pages] == [item.passage.number for item in whole]
    await http.close()


@pytest.mark.parametrize(
    "trouble",
    [
        Response(status_code=500),
        Response(content=b"<html>"),
        JSONResponse([]),
        JSONResponse([{"index": 0, "score": 0.5}, {"index": 0, "score": 0.5}, {"index": 7, "score": 0.5}]),
    ],
)
async def test_a_search_is_a_search_without_its_reranker(world: World, server: RerankServer, trouble: Response) -> None:
    world.chunk_tokens = 20
    me = await world.user()
    await world.recording(await world.collection(me), TALK)
    http = HttpReranker(f"{server.url}/tei", dialect="tei")
    plain = [item.passage.number for item in (await world.find(me, "money for chairs")).found]
    server.troubles = [trouble]
    found = (await search(world, http).run(me, Wanted("money for chairs"))).found
    assert (len(server.asked), [item.passage.number for item in found]) == (1, plain)
    await http.close()
    gone = HttpReranker("http://127.0.0.1:9/rerank")
    found = (await search(world, gone).run(me, Wanted("money for chairs"))).found
    assert [item.passage.number for item in found] == plain
    await gone.close()


def write_cross_encoder(folder: Path) -> None:
    """One logit: how often the word ``money`` stands in the pair, minus how many tokens there are in all, a tenth."""
    vocabulary = {"[PAD]": 0, "[CLS]": 1, "[SEP]": 2, "[UNK]": 3, "money": 4, "chairs": 5}
    tokenizer: Any = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    helper = onnx.helper
    inputs = [
        helper.make_tensor_value_info(name, onnx.TensorProto.INT64, ["batch", "tokens"])
        for name in ("input_ids", "attention_mask")
    ]
    weights = np.full((6, 1), -0.1, np.float32)
    weights[0], weights[4] = 0.0, 1.0
    nodes = [
        helper.make_node("Gather", ["weights", "input_ids"], ["each"]),
        helper.make_node("Cast", ["attention_mask"], ["seen"], to=onnx.TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["seen", "last"], ["column"]),
        helper.make_node("Mul", ["each", "column"], ["kept"]),
        helper.make_node("ReduceSum", ["kept", "middle"], ["logits"], keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        "pair",
        inputs,
        [helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, ["batch", 1])],
        [
            onnx.numpy_helper.from_array(weights, "weights"),
            onnx.numpy_helper.from_array(np.array([2], np.int64), "last"),
            onnx.numpy_helper.from_array(np.array([1], np.int64), "middle"),
        ],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(made, str(folder / "model.onnx"))


async def test_a_cross_encoder_from_a_directory(tmp_path: Path, world: World) -> None:
    write_cross_encoder(tmp_path)
    local = OnnxReranker(tmp_path, threads=1)
    texts = ["ships wait", "money money", "money and a great many other words in one passage"] * 7
    scores = await local.scores("how much", texts)
    assert len(scores) == 21
    assert np.allclose(scores[:3], scores[3:6])
    assert np.allclose(scores[1], 1 / (1 + np.exp(-(2 - 0.5))))
    assert scores[1] > scores[2] > 0
    assert scores[1] > scores[0]
    assert await asyncio.gather(local.scores("a", ["money"]), local.scores("a", ["b"]))
    world.chunk_tokens = 20
    me = await world.user()
    await world.recording(await world.collection(me), TALK)
    judging = search(world, local)
    found = (await judging.run(me, Wanted("budget"))).found
    assert "money" in found[0].passage.content
    await judging.reranking.close()
    await Reranking().close()


async def test_a_directory_without_a_model_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(TryAgain) as raised:
        await OnnxReranker(tmp_path).scores("a", ["b"])
    assert "EMBEDDER_RERANK" in raised.value.advice


def test_settings_choose_the_reranker_and_refuse_half_a_choice(tmp_path: Path) -> None:
    url = {"database_url": "postgresql://x", "rerank_url": "http://127.0.0.1:1/rerank"}
    assert reranker(EmbedderSettings(database_url="postgresql://x")) is None
    assert isinstance(reranker(EmbedderSettings(**url, rerank="cohere")), HttpReranker)  # type: ignore[arg-type]
    assert isinstance(reranker(EmbedderSettings(**url, rerank="onnx", rerank_dir=tmp_path)), OnnxReranker)  # type: ignore[arg-type]
    for wrong in ({"rerank": "tei"}, {"rerank": "onnx"}, {"rerank": "tei", "rerank_url": "ftp://x"}):
        with pytest.raises(ValueError, match="EMBEDDER_RERANK_"):
            EmbedderSettings(database_url="postgresql://x", **wrong)  # type: ignore[arg-type]
