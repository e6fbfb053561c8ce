"""Lines are compared through the embedder's OpenAI-shaped route; without it, by their words."""

import math
from collections.abc import AsyncGenerator

import httpx
import openai
import pytest
from chat.domain.evidence import Meaning
from chat.providers.likeness import Likeness
from common.identity import SERVICE_HEADER, Signer

from tests.integration.chat.house import House

TEXTS = ["the burglars stole a computer", "somebody broke in and took a machine", "the soup is too salty"]


@pytest.fixture
async def client(house: House) -> AsyncGenerator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=house.embedder_url, timeout=60) as opened:
        yield opened


async def test_what_means_nearly_the_same_is_near(house: House, client: httpx.AsyncClient) -> None:
    meaning = await Likeness(client, Signer("chat", house.keys.private["chat"])).meaning(TEXTS)
    near, far = meaning.likeness(TEXTS[0], TEXTS[1]), meaning.likeness(TEXTS[0], TEXTS[2])
    assert near is not None
    assert far is not None
    assert near > far + 0.2
    assert math.isclose(meaning.likeness(TEXTS[0], TEXTS[0]) or 0, 1, abs_tol=1e-5)
    assert meaning.likeness(TEXTS[0], "never seen") is None


async def test_without_the_embedder_there_is_no_meaning(house: House, client: httpx.AsyncClient) -> None:
    forged = Likeness(client, Signer("chat", house.keys.private["gateway"]))
    assert await forged.meaning(TEXTS) == Meaning()
    async with httpx.AsyncClient(base_url="http://127.0.0.1:9") as nobody:
        away = Likeness(nobody, Signer("chat", house.keys.private["chat"]))
        assert await away.meaning(TEXTS) == Meaning()


async def test_openai_s_own_client_is_served(house: House) -> None:
    headers = house.as_user(await house.world.user())
    client = openai.AsyncOpenAI(api_key="none", base_url=f"{house.embedder_url}/v1", default_headers=headers)
    compact = await client.embeddings.create(model="default", input=TEXTS)
    plain = await client.embeddings.create(model="all-MiniLM-L6-v2", input=TEXTS[0], encoding_format="float")
    assert [item.index for item in compact.data] == [0, 1, 2]
    assert len(plain.data[0].embedding) == 384
    assert compact.data[0].embedding == pytest.approx(plain.data[0].embedding, abs=1e-5)
    assert compact.usage.total_tokens > 10
    with pytest.raises(openai.NotFoundError):
        await client.embeddings.create(model="another", input="x")
    await client.close()


async def test_who_is_nobody_gets_nothing(client: httpx.AsyncClient) -> None:
    body = {"input": "x", "model": "default"}
    assert (await client.post("/v1/embeddings", json=body)).status_code == 401
    assert (await client.post("/v1/embeddings", json=body, headers={SERVICE_HEADER: "x"})).status_code == 401


@pytest.mark.parametrize("body", [{"input": ""}, {"input": []}, {"input": ["a", ""]}, {"input": ["x"] * 2049}, {}])
async def test_empty_or_endless_input_is_422(house: House, client: httpx.AsyncClient, body: dict[str, object]) -> None:
    headers = {SERVICE_HEADER: Signer("chat", house.keys.private["chat"]).service_token()}
    assert (await client.post("/v1/embeddings", json=body, headers=headers)).status_code == 422
