"""Answers by Anthropic's messages API."""

from base64 import b64encode
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import replace
from typing import Any, Literal

import anthropic
import httpx2
from anthropic.types import RawMessageStreamEvent

from chat.domain.attachments import Attachment
from chat.domain.prompt import Prompt
from chat.providers import failures
from chat.providers.catalogue import Profile
from chat.providers.model import Done, Event, Failed, Request, Text, Usage

_REASONS: dict[str, Literal["stop", "length", "refusal"]] = {
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "refusal",
}
_CACHED = {"type": "ephemeral"}


class Anthropic:
    """Speaks through the official SDK, which tries again ``retries`` times before the reply begins.

    It waits longer each time, with jitter, or as long as Retry-After says.
    """

    name = "anthropic"

    def __init__(self, api_key: str, profile: Profile, *, wait_seconds: float, retries: int = 2) -> None:
        self._client = anthropic.AsyncAnthropic(
            # Where only users have keys: the SDK would look for one in the environment.
            api_key=api_key or "none",
            base_url=profile.base_url,
            default_headers=profile.headers,
            timeout=wait_seconds,
            max_retries=retries,
        )

    async def answer(self, request: Request) -> AsyncGenerator[Event]:
        client = self._client.with_options(api_key=request.key.get_secret_value()) if request.key else self._client
        begun = False
        try:
            stream = await client.messages.create(
                model=request.model,
                max_tokens=request.max_tokens,
                system=_rules(request.prompt),
                messages=[{"role": "user", "content": _content(request.prompt)}],
                stream=True,
            )
            begun = True
            async with stream:
                async for event in _read(stream):
                    yield event
        # Inside a stream the SDK lets the errors of its HTTP client through.
        except (anthropic.APIError, httpx2.HTTPError) as error:
            yield replace(_failure(error), in_stream=begun)

    async def window_tokens(self, model: str) -> int | None:
        try:
            return (await self._client.models.retrieve(model)).max_input_tokens
        except (anthropic.AnthropicError, httpx2.HTTPError):
            return None

    async def close(self) -> None:
        await self._client.close()


def _rules(prompt: Prompt) -> Any:
    """Cached: all questions begin with them. Where they are too short to be cached, the mark costs nothing."""
    return [{"type": "text", "text": prompt.system, "cache_control": _CACHED}]


def _content(prompt: Prompt) -> Any:
    """In a conversation the passages are cached too: who asks again, or for more, is often shown the same ones."""
    material: dict[str, Any] = {"type": "text", "text": prompt.material}
    if prompt.goes_on:
        material["cache_control"] = _CACHED
    return [material, *(_block(one) for one in prompt.attachments), {"type": "text", "text": prompt.asked}]


def _block(attachment: Attachment) -> dict[str, Any]:
    data = b64encode(attachment.data).decode("ascii")
    source = {"type": "base64", "media_type": attachment.media_type, "data": data}
    if attachment.kind == "pdf":
        return {"type": "document", "source": source, "title": attachment.name}
    return {"type": "image", "source": source}


def _failure(error: anthropic.APIError | httpx2.HTTPError) -> Failed:
    match error:
        case anthropic.APIStatusError():
            if _told(error, "type") == "overloaded_error":
                return failures.busy(_told(error, "message") or error.message)
            return failures.refused(error.status_code, _told(error, "message") or error.message)
        case anthropic.APITimeoutError() | httpx2.TimeoutException():
            return failures.too_slow()
        case anthropic.APIConnectionError():
            return failures.broken(repr(error.__cause__ or error))
        case _:
            return failures.broken(repr(error))


async def _read(stream: AsyncIterator[RawMessageStreamEvent]) -> AsyncGenerator[Event]:
    """A stream without ``message_stop`` has been cut."""
    read: int | None = None
    cached = 0
    reason = ""
    async for event in stream:
        if event.type == "message_start":
            usage = event.message.usage
            cached = usage.cache_read_input_tokens or 0
            # Here "input" is what the cache neither gave nor took.
            read = usage.input_tokens + cached + (usage.cache_creation_input_tokens or 0)
            yield Usage(read, usage.output_tokens, cached)
        elif event.type == "content_block_delta" and event.delta.type == "text_delta":
            yield Text(event.delta.text)
        elif event.type == "message_delta":
            reason = event.delta.stop_reason or reason
            yield Usage(read, event.usage.output_tokens, cached)
        elif event.type == "message_stop":
            yield Done(_REASONS.get(reason, "stop"))
            return
    yield failures.broken("the stream ended early")


def _told(error: anthropic.APIStatusError, member: str) -> str:
    """The provider's own words: the SDK's message holds the whole body of an error inside a stream."""
    body = error.body
    inner: object = body.get("error") if isinstance(body, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    found: object = inner.get(member) if isinstance(inner, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return found if isinstance(found, str) else ""
