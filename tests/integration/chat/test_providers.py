"""One suite for every provider with a model: the real SDK against a server that speaks its wire protocol."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import pytest
from chat.domain.evidence import Meaning, weigh
from chat.domain.prompt import build_prompt
from chat.domain.question import read_question
from chat.providers.anthropic import Anthropic
from chat.providers.model import AnswerModel, Done, Event, Failed, Request, Text, Usage
from chat.providers.openai import OpenAi

from tests.integration.chat import wire
from tests.integration.chat.wire import Call, Provider, Serve
from tests.unit.chat.passages import passage


@dataclass(frozen=True)
class Protocol:
    """How one provider is made, and how its server speaks."""

    make: Callable[[str, float], Any]
    path: str
    says: Callable[..., Serve]
    begin: Callable[[], str]
    piece: Callable[[str], str]
    error_body: dict[str, Any]
    error_event: str
    length: str
    refusal: str


OPENAI = Protocol(
    make=lambda url, wait: OpenAi("secret-key", f"{url}/v1", max_tokens=500, wait_seconds=wait),
    path="/v1/chat/completions",
    says=wire.openai_says,
    begin=lambda: wire.openai_chunk(role=True),
    piece=wire.openai_chunk,
    error_body={"error": {"message": "No such thing.", "type": "invalid_request_error", "param": None, "code": None}},
    error_event='data: {"error": {"message": "The engine fell over.", "type": "server_error", "code": null}}\n\n',
    length="length",
    refusal="content_filter",
)
ANTHROPIC = Protocol(
    make=lambda url, wait: Anthropic("secret-key", url, max_tokens=500, wait_seconds=wait),
    path="/v1/messages",
    says=wire.anthropic_says,
    begin=wire.anthropic_begins,
    piece=wire.anthropic_text,
    error_body={"type": "error", "error": {"type": "invalid_request_error", "message": "No such thing."}},
    error_event=wire.anthropic_event("error", error={"type": "overloaded_error", "message": "The engine fell over."}),
    length="max_tokens",
    refusal="refusal",
)


@pytest.fixture(params=[OPENAI, ANTHROPIC], ids=["openai", "anthropic"])
def protocol(request: pytest.FixtureRequest) -> Protocol:
    return request.param


@pytest.fixture
async def provider() -> AsyncGenerator[Provider]:
    async with wire.listening() as listening:
        yield listening


@pytest.fixture
async def model(protocol: Protocol, provider: Provider) -> AsyncGenerator[AnswerModel]:
    made = protocol.make(provider.url, 5.0)
    yield made
    await made.close()


def request() -> Request:
    talk = passage(["the bank has agreed to lend us money", "we move in september"])
    question = read_question("When do they move?")
    prompt = build_prompt(question.text, [talk])
    return Request(question, [talk], weigh(question, [talk], Meaning()), prompt, "test-model")


async def events(model: AnswerModel) -> list[Event]:
    async with aclosing(model.answer(request())) as stream:
        return [event async for event in stream]


def text_of(found: list[Event]) -> str:
    return "".join(event.text for event in found if isinstance(event, Text))


async def test_text_usage_done(protocol: Protocol, provider: Provider, model: AnswerModel) -> None:
    provider.serve = protocol.says("They move", " in Septem", "ber [1].")
    found = await events(model)
    assert text_of(found) == "They move in September [1]."
    assert Usage(120, 9) in found
    assert found[-1] == Done("stop")


async def test_what_is_asked(protocol: Protocol, provider: Provider, model: AnswerModel) -> None:
    provider.serve = protocol.says("Yes.")
    await events(model)
    (call,) = provider.calls
    assert call.path == protocol.path
    assert "secret-key" in call.headers.get("authorization", "") + call.headers.get("x-api-key", "")
    assert (call.body["model"], call.body["stream"], call.body["max_tokens"]) == ("test-model", True, 500)
    sent = str(call.body)
    assert "When do they move?" in sent
    assert "we move in september" in sent


async def test_chunks_cut_anywhere(protocol: Protocol, provider: Provider, model: AnswerModel) -> None:
    async def serve(call: Call) -> None:
        await call.begin_stream()
        whole = protocol.begin() + protocol.piece("Zwölf Bürger ") + protocol.piece("zögen um.")
        for i in range(0, len(whole), 7):
            await call.send(whole[i : i + 7])
        end = wire.openai_chunk(finish="stop") if protocol is OPENAI else wire.anthropic_ends()
        await call.send(end)
        await call.end_stream()

    provider.serve = serve
    found = await events(model)
    assert text_of(found) == "Zwölf Bürger zögen um."
    assert found[-1] == Done("stop")


@pytest.mark.parametrize("which", ["length", "refusal"])
async def test_other_ends(protocol: Protocol, provider: Provider, model: AnswerModel, which: Any) -> None:
    provider.serve = protocol.says("They", finish=getattr(protocol, which))
    assert (await events(model))[-1] == Done(which)


@pytest.mark.parametrize(
    ("status", "error_type"),
    [
        ("400 Bad Request", "provider_refused"),
        ("401 Unauthorized", "provider_refused"),
        ("404 Not Found", "provider_refused"),
        ("429 Too Many Requests", "provider_busy"),
        ("500 Internal Server Error", "provider_error"),
    ],
)
async def test_an_error_instead_of_an_answer(
    protocol: Protocol, provider: Provider, model: AnswerModel, status: str, error_type: str
) -> None:
    async def serve(call: Call) -> None:
        await call.answer(status, protocol.error_body)

    provider.serve = serve
    (failed,) = await events(model)
    assert isinstance(failed, Failed)
    assert failed.error_type == error_type
    assert "No such thing." in failed.message
    assert "secret-key" not in failed.message


async def test_an_error_inside_the_stream(protocol: Protocol, provider: Provider, model: AnswerModel) -> None:
    async def serve(call: Call) -> None:
        await call.begin_stream()
        await call.send(protocol.begin() + protocol.piece("They move") + protocol.error_event)
        await call.end_stream()

    provider.serve = serve
    found = await events(model)
    assert text_of(found) == "They move"
    assert isinstance(found[-1], Failed)
    assert found[-1].error_type == "provider_error"
    assert "The engine fell over." in found[-1].message


async def test_a_connection_cut_in_the_middle(protocol: Protocol, provider: Provider, model: AnswerModel) -> None:
    async def serve(call: Call) -> None:
        await call.begin_stream()
        await call.send(protocol.begin() + protocol.piece("They move"))
        # The client must have read what was sent, or the reset takes it along.
        await asyncio.sleep(0.1)
        await call.cut()

    provider.serve = serve
    found = await events(model)
    assert text_of(found) == "They move"
    assert isinstance(found[-1], Failed)
    assert found[-1].error_type == "provider_unreachable"


async def test_a_stream_that_ends_too_early(protocol: Protocol, provider: Provider, model: AnswerModel) -> None:
    async def serve(call: Call) -> None:
        await call.begin_stream()
        await call.send(protocol.begin() + protocol.piece("They move"))
        await call.end_stream()

    provider.serve = serve
    found = await events(model)
    assert isinstance(found[-1], Failed)
    assert found[-1].error_type == "provider_unreachable"


async def test_a_server_that_stalls(protocol: Protocol, provider: Provider) -> None:
    async def serve(call: Call) -> None:
        await call.begin_stream()
        await call.send(protocol.begin() + protocol.piece("They move"))
        await call.until_hung_up()

    provider.serve = serve
    model = protocol.make(provider.url, 0.5)
    found = await events(model)
    assert text_of(found) == "They move"
    assert isinstance(found[-1], Failed)
    assert found[-1].error_type in ("provider_timeout", "provider_unreachable")
    await model.close()


async def test_nobody_listens(protocol: Protocol, provider: Provider) -> None:
    model = protocol.make("http://127.0.0.1:9", 1.0)
    (failed,) = await events(model)
    assert isinstance(failed, Failed)
    assert failed.error_type == "provider_unreachable"
    await model.close()


async def test_closing_the_answer_hangs_up(protocol: Protocol, provider: Provider, model: AnswerModel) -> None:
    async def serve(call: Call) -> None:
        await call.begin_stream()
        await call.send(protocol.begin() + protocol.piece("They move"))
        await call.until_hung_up()

    provider.serve = serve
    stream = model.answer(request())
    assert await anext(stream) == Text("They move")
    await stream.aclose()
    async with asyncio.timeout(10):
        await provider.calls[0].until_hung_up()


async def test_the_window_is_what_the_server_says_or_unknown(
    protocol: Protocol, model: Any, provider: Provider
) -> None:
    openais = {"id": "m", "object": "model", "created": 1, "owned_by": "me", "max_model_len": 4096}
    anthropics = {"id": "m", "type": "model", "display_name": "M", "created_at": "2026-01-01T00:00:00Z"}
    known = openais if protocol is OPENAI else anthropics | {"max_input_tokens": 4096}

    async def tells(call: Call) -> None:
        assert call.path.startswith("/v1/models/m")
        await call.answer("200 OK", known)

    async def refuses(call: Call) -> None:
        await call.answer("404 Not Found", protocol.error_body)

    provider.serve = tells
    assert await model.window_tokens("m") == 4096
    provider.serve = refuses
    assert await model.window_tokens("m") is None
