"""Chat completions by OpenAI's official client, unmodified, from the extractive writer and from a model."""

from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Any

import openai
import pytest
from chat.completion_form import CompletionRequest
from common.errors import ApiError
from common.ids import uuid7
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionMessageParam
from pydantic import ValidationError

from tests.conftest import Databases
from tests.integration.chat import wire
from tests.integration.chat.conftest import Meeting, record_meeting
from tests.integration.chat.house import House, open_house

QUESTION = "When is the contract due?"
SAID = "please send me the contract before the end of november"
MESSAGES: list[ChatCompletionMessageParam] = [{"role": "user", "content": QUESTION}]


def client_of(house: House, meeting: Meeting) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(
        api_key="the gateway has seen it",
        base_url=f"{house.http.base_url}/v1",
        default_headers=house.as_user(meeting.user_id),
        max_retries=0,
    )


@pytest.fixture
async def client(house: House, meeting: Meeting) -> AsyncGenerator[openai.AsyncOpenAI]:
    async with client_of(house, meeting) as made:
        yield made


async def test_an_answer_with_its_citations(house: House, meeting: Meeting, client: openai.AsyncOpenAI) -> None:
    done = await client.chat.completions.create(model="earshot", messages=MESSAGES, temperature=0.2, seed=7)
    assert (done.object, done.model, len(done.choices)) == ("chat.completion", "earshot", 1)
    choice = done.choices[0]
    assert (choice.finish_reason, choice.message.role) == ("stop", "assistant")
    assert f"“{SAID}” [1]" in (choice.message.content or "")
    ours: dict[str, Any] = (done.model_extra or {})["earshot"]
    assert (ours["answered"], ours["model"], ours["citations"][0]["quote"]) == (True, "extractive", SAID)
    kept = await house.http.get(f"/api/answers/{ours['answer_id']}", headers=house.as_user(meeting.user_id))
    assert kept.json()["citations"] == ours["citations"]
    assert abs(done.created - kept_at(kept.json())) <= 2


def kept_at(answer: dict[str, Any]) -> float:
    return datetime.fromisoformat(answer["created_at"]).timestamp()


async def test_streamed_it_is_the_same(client: openai.AsyncOpenAI) -> None:
    whole = await client.chat.completions.create(model="earshot", messages=MESSAGES)
    stream = await client.chat.completions.create(
        model="earshot", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]
    assert len({chunk.id for chunk in chunks}) == 1
    assert chunks[0].choices[0].delta.role == "assistant"
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert text == whole.choices[0].message.content
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    cited = (chunks[-2].model_extra or {})["earshot"]["citations"]
    assert [one["quote"] for one in cited] == [
        one["quote"] for one in (whole.model_extra or {})["earshot"]["citations"]
    ]


async def test_what_the_library_does_not_hold_is_said(client: openai.AsyncOpenAI) -> None:
    asked: list[ChatCompletionMessageParam] = [
        {"role": "user", "content": "What did they decide about the coffee machine?"}
    ]
    done = await client.chat.completions.create(model="earshot", messages=asked)
    text, ours = done.choices[0].message.content or "", (done.model_extra or {})["earshot"]
    assert text == ours["reason"]
    assert "does not seem to hold the answer" in text
    assert (ours["answered"], ours["citations"]) == (False, [])
    assert ours["nearest"]
    chunks = [
        chunk async for chunk in await client.chat.completions.create(model="earshot", messages=asked, stream=True)
    ]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == text
    assert (chunks[-1].model_extra or {})["earshot"]["answered"] is False


async def test_a_question_that_leans_is_answered_from_the_conversation(client: openai.AsyncOpenAI) -> None:
    follow: list[ChatCompletionMessageParam] = [
        {"role": "user", "content": "Tell me about the contract."},
        {"role": "assistant", "content": "It is to be sent to Anna."},
        {"role": "user", "content": [{"type": "text", "text": "When is it due?"}]},
    ]
    alone = await client.chat.completions.create(model="earshot", messages=follow[-1:])
    assert SAID not in (alone.choices[0].message.content or "")
    done = await client.chat.completions.create(model="earshot", messages=follow)
    assert SAID in (done.choices[0].message.content or "")


async def test_the_scope_narrows(house: House, meeting: Meeting, client: openai.AsyncOpenAI) -> None:
    other = await house.world.collection(meeting.user_id)
    for scope, answered in (
        ({"collection_id": str(meeting.collection_id)}, True),
        ({"collection_id": str(other)}, False),
        ({"asset_ids": [str(meeting.asset_id)], "top_k": 3}, True),
        ({"asset_ids": [str(uuid7())]}, False),
    ):
        done = await client.chat.completions.create(model="earshot", messages=MESSAGES, extra_body=scope)
        assert (done.model_extra or {})["earshot"]["answered"] is answered, scope
    with pytest.raises(openai.NotFoundError):
        await client.chat.completions.create(
            model="earshot", messages=MESSAGES, extra_body={"collection_id": str(uuid7())}
        )


async def test_models_are_listed_and_unknown_ones_refused(client: openai.AsyncOpenAI) -> None:
    listed = await client.models.list()
    assert [model.id for model in listed.data] == ["earshot", "extractive"]
    assert (await client.models.retrieve("extractive")).id == "extractive"
    with pytest.raises(openai.NotFoundError) as unknown:
        await client.chat.completions.create(model="gpt-9", messages=MESSAGES)
    assert (unknown.value.code, unknown.value.param) == ("model_not_found", "model")
    with pytest.raises(openai.NotFoundError):
        await client.models.retrieve("some/other")


SENSELESS: list[tuple[str, dict[str, Any]]] = [
    ("messages", {"messages": [{"role": "assistant", "content": "I ask"}]}),
    ("messages", {"messages": [{"role": "user", "content": "   "}]}),
    ("messages", {"messages": [{"role": "user", "content": None}]}),
    ("messages", {"messages": [{"role": "user", "content": "x" * 4001}]}),
    ("messages", {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]}),
    ("n", {"n": 2}),
    ("tool_choice", {"tool_choice": "required"}),
    ("response_format", {"response_format": {"type": "json_object"}}),
    ("top_k", {"top_k": 0}),
    ("asset_ids", {"asset_ids": []}),
]


async def test_what_makes_no_sense_is_refused_by_name(client: openai.AsyncOpenAI) -> None:
    for param, fields in SENSELESS:
        body: dict[str, Any] = {"messages": MESSAGES} | fields
        with pytest.raises(openai.BadRequestError) as refused:
            await client.chat.completions.create(model="earshot", messages=body.pop("messages"), extra_body=body)
        assert (refused.value.param, refused.value.type) == (param, "invalid_request_error"), fields


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["type", "text", "x"]), inner),
    max_leaves=5,
)


message = st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant", "system", "tool"]), "content": anything})
some_fields = st.sampled_from(["n", "tool_choice", "response_format", "top_k", "asset_ids", "stream"])


@given(st.lists(message, min_size=1, max_size=4), st.dictionaries(some_fields, anything))
def test_any_body_is_a_question_or_a_clear_refusal(messages: list[Any], fields: dict[str, Any]) -> None:
    refusal: ApiError | None = None
    try:
        asked, history, wishes = CompletionRequest.model_validate({"messages": messages, **fields}).question()
    except ValidationError:
        # The service answers it with 422.
        return
    except ApiError as error:
        refusal = error
    else:
        assert asked.question
        assert all(turn.text for turn in history)
        assert isinstance(wishes, str)
    assert refusal is None or (refusal.status_code == 400 and refusal.errors)


async def test_a_model_is_shown_the_conversation_and_the_wishes(fresh_database: Databases, store_url: str) -> None:
    async with wire.listening() as provider:
        settings: dict[str, Any] = {
            "openai_base_url": f"{provider.url}/v1",
            "openai_api_key": "secret-key",
            "model": "test-model",
        }
        provider.serve = wire.openai_says("Before the end of November [1].")
        async with open_house(fresh_database, store_url, provider="openai", **settings) as house:
            meeting = await record_meeting(house)
            async with client_of(house, meeting) as client:
                done = await client.chat.completions.create(
                    model="test-model",
                    messages=[
                        {"role": "system", "content": "Answer briefly."},
                        {"role": "user", "content": "Tell me about the contract."},
                        {"role": "assistant", "content": "It goes to Anna."},
                        {"role": "user", "content": "When is it due?"},
                    ],
                )
        (call,) = provider.calls
    system, user = (message["content"] for message in call.body["messages"])
    assert system.endswith("Answer briefly.")
    assert "user: Tell me about the contract.\nassistant: It goes to Anna." in user
    assert "<question>\nWhen is it due?" in user
    assert SAID in user
    assert done.usage is not None
    assert (done.usage.prompt_tokens, done.usage.total_tokens) == (120, 129)
    assert (done.model_extra or {})["earshot"]["model"] == "test-model"


async def test_an_error_in_mid_stream_is_raised_by_the_client(fresh_database: Databases, store_url: str) -> None:
    async with wire.listening() as provider:
        settings: dict[str, Any] = {
            "openai_base_url": f"{provider.url}/v1",
            "openai_api_key": "secret-key",
            "model": "test-model",
        }

        async def serve(call: wire.Call) -> None:
            await call.begin_stream()
            await call.send(wire.openai_chunk("Before the end"))

        provider.serve = serve
        async with open_house(fresh_database, store_url, provider="openai", **settings) as house:
            meeting = await record_meeting(house)
            async with client_of(house, meeting) as client:
                stream = await client.chat.completions.create(model="earshot", messages=MESSAGES, stream=True)
                with pytest.raises(openai.APIError):
                    async for _ in stream:
                        pass
