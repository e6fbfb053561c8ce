"""HTTP in: `POST /v1/chat/completions` and `GET /v1/models` as OpenAI defines them, answered from the library."""

import asyncio
import json
from collections.abc import AsyncGenerator
from time import monotonic
from typing import Any
from uuid import UUID

from common.errors import ApiError
from common.identity import Caller, CurrentCaller
from common.openai import error_member, model_not_found
from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from chat.api.anew import Anew
from chat.api.streams import STREAM_HEADERS
from chat.asking import Asking
from chat.completion_form import ANY_MODEL, CompletionRequest
from chat.following import REMOVED
from chat.shapes import Answer
from chat.writing import INTERRUPTED

PATH = "/v1/chat/completions"
_EVENTS: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}, "description": "The completion"}
}
_READ = {"x-earshot-scope": "read"}
# A fixed time for all models: nobody knows when a configured model was made.
_CREATED = 1_735_689_600


class Model(BaseModel):
    """A name that `model` may have."""

    id: str
    object: str = "model"
    created: int = _CREATED
    owned_by: str = "earshot"


class Models(BaseModel):
    object: str = "list"
    data: list[Model]


class Completions:
    """The routes that OpenAI's clients use. The member `earshot` of an answer carries its id and citations."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    def routes(self) -> APIRouter:
        router = APIRouter(tags=["Answers and chat"])
        router.add_api_route(
            PATH,
            self.complete,
            methods=["POST"],
            summary="Answer the last message from the library",
            operation_id="create_chat_completion",
            response_model=dict[str, Any],
            responses=_EVENTS,
            openapi_extra=_READ | {"x-earshot-body": "file"},
        )
        router.add_api_route(
            "/v1/models",
            self.models,
            methods=["GET"],
            summary="Models that chat completions may name",
            operation_id="list_models",
            response_model=Models,
            openapi_extra=_READ,
        )
        router.add_api_route(
            "/v1/models/{name:path}",
            self.model,
            methods=["GET"],
            summary="One of these models",
            operation_id="retrieve_model",
            response_model=Model,
            openapi_extra=_READ,
        )
        return router

    async def models(self, caller: CurrentCaller) -> Models:
        return Models(data=[Model(id=name) for name in (ANY_MODEL, *self._asking.choosing.writers.offered)])

    async def model(self, name: str, caller: CurrentCaller) -> Model:
        self._check(name)
        return Model(id=name)

    async def complete(
        self, body: CompletionRequest, request: Request, caller: CurrentCaller, anew: Anew
    ) -> dict[str, Any] | Response:
        """As OpenAI's route of this name, streaming too; every `[n]` in the text points at a citation in `earshot`.

        Where the library does not hold the answer, the text says so, and `earshot.answered` is false. `collection_id`,
        `asset_ids` and `top_k` narrow what is read; `Cache-Control: no-cache` asks for an answer that is written anew.
        Parts `image_url` (data URLs) and `file` (`file_data`) are shown to a model that reads them.
        """
        self._check(body.model)
        question, history, wishes = body.question()
        files = await asyncio.to_thread(body.attachments, self._asking.attachments_bytes)
        answer_id = await self._asking.begin(question, caller, history, wishes, anew=anew, attachments=files)
        if body.stream:
            usage = body.stream_options is not None and body.stream_options.include_usage
            lines = self._lines(answer_id, caller, body.model, usage)
            return StreamingResponse(lines, media_type="text/event-stream", headers=STREAM_HEADERS)
        await self._asking.wait(answer_id, caller, request)
        return _completion(await self._asking.whole(answer_id, caller), body.model)

    def _check(self, model: str) -> None:
        if model not in (ANY_MODEL, *self._asking.choosing.writers.offered):
            raise model_not_found(model[:100], f"Use {ANY_MODEL!r}, or ask /v1/models for what is offered.")

    async def _lines(self, answer_id: UUID, caller: Caller, model: str, with_usage: bool) -> AsyncGenerator[str]:
        spoken, written = monotonic(), False
        base = _base(answer_id, model, "chat.completion.chunk")
        yield _chunk(base, {"role": "assistant", "content": ""})
        async for event in self._asking.follower.follow(answer_id, caller.user_id):
            if event is None:
                if monotonic() - spoken < self._asking.keep_alive_seconds:
                    continue
                yield ": still here\n\n"
            elif event.event == "content":
                written = True
                yield _chunk(base, {"content": event.data["content"]})
            elif event.event == "error":
                yield _error(event.data)
                return
            elif event.event == "status" and written:
                # The text begins again, and what was sent cannot be taken back.
                yield _error(INTERRUPTED.data)
                return
            elif event.event == "done":
                async for line in self._end(answer_id, caller, base, written=written, with_usage=with_usage):
                    yield line
            spoken = monotonic()

    async def _end(
        self, answer_id: UUID, caller: Caller, base: dict[str, Any], *, written: bool, with_usage: bool
    ) -> AsyncGenerator[str]:
        try:
            answer = await self._asking.whole(answer_id, caller)
        except ApiError:
            yield _error(REMOVED)
            return
        if not answer.answered:
            yield _chunk(base, {"content": ("\n\n" if written else "") + (answer.reason or "")})
        yield _chunk(base, {}, finish_reason="stop", earshot=_earshot(answer))
        if with_usage:
            yield _event(base | {"choices": [], "usage": _usage(answer)})
        yield "data: [DONE]\n\n"


def _completion(answer: Answer, model: str) -> dict[str, Any]:
    text = answer.answer if answer.answered else answer.reason
    message = {"role": "assistant", "content": text, "refusal": None}
    return _base(answer.id, model, "chat.completion") | {
        "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}],
        "usage": _usage(answer),
        "earshot": _earshot(answer),
    }


def _base(answer_id: UUID, model: str, kind: str) -> dict[str, Any]:
    # The first 48 bits of the id are its milliseconds (RFC 9562).
    return {"id": f"chatcmpl-{answer_id.hex}", "object": kind, "created": (answer_id.int >> 80) // 1000, "model": model}


def _usage(answer: Answer) -> dict[str, int]:
    """As the provider counted; the extractive writer has no tokens."""
    used = answer.usage or {}
    read, written = used.get("input_tokens") or 0, used.get("output_tokens") or 0
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


def _earshot(answer: Answer) -> dict[str, Any]:
    members = {"answered", "reason", "cached", "citations", "nearest"}
    return {"answer_id": str(answer.id), "model": answer.model, **answer.model_dump(mode="json", include=members)}


def _chunk(base: dict[str, Any], delta: dict[str, Any], finish_reason: str | None = None, **more: Any) -> str:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason, "logprobs": None}
    return _event(base | {"choices": [choice]} | more)


def _error(said: dict[str, Any]) -> str:
    """The status is sent already; clients raise what stands under this name."""
    return _event(error_member(PATH, said["status_code"], said["error_type"], said["message"], None))


def _event(body: dict[str, Any]) -> str:
    return f"data: {json.dumps(body, ensure_ascii=False)}\n\n"
