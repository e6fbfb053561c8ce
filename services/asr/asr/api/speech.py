"""HTTP in: `POST /v1/audio/transcriptions` as OpenAI defines it."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable
from contextlib import AsyncExitStack, aclosing
from typing import Any, TypeVar
from uuid import UUID

from common.errors import ApiError, CannotProcess, TryAgain
from common.identity import CurrentCaller
from common.openai import error_member
from common.spacing import blank_between
from common.transcript import Segment, Speaker, Transcript
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from asr.domain.formats import openai
from asr.domain.formats.subtitles import to_srt, to_vtt
from asr.speech import Heard, Speech
from asr.speech_form import FORM, SpeechForm, check_form, read_form, read_past

PATH = "/v1/audio/transcriptions"
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"content": {kind: {"schema": {"type": "string"}} for kind in ("text/plain", "text/event-stream")}}
}
_EXTRA = FORM | {"x-earshot-scope": "read"}
_NOBODY_S = UUID(int=0)
# Nobody reads it; logs count it apart from our own failures.
_CLIENT_LEFT = 499
T = TypeVar("T")


def make_speech_router(speech: Speech, max_bytes: int) -> APIRouter:
    """One route. Nothing is kept: the file lies in scratch until the answer is given."""
    router = APIRouter(tags=["Transcripts and speakers"])

    @router.post(
        PATH,
        summary="Transcribe a file at once",
        operation_id="create_transcription",
        response_model=dict[str, Any],
        responses=_ANSWERS,
        openapi_extra=_EXTRA,
    )
    async def transcribe(request: Request, caller: CurrentCaller) -> Response:
        """As OpenAI's route of this name: every `response_format`, word and segment times, streaming.

        `model` is `default`, one of OpenAI's names (the engine that is set is used), or an engine's name. `prompt`
        gives the spelling of names, separated by commas. What says nothing to the engine is accepted and ignored.
        """
        try:
            async with AsyncExitStack() as stack:
                return await _answer(request, speech, stack, max_bytes)
        except CannotProcess as error:
            raise _unusable(error) from error
        except ClientDisconnect:
            return Response(status_code=_CLIENT_LEFT)

    return router


async def _answer(request: Request, speech: Speech, stack: AsyncExitStack, max_bytes: int) -> Response:
    engines, body = speech.engines.names, request.stream()
    try:
        room = await stack.enter_async_context(speech.room())
        fields, file = await read_form(request.headers, body, room, max_bytes)
    except ApiError:
        await read_past(body)
        raise
    form = check_form(fields, engines)
    await while_client_stays(request, stack.enter_async_context(speech.turn()))
    heard = await while_client_stays(request, speech.hear(file, form.asked(engines)))
    if form.stream:
        return _Owning(stack.pop_all(), events(speech, heard, form))
    return shown(await while_client_stays(request, _whole(speech, heard)), form)


def _unusable(error: CannotProcess) -> ApiError:
    """The file's fault, or, where asking again may help, ours."""
    of_file: list[dict[str, object]] | None = None if error.retryable else [{"field": "file"}]
    return ApiError(_status_of(error), error.category, error.message, advice=error.advice, errors=of_file)


def _status_of(error: TryAgain | CannotProcess) -> int:
    return 400 if isinstance(error, CannotProcess) and not error.retryable else 503


async def while_client_stays(request: Request, work: Awaitable[T]) -> T:
    """Cancels the work and raises ClientDisconnect when the client leaves; its body must have been read."""
    working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientDisconnect
        return working.result()
    finally:
        for task in (working, leaving):
            task.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _whole(speech: Speech, heard: Heard) -> Transcript:
    async with aclosing(speech.segments(heard)) as found:
        return _transcript(heard, [segment async for segment in found])


def _transcript(heard: Heard, segments: list[Segment]) -> Transcript:
    return Transcript(
        asset_id=_NOBODY_S,
        revision=0,
        complete=True,
        language=heard.wishes.language,
        engine=heard.engine.name,
        duration_seconds=heard.duration_seconds,
        warnings=[heard.warning] if heard.warning else [],
        speakers=[Speaker(id=who, label=who) for who in dict.fromkeys(segment.speaker for segment in segments)],
        segments=segments,
    )


def shown(transcript: Transcript, form: SpeechForm) -> Response:
    """In the format that was asked for."""
    match form.response_format:
        case "text":
            return PlainTextResponse(openai.text_of(transcript.segments) + "\n")
        case "srt":
            return PlainTextResponse(to_srt(transcript))
        case "vtt":
            return PlainTextResponse(to_vtt(transcript, voices=False))
        case "verbose_json":
            return JSONResponse(openai.as_verbose_json(transcript, form.granularities, form.temperature))
        case "diarized_json":
            return JSONResponse(openai.as_diarized_json(transcript))
        case "json":
            return JSONResponse(openai.as_json(transcript))


async def events(speech: Speech, heard: Heard, form: SpeechForm) -> AsyncGenerator[str]:
    """Server-sent events: text as it is recognised, then all of it."""
    segments: list[Segment] = []
    try:
        async with aclosing(speech.segments(heard)) as found:
            async for segment in found:
                segments.append(segment)
                if form.response_format == "diarized_json":
                    letter = openai.speaker_letters(segments)[segment.speaker]
                    yield _event(openai.diarized_segment(segment, letter))
                else:
                    blank = blank_between(segments[-2].text, segment.text) if len(segments) > 1 else ""
                    yield _event({"type": "transcript.text.delta", "delta": f"{blank}{segment.text}"})
    except (TryAgain, CannotProcess) as error:
        # The status is sent already; clients raise what stands under this name.
        yield _event(error_member(PATH, _status_of(error), error.category, error.message, None))
        return
    done = {"type": "transcript.text.done", "text": openai.text_of(segments)}
    yield _event(done | ({"warnings": [heard.warning]} if heard.warning else {}))
    yield "data: [DONE]\n\n"


def _event(body: dict[str, Any]) -> str:
    return f"data: {json.dumps(body, ensure_ascii=False)}\n\n"


class _Owning(StreamingResponse):
    """A stream that gives back what it stands on, also when its client leaves before it begins."""

    def __init__(self, stack: AsyncExitStack, content: AsyncGenerator[str]) -> None:
        super().__init__(content, media_type="text/event-stream", headers={"Cache-Control": "no-store"})
        self._stack = stack
        self._content = content

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._stack, aclosing(self._content):
            await super().__call__(scope, receive, send)
