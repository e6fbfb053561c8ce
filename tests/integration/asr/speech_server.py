"""A loopback server that speaks OpenAI's and ElevenLabs' wire protocols and really recognises what it is sent."""

import asyncio
import io
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import soundfile
import uvicorn
from asr.providers.pocketsphinx_process import RATE, pocketsphinx, recognise
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from starlette.datastructures import UploadFile

KEY = "sk-secret-of-this-test"
Timed = list[tuple[str, float, float, float]]


@dataclass
class Asked:
    """One request: headers, form and sound (samples at 16 kHz)."""

    headers: dict[str, str]
    form: dict[str, list[str]]
    sound: np.ndarray
    size: int


@dataclass
class SpeechServer:
    """Voices alternate every ``voice_seconds``. ``troubles``: answers given, in order, in place of the real ones."""

    port: int = 0
    asked: list[Asked] = field(default_factory=list)
    troubles: list[Response] = field(default_factory=list)
    most_bytes: int = 10**9
    word_times: bool = True
    voice_seconds: float = 2.0
    decoding: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def hear(self, request: Request) -> Timed | Response:
        """The words of the request's file, or what goes wrong."""
        async with request.form() as form:
            file = form["file"]
            assert isinstance(file, UploadFile)
            content = await file.read()
            others = [name for name in form if name != "file"]
            fields = {name: [value for value in form.getlist(name) if isinstance(value, str)] for name in others}
        sound, rate = soundfile.read(io.BytesIO(content), dtype="int16")
        assert rate == RATE
        self.asked.append(Asked(dict(request.headers), fields, sound, len(content)))
        if self.troubles:
            return self.troubles.pop(0)
        if len(content) > self.most_bytes:
            return JSONResponse({"error": {"message": "Maximum content size limit exceeded"}}, 413)
        async with self.decoding:
            return await asyncio.to_thread(_recognised, sound.tobytes())

    def voice_at(self, second: float) -> int:
        return int(second / self.voice_seconds) % 2


@cache
def _decoder() -> Any:
    return pocketsphinx.Decoder(samprate=RATE, loglevel="FATAL")


@cache
def _recognised(sound: bytes) -> Timed:
    """Engines are asked for the same sound again and again, which takes a second or two every time."""
    return recognise(_decoder(), sound, 0.0)


def trouble(status: int, retry_after: str | None = None, message: str = "Not now.") -> Response:
    headers = {} if retry_after is None else {"retry-after": retry_after}
    return JSONResponse({"error": {"message": message}, "detail": {"message": message}}, status, headers=headers)


def _app(server: SpeechServer) -> FastAPI:
    app = FastAPI()

    @app.post("/v1/audio/transcriptions", response_model=None)
    async def openai(request: Request) -> Any:
        if request.headers.get("authorization") != f"Bearer {KEY}":
            return trouble(401, message="Incorrect API key provided.")
        heard = await server.hear(request)
        if isinstance(heard, Response):
            return heard
        form = server.asked[-1].form
        if "diarize" in form["model"][0] and "prompt" in form:
            return trouble(400, message="Prompt is not supported for diarization models.")
        return _openai_body(server, server.asked[-1], heard)

    @app.post("/v1/speech-to-text", response_model=None)
    async def elevenlabs(request: Request) -> Any:
        if request.headers.get("xi-api-key") != KEY:
            return trouble(401, message="Invalid API key")
        heard = await server.hear(request)
        terms = server.asked[-1].form.get("keyterms", [])
        if any(len(term) >= 50 or len(term.split()) > 5 or set(term) & set("<>{}[]\\") for term in terms):
            return trouble(422, message="Invalid keyterms")
        return heard if isinstance(heard, Response) else _elevenlabs_body(server, heard)

    return app


def _openai_body(server: SpeechServer, asked: Asked, heard: Timed) -> dict[str, Any]:
    text = " ".join(word for word, *_ in heard).capitalize() + "." * bool(heard)
    form = asked.form["response_format"][0]
    if form == "json":
        return {"text": text}
    seconds = len(asked.sound) / RATE
    if form == "diarized_json":
        segments = [
            {"id": str(at), "type": "transcript.text.segment", "start": s, "end": e, "text": f" {word}"}
            | {"speaker": "AB"[server.voice_at(s)]}
            for at, (word, s, e, _) in enumerate(heard)
        ]
        return {"task": "transcribe", "duration": seconds, "text": text, "segments": segments}
    body: dict[str, Any] = {"task": "transcribe", "language": "english", "duration": seconds, "text": text}
    if server.word_times and "word" in asked.form["timestamp_granularities[]"]:
        body["words"] = [{"word": word, "start": s, "end": e} for word, s, e, _ in heard]
    if heard:
        body["segments"] = [{"id": 0, "start": heard[0][1], "end": heard[-1][2], "text": f" {text}"}]
    return body


def _elevenlabs_body(server: SpeechServer, heard: Timed) -> dict[str, Any]:
    words: list[dict[str, Any]] = []
    for word, start, end, probability in heard:
        if words:
            words.append({"text": " ", "start": words[-1]["end"], "end": start, "type": "spacing"})
        words.append(
            {"text": word, "start": start, "end": end, "type": "word"}
            | {"speaker_id": f"speaker_{server.voice_at(start)}", "logprob": float(np.log(max(probability, 1e-9)))}
        )
    text = "".join(word["text"] for word in words)
    return {"language_code": "eng", "language_probability": 0.98, "text": text, "words": words}


@asynccontextmanager
async def serving() -> AsyncGenerator[SpeechServer]:
    server = SpeechServer()
    config = uvicorn.Config(_app(server), host="127.0.0.1", port=0, log_level="error", lifespan="off")
    running = uvicorn.Server(config)
    task = asyncio.create_task(running.serve())
    while not running.started:
        await asyncio.sleep(0.01)
    server.port = running.servers[0].sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        running.should_exit = True
        await task
