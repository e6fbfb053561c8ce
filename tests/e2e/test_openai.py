"""OpenAI's official clients, unmodified, through the gateway of a running Earshot."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam
from stack.testing import ThrowawayStack

from tests import node

TIMEOUT = 240


@pytest.fixture
def client(stack: ThrowawayStack) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key=stack.key, base_url=f"{stack.url}/v1", max_retries=0, timeout=TIMEOUT) as made:
        yield made


@pytest.fixture(scope="module")
def words(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first twelve seconds of it: what is asked here in seven forms is recognised seven times."""
    path = tmp_path_factory.mktemp("words") / "words.opus"
    subprocess.run(["ffmpeg", "-v", "error", "-i", clip, "-t", "12", "-c", "copy", path], check=True, timeout=60)
    return path


def test_python(client: openai.OpenAI, words: Path) -> None:
    ask = client.audio.transcriptions.create
    plain = ask(file=words, model="whisper-1")
    assert len(plain.text.split()) > 10
    assert ask(file=words, model="whisper-1", response_format="text") == f"{plain.text}\n"
    assert ask(file=words, model="whisper-1", response_format="srt").startswith("1\n00:00:0")
    assert ask(file=words, model="whisper-1", response_format="vtt").startswith("WEBVTT\n")
    verbose = ask(
        file=words, model="whisper-1", response_format="verbose_json", timestamp_granularities=["word", "segment"]
    )
    assert verbose.text == plain.text
    assert " ".join(word.word for word in verbose.words or []) == plain.text
    assert " ".join(segment.text for segment in verbose.segments or []) == plain.text
    diarized = ask(file=words, model="gpt-4o-transcribe-diarize", response_format="diarized_json")
    assert " ".join(segment.text for segment in diarized.segments) == plain.text
    with ask(file=words, model="gpt-4o-transcribe", stream=True) as stream:
        events = list(stream)
    assert "".join(event.delta for event in events if event.type == "transcript.text.delta") == plain.text
    assert events[-1].type == "transcript.text.done"


def test_refusals_of_door_and_service(stack: ThrowawayStack, client: openai.OpenAI, words: Path) -> None:
    ask = client.audio.transcriptions.create
    with pytest.raises(openai.NotFoundError) as unknown:
        ask(file=words, model="grandmother")
    assert (unknown.value.code, unknown.value.param) == ("model_not_found", "model")
    with pytest.raises(openai.BadRequestError) as bad:
        ask(file=("x.mp3", b"<!doctype html>"), model="whisper-1")
    assert (bad.value.code, bad.value.type) == ("not_media", "invalid_request_error")
    with pytest.raises(openai.APIStatusError) as large:
        ask(file=("x.wav", bytes(40_000_000)), model="whisper-1")
    assert (large.value.status_code, large.value.code) == (413, "too_large")
    stranger = client.with_options(api_key="ek_nobody")
    with pytest.raises(openai.AuthenticationError) as nobody:
        stranger.audio.transcriptions.create(file=words, model="whisper-1")
    assert nobody.value.code == "invalid_api_key"


def test_chat_through_the_door(client: openai.OpenAI) -> None:
    assert "earshot" in [model.id for model in client.models.list()]
    asked = client.chat.completions.create
    # Nothing that any test of this stack has recorded.
    messages: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Who painted the ceiling of the opera?"}]
    done = asked(model="earshot", messages=messages)
    ours = (done.model_extra or {})["earshot"]
    assert (ours["answered"], done.choices[0].message.content) == (False, ours["reason"])
    with asked(model="earshot", messages=messages, stream=True) as stream:
        text = "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
    assert text == ours["reason"]
    with pytest.raises(openai.NotFoundError) as unknown:
        asked(model="grandmother", messages=messages)
    assert (unknown.value.code, unknown.value.param) == ("model_not_found", "model")
    with pytest.raises(openai.BadRequestError) as refused:
        asked(model="earshot", messages=messages, n=3)
    assert refused.value.param == "n"


@node.needs("openai")
def test_npm(stack: ThrowawayStack, words: Path) -> None:
    done = node.run(Path(__file__).with_name("openai_client.mjs"), f"{stack.url}/v1", stack.key, words)
    found = json.loads(done.stdout)
    text = found["json"]["text"]
    assert len(text.split()) > 10
    assert found["text"] == f"{text}\n"
    assert found["srt"].startswith("1\n00:00:0")
    assert found["vtt"].startswith("WEBVTT\n")
    assert " ".join(word["word"] for word in found["verbose_json"]["words"]) == text
    assert " ".join(segment["text"] for segment in found["diarized_json"]["segments"]) == text
    deltas = [event["delta"] for event in found["events"] if event["type"] == "transcript.text.delta"]
    assert "".join(deltas) == text == found["events"][-1]["text"]
    assert found["refusal"] == {"name": "NotFoundError", "status": 404, "code": "model_not_found", "param": "model"}


def test_embeddings(client: openai.OpenAI) -> None:
    texts = ["The harbour will be dredged.", "東京 🙂"]
    packed = client.embeddings.create(input=texts, model="default")
    plain = client.embeddings.create(input=texts, model="default", encoding_format="float")
    for one, other in zip(packed.data, plain.data, strict=True):
        assert one.embedding == pytest.approx(other.embedding, abs=1e-6)
        assert sum(value * value for value in one.embedding) == pytest.approx(1, abs=1e-3)
    assert packed.usage.total_tokens > 5
    with pytest.raises(openai.UnprocessableEntityError, match="send text"):
        client.embeddings.create(input=[[1, 2], [3]], model="default")
