"""Answers by any OpenAI-compatible chat completions API: OpenAI, xAI, Gemini, OpenRouter, vLLM, Ollama and others."""

from base64 import b64encode
from collections.abc import AsyncGenerator, Mapping
from dataclasses import replace
from typing import Any, Literal, cast

import openai
from openai.types.chat import ChatCompletionChunk

from chat.domain.attachments import Attachment
from chat.domain.prompt import Prompt
from chat.providers import event_stream, failures
from chat.providers.catalogue import Profile
from chat.providers.model import Done, Event, Failed, Request, Text, Usage

# What servers call the size of a model's window: vLLM, OpenRouter, LM Studio, and others after them.
_WINDOWS = ("max_model_len", "context_length", "max_context_length", "context_window")
_REASONS: dict[str, Literal["stop", "length", "refusal"]] = {"length": "length", "content_filter": "refusal"}


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
        # Models whose server refused to hold them to JSON: they are asked for it in words alone.
        self._without_json: set[str] = set()

    async def answer(self, request: Request) -> AsyncGenerator[Event]:
        client = self._client.with_options(api_key=request.key.get_secret_value()) if request.key else self._client
        begun = False
        try:
            stream = await self._begin(client, request)
            begun = True
            async with stream:
                async for event in _read(event_stream.read_objects(stream.response.aiter_bytes())):
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

    async def _begin(self, client: openai.AsyncOpenAI, request: Request) -> openai.AsyncStream[ChatCompletionChunk]:
        """A server that refuses to hold its model to JSON is asked again without."""
        if not request.as_json or request.model in self._without_json:
            return await self._create(client, request)
        try:
            return await self._create(client, request, response_format={"type": "json_object"})
        except (openai.BadRequestError, openai.UnprocessableEntityError):
            stream = await self._create(client, request)
        self._without_json.add(request.model)
        return stream

    async def _create(
        self, client: openai.AsyncOpenAI, request: Request, **more: Any
    ) -> openai.AsyncStream[ChatCompletionChunk]:
        return await client.chat.completions.create(
            model=request.model,
            messages=self._messages(request.prompt),
            stream=True,
            **self._more(request),
            **more,
        )

    def _messages(self, prompt: Prompt) -> list[Any]:
        if self._profile.system_role == "user":
            return [{"role": "user", "content": _content(prompt, f"{prompt.system}\n\n")}]
        return [
            {"role": self._profile.system_role, "content": prompt.system},
            {"role": "user", "content": _content(prompt)},
        ]

    def _more(self, request: Request) -> dict[str, Any]:
        more: dict[str, Any] = {self._profile.limit_name: request.max_tokens}
        if self._profile.counts_tokens:
            more["stream_options"] = {"include_usage": True}
        return more


def _content(prompt: Prompt, before: str = "") -> str | list[dict[str, Any]]:
    """Parts only where there are attachments: many servers know nothing but text."""
    if not prompt.attachments:
        return before + prompt.user
    material, asked = ({"type": "text", "text": text} for text in (before + prompt.material, prompt.asked))
    return [material, *(_part(one) for one in prompt.attachments), asked]


def _part(attachment: Attachment) -> dict[str, Any]:
    url = f"data:{attachment.media_type};base64,{b64encode(attachment.data).decode('ascii')}"
    if attachment.kind == "pdf":
        return {"type": "file", "file": {"filename": attachment.name, "file_data": url}}
    return {"type": "image_url", "image_url": {"url": url}}


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


async def _read(chunks: AsyncGenerator[dict[str, Any]]) -> AsyncGenerator[Event]:
    """A stream that ends without saying why has been cut. Nothing in it need have the form that it should have."""
    reason: str | None = None
    async for chunk in chunks:
        if error := chunk.get("error"):
            yield _reported(error)
            return
        if usage := _mapping(chunk.get("usage")):
            yield _usage(usage)
        choice = _first(chunk.get("choices"))
        text = _mapping(choice.get("delta")).get("content")
        if isinstance(text, str) and text:
            yield Text(text)
        reason = _word(choice.get("finish_reason")) or reason
    yield _end(reason)


def _mapping(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}


def _first(choices: object) -> Mapping[str, Any]:
    """Empty in the chunk that tells the usage."""
    found = cast("list[object]", choices) if isinstance(choices, list) else []
    return _mapping(found[0]) if found else {}


def _word(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _usage(usage: Mapping[str, Any]) -> Usage:
    details = _mapping(usage.get("prompt_tokens_details"))
    cached = _count(details.get("cached_tokens")) or 0
    return Usage(_count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens")), cached)


def _count(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _reported(error: object) -> Failed:
    """Under status 200 only the words tell what happened."""
    message = _word(_mapping(error).get("message")) or _word(error) or "an error in its stream"
    return replace(failures.reported(message), in_stream=True)


def _end(reason: str | None) -> Done | Failed:
    if reason is None:
        return failures.broken("the stream ended early")
    return Done(_REASONS.get(reason, "stop"))
