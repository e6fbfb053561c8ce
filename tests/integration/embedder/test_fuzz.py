"""Whatever is asked, search answers a page or says what is wrong: never a failure of its own."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any
from uuid import uuid4

import httpx
import pytest
from common.identity import IDENTITY_HEADER, Caller, Signer, new_key_pair
from embedder.main import build
from embedder.settings import EmbedderSettings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import Databases
from tests.integration.embedder.world import World

PRIVATE, PUBLIC = new_key_pair()
TALK = [
    ("Anna", "Good morning everybody. The café 🙂 on the pier has a budget of 12,500 dollars."),
    ("Ben", "東京都 is far away, and e-mails don’t help; that's what the board said."),
]
WORDS = "budget bugdet the \" “ ” ' \\ & | ! :* <-> % 東京 é 12,500 - 🙂 example.org/x \u200d \u202e ﬁ Å \u0301"
PIECES = st.sampled_from([*WORDS.split(), "\0", " ", "a" * 70])
QUERIES = st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=12).map(" ".join), st.lists(PIECES).map("".join))
VALUES = st.one_of(st.text(max_size=20), st.integers(-(10**20), 10**20).map(str), st.sampled_from(["nan", "inf", ""]))
OTHERS = {
    "mode": st.sampled_from(["hybrid", "lexical", "semantic", "phrase", "magic"]),
    "collection_id": st.one_of(VALUES, st.just(str(uuid4()))),
    "asset_id": st.one_of(VALUES, st.just(str(uuid4()))),
    "kind": st.sampled_from(["recording", "document", "film"]),
    "speaker": st.one_of(VALUES, st.just("Anna")),
    "language": st.one_of(VALUES, st.just("en-GB")),
    "tag": VALUES,
    "status": st.sampled_from(["ready", "processing", "gone"]),
    "quality": st.sampled_from(["fast", "balanced", "best", "x"]),
    "recorded_after": st.one_of(VALUES, st.sampled_from(["2026-01-01", "0001-01-01T00:00:00+14:00", "9999-12-31"])),
    "recorded_before": st.one_of(VALUES, st.sampled_from(["2026-01-01T00:00:00Z", "0001-01-01"])),
    "min_duration_seconds": VALUES,
    "max_duration_seconds": VALUES,
    "sort_by": st.sampled_from(["relevance", "date", "title", "size"]),
    "sort_dir": st.sampled_from(["asc", "desc", "up"]),
    "group_by": st.sampled_from(["asset", "day"]),
    "limit": st.one_of(VALUES, st.integers(1, 5).map(str)),
    "offset": st.one_of(VALUES, st.integers(0, 5).map(str)),
    "colour": VALUES,
}
# Few of them at a time, else everything is wrong at once and only the first is ever reached.
PARAMS = st.lists(st.sampled_from(sorted(OTHERS)), max_size=3, unique=True).flatmap(
    lambda names: st.fixed_dictionaries({name: OTHERS[name] for name in names})
)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(-9, 9) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


FEW = settings(
    max_examples=120, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
Send = Callable[..., Awaitable[httpx.Response]]


@pytest.fixture
async def send(fresh_database: Databases, store_url: str, world: World) -> AsyncGenerator[Send]:
    """As somebody with a recording to find."""
    me = await world.user()
    await world.recording(await world.collection(me), TALK, title="The pier")
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
    headers = {IDENTITY_HEADER: Signer("gateway", PRIVATE).user_token(Caller(me))}
    transport = httpx.ASGITransport(service.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://embedder", headers=headers) as client:
        yield client.request
    await service.stop()


def check(answer: httpx.Response) -> dict[str, Any]:
    body = answer.json()
    assert answer.status_code in (200, 404, 422), answer.text
    if answer.status_code != 200:
        assert body["detail"]
        assert body["error_type"] in ("validation_error", "not_found", "model_not_found")
    return body


@FEW
@given(q=QUERIES, others=PARAMS)
async def test_search(send: Send, q: str, others: dict[str, str]) -> None:
    answer = await send("GET", "/api/search", params={"q": q, **others})
    body = check(answer)
    if "colour" in others:
        assert answer.status_code == 422
    for item in body.get("items", []):
        assert 0 <= item["score"] <= 1
        assert all(0 <= start < end <= len(item["text"]) for start, end in item["highlights"])
        assert item["locator"]["start_seconds"] <= item["locator"]["end_seconds"]


@FEW
@given(q=QUERIES, filters=st.one_of(JSON, st.fixed_dictionaries({"speaker": VALUES})), top_k=st.integers(-2, 3))
async def test_retrieval(send: Send, q: str, filters: Any, top_k: int) -> None:
    check(await send("POST", "/api/retrieval/query", json={"query": q, "top_k": top_k, "filters": filters}))


@FEW
@given(body=st.one_of(JSON, st.fixed_dictionaries({"input": JSON})))
async def test_embeddings(send: Send, body: Any) -> None:
    body = check(await send("POST", "/v1/embeddings", json=body))
    assert ("data" in body) != ("error" in body)
