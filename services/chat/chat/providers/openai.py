"""Answers by OpenAI and all who speak its protocol, xAI, Gemini, OpenRouter, vLLM, Ollama and others, in either way."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import replace
from typing import Any, Protocol

import openai

from chat.providers import completions, event_stream, failures, responses
from chat.providers.catalogue import Profile
from chat.providers.model import Event, Failed, Request

# What servers call the size of a model's window: vLLM, OpenRouter, LM Studio, and others after them.
_WINDOWS = ("max_model_len", "context_length", "max_context_length", "context_window")


class _Way(Protocol):
    """One of the modules that know how to ask, and how the reply reads."""

    @property
    def AS_JSON(self) -> Mapping[str, Any]:  # noqa: N802
        """What holds the model to one JSON object."""
        ...

    async def ask(
        self, client: openai.AsyncOpenAI, profile: Profile, request: Request, more: Mapping[str, Any], /
    ) -> openai.AsyncStream[Any]: ...

    def read(self, stream: openai.AsyncStream[Any], /) -> AsyncGenerator[Event]: ...


class OpenAi:
    """Speaks through the official SDK, which tries again ``retries`` times before the reply begins.

    It waits longer each time, with jitter, or as long as Retry-After says. Of the reply we read the bytes ourselves:
    the SDK's objects cost most of a word's way through this service.
    """

    name = "openai"

    def __init__(self, api_key: str, profile: Profile, *, wait_seconds: float, retries: int = 2) -> None:
        self._client = openai.AsyncOpenAI(
            # Servers in one's own network often have no key, but the SDK insists on one.
            api_key=api_key or "none",
            base_url=profile.base_url,
            default_headers=profile.headers,
            timeout=wait_seconds,
            max_retries=retries,
        )
        self._profile = profile
        self._way: _Way = responses if profile.api == "responses" else completions
        # Models whose server refused to hold them to JSON: they are asked for it in words alone.
        self._without_json: set[str] = set()

    async def answer(self, request: Request) -> AsyncGenerator[Event]:
        client = self._client.with_options(api_key=request.key.get_secret_value()) if request.key else self._client
        begun = False
        try:
            stream = await self._begin(client, request)
            begun = True
            async with stream:
                async for event in self._way.read(stream):
                    yield event
        except openai.APIError as error:
            yield replace(_failure(error), in_stream=begun)
        except event_stream.BROKEN as error:
            yield replace(event_stream.failure(error), in_stream=begun)

    async def window_tokens(self, model: str) -> int | None:
        try:
            known = (await self._client.models.retrieve(model)).model_extra or {}
        except openai.OpenAIError:
            return None
        return next((size for key in _WINDOWS if isinstance(size := known.get(key), int) and size > 0), None)

    async def close(self) -> None:
        await self._client.close()

    async def _begin(self, client: openai.AsyncOpenAI, request: Request) -> openai.AsyncStream[Any]:
        """A server that refuses to hold its model to JSON is asked again without."""
        if not request.as_json or request.model in self._without_json:
            return await self._way.ask(client, self._profile, request, {})
        try:
            return await self._way.ask(client, self._profile, request, self._way.AS_JSON)
        except (openai.BadRequestError, openai.UnprocessableEntityError):
            stream = await self._way.ask(client, self._profile, request, {})
        self._without_json.add(request.model)
        return stream


def _failure(error: openai.APIError) -> Failed:
    match error:
        case openai.APIStatusError():
            return failures.refused(error.status_code, error.message)
        case openai.APITimeoutError():
            return failures.too_slow()
        case openai.APIConnectionError():
            return failures.broken(repr(error.__cause__ or error))
        case _:
            return failures.reported(error.message)
