"""Answers by any OpenAI-compatible chat completions API: OpenAI, xAI, OpenRouter, vLLM, Ollama and others."""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, Literal

import openai
from openai.types.chat import ChatCompletionChunk

from chat.providers import failures
from chat.providers.model import Done, Event, Failed, Request, Text, Usage

# What servers call the size of a model's window: vLLM, OpenRouter, LM Studio, and others after them.
_WINDOWS = ("max_model_len", "context_length", "max_context_length", "context_window")
_REASONS: dict[str, Literal["stop", "length", "refusal"]] = {"length": "length", "content_filter": "refusal"}


class OpenAi:
    """Speaks through the official SDK; ``base_url`` empty means OpenAI's own address."""

    name = "openai"

    def __init__(self, api_key: str, base_url: str, *, max_tokens: int, wait_seconds: float) -> None:
        self._client = openai.AsyncOpenAI(
            # Servers in one's own network often have no key, but the SDK insists on one.
            api_key=api_key or "none",
            base_url=base_url or "https://api.openai.com/v1",
            timeout=wait_seconds,
            max_retries=1,
        )
        # OpenAI has renamed the parameter; others understand the old name alone.
        self._limit = "max_tokens" if base_url else "max_completion_tokens"
        self._max_tokens = max_tokens
        # Models whose server refused to hold them to JSON: they are asked for it in words alone.
        self._without_json: set[str] = set()

    async def answer(self, request: Request) -> AsyncGenerator[Event]:
        try:
            stream = await self._begin(request)
            async with stream:
                async for event in _read(stream):
                    yield event
        except openai.APIStatusError as error:
            yield failures.refused(error.status_code, error.message)
        except openai.APITimeoutError:
            yield failures.too_slow()
        except openai.APIConnectionError as error:
            yield failures.broken(repr(error.__cause__ or error))
        except openai.APIError as error:
            yield failures.reported(error.message)

    async def window_tokens(self, model: str) -> int | None:
        try:
            known = (await self._client.models.retrieve(model)).model_extra or {}
        except openai.OpenAIError:
            return None
        return next((size for key in _WINDOWS if isinstance(size := known.get(key), int) and size > 0), None)

    async def close(self) -> None:
        await self._client.close()

    async def _begin(self, request: Request) -> openai.AsyncStream[ChatCompletionChunk]:
        """A server that refuses to hold its model to JSON is asked again without."""
        if not request.as_json or request.model in self._without_json:
            return await self._create(request)
        try:
            return await self._create(request, response_format={"type": "json_object"})
        except (openai.BadRequestError, openai.UnprocessableEntityError):
            stream = await self._create(request)
        self._without_json.add(request.model)
        return stream

    async def _create(self, request: Request, **more: Any) -> openai.AsyncStream[ChatCompletionChunk]:
        return await self._client.chat.completions.create(
            model=request.model,
            messages=[
                {"role": "system", "content": request.prompt.system},
                {"role": "user", "content": request.prompt.user},
            ],
            stream=True,
            stream_options={"include_usage": True},
            **{self._limit: request.most_tokens or self._max_tokens},
            **more,
        )


async def _read(stream: AsyncIterator[ChatCompletionChunk]) -> AsyncGenerator[Event]:
    """A stream that ends without saying why has been cut."""
    reason: str | None = None
    async for chunk in stream:
        if chunk.usage is not None:
            yield Usage(chunk.usage.prompt_tokens, chunk.usage.completion_tokens)
        for choice in chunk.choices[:1]:
            if choice.delta.content:
                yield Text(choice.delta.content)
            reason = choice.finish_reason or reason
    yield _end(reason)


def _end(reason: str | None) -> Done | Failed:
    return failures.broken("the stream ended early") if reason is None else Done(_REASONS.get(reason, "stop"))
