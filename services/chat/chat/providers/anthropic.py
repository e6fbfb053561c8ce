"""Answers by Anthropic's messages API."""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Literal

import anthropic
import httpx2
from anthropic.types import RawMessageStreamEvent

from chat.providers import failures
from chat.providers.model import Done, Event, Request, Text, Usage

_REASONS: dict[str, Literal["stop", "length", "refusal"]] = {
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "refusal",
}


class Anthropic:
    """Speaks through the official SDK; ``base_url`` empty means Anthropic's own address."""

    name = "anthropic"

    def __init__(self, api_key: str, base_url: str, *, max_tokens: int, wait_seconds: float) -> None:
        self._client = anthropic.AsyncAnthropic(
            api_key=api_key, base_url=base_url or "https://api.anthropic.com", timeout=wait_seconds, max_retries=1
        )
        self._max_tokens = max_tokens

    async def answer(self, request: Request) -> AsyncGenerator[Event]:
        try:
            stream = await self._client.messages.create(
                model=request.model,
                max_tokens=request.most_tokens or self._max_tokens,
                system=request.prompt.system,
                messages=[{"role": "user", "content": request.prompt.user}],
                stream=True,
            )
            async with stream:
                async for event in _read(stream):
                    yield event
        except anthropic.APIStatusError as error:
            yield failures.refused(error.status_code, _message(error))
        except (anthropic.APITimeoutError, httpx2.TimeoutException):
            yield failures.too_slow()
        except anthropic.APIConnectionError as error:
            yield failures.broken(repr(error.__cause__ or error))
        # Inside a stream the SDK lets the errors of its HTTP client through.
        except httpx2.HTTPError as error:
            yield failures.broken(repr(error))

    async def window_tokens(self, model: str) -> int | None:
        try:
            return (await self._client.models.retrieve(model)).max_input_tokens
        except (anthropic.AnthropicError, httpx2.HTTPError):
            return None

    async def close(self) -> None:
        await self._client.close()


async def _read(stream: AsyncIterator[RawMessageStreamEvent]) -> AsyncGenerator[Event]:
    """A stream without ``message_stop`` has been cut."""
    read: int | None = None
    reason = ""
    async for event in stream:
        if event.type == "message_start":
            read = event.message.usage.input_tokens
        elif event.type == "content_block_delta" and event.delta.type == "text_delta":
            yield Text(event.delta.text)
        elif event.type == "message_delta":
            reason = event.delta.stop_reason or reason
            yield Usage(read, event.usage.output_tokens)
        elif event.type == "message_stop":
            yield Done(_REASONS.get(reason, "stop"))
            return
    yield failures.broken("the stream ended early")


def _message(error: anthropic.APIStatusError) -> str:
    """The provider's own words: the SDK's message holds the whole body of an error inside a stream."""
    body = error.body
    inner: object = body.get("error") if isinstance(body, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    message: object = inner.get("message") if isinstance(inner, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return message if isinstance(message, str) else error.message
