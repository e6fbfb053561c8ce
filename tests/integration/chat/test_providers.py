"""One suite for every provider with a model: the real SDK against a server that speaks its wire protocol."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

import pytest
from chat.domain.attachments import read_attachment
from chat.domain.evidence import Meaning, weigh
from chat.domain.history import Turn
from chat.domain.prompt import build_prompt
from chat.domain.question import read_question
from chat.providers.anthropic import Anthropic
from chat.providers.catalogue import Profile
from chat.providers.model import AnswerModel, Done, Event, Failed, Request, Text, Usage
from chat.providers.openai import OpenAi
from pydantic import SecretStr

from tests.integration.chat import wire
from tests.integration.chat.wire import Call, Provider, Serve
from tests.unit.chat.files import PDF, PNG
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
    error_in_stream: str
    length: str
    refusal: str


OPENAI = Protocol(
    make=lambda url, wait: OpenAi(
        "secret-key", Profile(title="One", speaks="openai", base_url=f"{url}/v1"), wait_seconds=wait, retries=1
    ),
    path="/v1/chat/completions",
    says=wire.openai_says,
    begin=lambda: wire.openai_chunk(role=True),
    piece=wire.openai_chunk,
    error_body={"error": {"message": "No such thing.", "type": "invalid_request_error", "param": None, "code": None}},
    error_event='data: {"error": {"message": "The engine fell over.", "type": "server_error", "code": null}}\n\n',
    error_in_stream="provider_error",
    length="length",
    refusal="content_filter",
)
ANTHROPIC = Protocol(
    make=lambda url, wait: Anthropic(
        "secret-key", Profile(title="Other", speaks="anthropic", base_url=url), wait_seconds=wait, retries=1
    ),
    path="/v1/messages",
    says=wire.anthropic_says,
    begin=wire.anthropic_begins,
    piece=wire.anthropic_text,
    error_body={"type": "error", "error": {"type": "invalid_request_error", "message": "No such thing."}},
    error_event=wire.anthropic_event("error", error={"type": "overloaded_error", "message": "The engine fell over."}),
    error_in_stream="provider_busy",
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
    candidates = weigh(question, [talk], Meaning())
    return Request(question, [talk], candidates, prompt, "test-model", max_tokens=500)


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


async def test_a_busy_provider_is_asked_again(protocol: Protocol, provider: Provider, model: AnswerModel) -> None:
    async def serve(call: Call) -> None:
        if len(provider.calls) == 1:
            head = "HTTP/1.1 429 Too Many Requests\r\nRetry-After-Ms: 5\r\nContent-Length: 2\r\nConnection: close"
            await call.raw(f"{head}\r\n\r\n{{}}".encode())
        else:
            await protocol.says("Yes.")(call)

    provider.serve = serve
    assert text_of(await events(model)) == "Yes."
    assert len(provider.calls) == 2


async def test_the_askers_own_key_is_used_for_this_request_alone(
    protocol: Protocol, provider: Provider, model: AnswerModel
) -> None:
    provider.serve = protocol.says("Yes.")
    own = replace(request(), key=SecretStr("my-own-key"))
    assert "my-own-key" not in repr(own)
    async with aclosing(model.answer(own)) as stream:
        assert [event async for event in stream][-1] == Done("stop")
    await events(model)
    assert [call.key for call in provider.calls] == ["my-own-key", "secret-key"]


async def test_rules_and_a_conversations_passages_are_cached(provider: Provider) -> None:
    model = ANTHROPIC.make(provider.url, 5.0)
    provider.serve = wire.anthropic_says("Yes.")
    await events(model)
    asked = request()
    goes_on = build_prompt("And then?", asked.passages, [Turn("user", "When do they move?")])
    async with aclosing(model.answer(replace(asked, prompt=goes_on))) as stream:
        assert [event async for event in stream][-1] == Done("stop")
    await model.close()
    for call, cached in zip(provider.calls, (False, True), strict=True):
        assert call.body["system"][0]["cache_control"] == {"type": "ephemeral"}
        material, question = call.body["messages"][0]["content"]
        assert ("cache_control" in material, "cache_control" in question) == (cached, False)
        assert material["text"].startswith("<passages>")


async def test_attachments_reach_the_model_byte_for_byte(
    protocol: Protocol, provider: Provider, model: AnswerModel
) -> None:
    provider.serve = protocol.says("A dot.")
    files = [read_attachment("dot.png", None, PNG), read_attachment("plan.pdf", None, PDF)]
    asked = request()
    prompt = build_prompt("What is it?", asked.passages, attachments=files)
    async with aclosing(model.answer(replace(asked, prompt=prompt))) as stream:
        assert [event async for event in stream][-1] == Done("stop")
    (call,) = provider.calls
    material, image, document, question = call.body["messages"][-1]["content"]
    assert (material["type"], question) == ("text", {"type": "text", "text": prompt.asked})
    assert material["text"] == prompt.material
    png, pdf = b64encode(PNG).decode(), b64encode(PDF).decode()
    if protocol is OPENAI:
        assert image == {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{png}"}}
        inner = {"filename": "plan.pdf", "file_data": f"data:application/pdf;base64,{pdf}"}
        assert document == {"type": "file", "file": inner}
    else:
        assert image == {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": png}}
        source = {"type": "base64", "media_type": "application/pdf", "data": pdf}
        assert document == {"type": "document", "source": source, "title": "plan.pdf"}


async def test_quirks_are_data(provider: Provider) -> None:
    quirks = {"limit_name": "max_completion_tokens", "system_role": "user", "counts_tokens": False}
    profile = Profile.model_validate(
        {"title": "Odd", "speaks": "openai", "base_url": provider.url, "headers": {"X-Title": "Earshot"}} | quirks
    )
    model = OpenAi("", profile, wait_seconds=5.0)
    provider.serve = wire.openai_says("Yes.")
    await events(model)
    await model.close()
    (call,) = provider.calls
    (message,) = call.body["messages"]
    assert message["content"].startswith(request().prompt.system)
    assert (call.body["max_completion_tokens"], call.headers["x-title"]) == (500, "Earshot")
    assert not {"max_tokens", "stream_options", "tools"} & set(call.body)


async def test_tokens_read_from_a_cache_are_told(provider: Provider) -> None:
    async def serve(call: Call) -> None:
        usage = {"prompt_tokens_details": {"cached_tokens": 100}} | wire.OPENAI_USAGE
        await call.begin_stream()
        await call.send(wire.openai_chunk("Yes.", finish="stop") + wire.openai_chunk(usage=usage) + "data: [DONE]\n\n")
        await call.end_stream()

    provider.serve = serve
    model = OPENAI.make(provider.url, 5.0)
    assert Usage(120, 9, 100) in await events(model)
    await model.close()


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
    assert (found[-1].error_type, found[-1].in_stream) == (protocol.error_in_stream, True)
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
    event = await anext(stream)
    while isinstance(event, Usage):
        event = await anext(stream)
    assert event == Text("They move")
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
