"""OpenAI's Responses API: what is asked, and how its events read."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import replace
from typing import Any, Literal

import openai
from openai.types.responses import ResponseStreamEvent

from chat.domain.attachments import Attachment
from chat.providers import failures
from chat.providers.catalogue import Profile
from chat.providers.completions import data_url, messages
from chat.providers.event_stream import mapping, number, read_objects, word
from chat.providers.model import Done, Event, Failed, Request, Text, Usage

AS_JSON: Mapping[str, Any] = {"text": {"format": {"type": "json_object"}}}
# The API refuses lower limits.
_LEAST_TOKENS = 16
_ENDS = frozenset({"response.completed", "response.incomplete", "response.failed", "error"})
_INCOMPLETE: dict[str, Literal["length", "refusal"]] = {"content_filter": "refusal"}
# Codes of errors that the request is not to blame for.
_BUSY = frozenset({"rate_limit_exceeded"})
_PASSING = frozenset({"server_error", "vector_store_timeout", ""})


async def ask(
    client: openai.AsyncOpenAI, profile: Profile, request: Request, more: Mapping[str, Any]
) -> openai.AsyncStream[ResponseStreamEvent]:
    """Begin a reply, of which the provider shall keep nothing. Raises openai.APIError."""
    return await client.responses.create(
        model=request.model,
        input=messages(profile, request.prompt, "input_text", _part),
        max_output_tokens=max(request.max_tokens, _LEAST_TOKENS),
        # It is kept for a month otherwise.
        store=False,
        stream=True,
        **more,
    )


async def read(stream: openai.AsyncStream[ResponseStreamEvent]) -> AsyncGenerator[Event]:
    """A stream without one of the events that end it has been cut. Events of other kinds are passed over."""
    refused, end = False, None
    async for event in read_objects(stream.response.aiter_bytes(), _ENDS):
        kind = word(event.get("type")) or ""
        response = mapping(event.get("response"))
        if usage := mapping(response.get("usage")):
            yield _usage(usage)
        if kind == "response.output_text.delta" and (text := word(event.get("delta"))):
            yield Text(text)
        refused = refused or kind == "response.refusal.delta"
        if kind in _ENDS:
            end = _end(kind, event, response, refused=refused)
    yield end or failures.broken("the stream ended early")


def _part(attachment: Attachment) -> dict[str, Any]:
    url = data_url(attachment)
    if attachment.kind == "pdf":
        return {"type": "input_file", "filename": attachment.name, "file_data": url}
    return {"type": "input_image", "image_url": url, "detail": "auto"}


def _usage(usage: Mapping[str, Any]) -> Usage:
    cached = number(mapping(usage.get("input_tokens_details")).get("cached_tokens")) or 0
    return Usage(number(usage.get("input_tokens")), number(usage.get("output_tokens")), cached)


def _end(kind: str, event: Mapping[str, Any], response: Mapping[str, Any], *, refused: bool) -> Done | Failed:
    if kind == "response.completed":
        return Done("refusal" if refused else "stop")
    if kind == "response.incomplete":
        reason = word(mapping(response.get("incomplete_details")).get("reason")) or ""
        return Done(_INCOMPLETE.get(reason, "length"))
    # Some servers put the error of an event a level deeper.
    error = mapping(response.get("error")) or mapping(event.get("error")) or event
    return replace(_failure(word(error.get("code")) or "", word(error.get("message"))), in_stream=True)


def _failure(code: str, message: str | None) -> Failed:
    said = message or code or "an error in its stream"
    if code in _BUSY:
        return failures.busy(said)
    return failures.reported(said) if code in _PASSING else failures.refused(400, said)
