"""OpenAI's chat completions, which nearly every server of models speaks: what is asked, and how the reply reads."""

from base64 import b64encode
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import replace
from typing import Any, Literal

import openai
from openai.types.chat import ChatCompletionChunk

from chat.domain.attachments import Attachment
from chat.domain.prompt import Prompt
from chat.providers import failures
from chat.providers.catalogue import Profile
from chat.providers.event_stream import first, mapping, number, read_objects, word
from chat.providers.model import Done, Event, Failed, Request, Text, Usage

AS_JSON: Mapping[str, Any] = {"response_format": {"type": "json_object"}}
_REASONS: dict[str, Literal["stop", "length", "refusal"]] = {"length": "length", "content_filter": "refusal"}


async def ask(
    client: openai.AsyncOpenAI, profile: Profile, request: Request, more: Mapping[str, Any]
) -> openai.AsyncStream[ChatCompletionChunk]:
    """Begin a reply. Raises openai.APIError."""
    options: dict[str, Any] = {profile.limit_name: request.max_tokens, **more}
    if profile.counts_tokens:
        options["stream_options"] = {"include_usage": True}
    asked = messages(profile, request.prompt, "text", _part)
    return await client.chat.completions.create(model=request.model, messages=asked, stream=True, **options)


async def read(stream: openai.AsyncStream[ChatCompletionChunk]) -> AsyncGenerator[Event]:
    """A stream that ends without saying why has been cut. Nothing in it need have the form that it should have."""
    reason: str | None = None
    async for chunk in read_objects(stream.response.aiter_bytes()):
        if error := chunk.get("error"):
            yield _reported(error)
            return
        if usage := mapping(chunk.get("usage")):
            yield _usage(usage)
        # Empty in the chunk that tells the usage.
        choice = first(chunk.get("choices"))
        text = word(mapping(choice.get("delta")).get("content"))
        if text:
            yield Text(text)
        reason = word(choice.get("finish_reason")) or reason
    yield _end(reason)


def messages(profile: Profile, prompt: Prompt, text_type: str, part: Callable[[Attachment], Any]) -> list[Any]:
    """The prompt as OpenAI's two APIs take it; they call texts differently, and what is attached: ``part``."""
    if profile.system_role == "user":
        return [{"role": "user", "content": _content(prompt, text_type, part, f"{prompt.system}\n\n")}]
    return [
        {"role": profile.system_role, "content": prompt.system},
        {"role": "user", "content": _content(prompt, text_type, part)},
    ]


def _content(
    prompt: Prompt, text_type: str, part: Callable[[Attachment], Any], before: str = ""
) -> str | list[dict[str, Any]]:
    """Parts only where there are attachments: many servers know nothing but text."""
    if not prompt.attachments:
        return before + prompt.user
    material, asked = ({"type": text_type, "text": text} for text in (before + prompt.material, prompt.asked))
    return [material, *(part(one) for one in prompt.attachments), asked]


def _part(attachment: Attachment) -> dict[str, Any]:
    url = data_url(attachment)
    if attachment.kind == "pdf":
        return {"type": "file", "file": {"filename": attachment.name, "file_data": url}}
    return {"type": "image_url", "image_url": {"url": url}}


def data_url(attachment: Attachment) -> str:
    return f"data:{attachment.media_type};base64,{b64encode(attachment.data).decode('ascii')}"


def _usage(usage: Mapping[str, Any]) -> Usage:
    cached = number(mapping(usage.get("prompt_tokens_details")).get("cached_tokens")) or 0
    return Usage(number(usage.get("prompt_tokens")), number(usage.get("completion_tokens")), cached)


def _reported(error: object) -> Failed:
    """Under status 200 only the words tell what happened."""
    message = word(mapping(error).get("message")) or word(error) or "an error in its stream"
    return replace(failures.reported(message), in_stream=True)


def _end(reason: str | None) -> Done | Failed:
    if reason is None:
        return failures.broken("the stream ended early")
    return Done(_REASONS.get(reason, "stop"))
