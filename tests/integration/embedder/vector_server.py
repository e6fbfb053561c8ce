"""A loopback server that speaks OpenAI's embeddings protocol and really embeds what it is sent, with MiniLM."""

import asyncio
import base64
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import uvicorn
from embedder.providers.minilm import MiniLm
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response

KEY = "sk-secret-of-this-test"


@dataclass
class VectorServer:
    """``troubles``: answers given, in order, in place of the real ones. ``hold_from``: from this request on (counted
    from 0) nothing is answered until ``go_on`` is set. ``answered``: the texts whose vectors were sent."""

    model: MiniLm
    port: int = 0
    asked: list[dict[str, Any]] = field(default_factory=list)
    answered: list[str] = field(default_factory=list)
    troubles: list[Response] = field(default_factory=list)
    hold_from: int | None = None
    held: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    most_texts: int = 2048
    turned: bool = False
    open: int = 0
    most_open: int = 0
    times: list[float] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def answer(self, request: Request) -> Response:
        if request.headers.get("authorization") != f"Bearer {KEY}":
            return trouble(401, message="Incorrect API key provided.")
        body = await request.json()
        texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
        number = len(self.asked)
        self.asked.append(body)
        self.times.append(asyncio.get_running_loop().time())
        if self.troubles:
            return self.troubles.pop(0)
        if len(texts) > self.most_texts or not all(texts):
            return trouble(400, message="Invalid 'input'.")
        if self.hold_from is not None and number >= self.hold_from:
            self.held.set()
            await self.go_on.wait()
        vectors = await self.model.embed(texts)
        if self.turned:
            # Another model altogether, for whoever compares the two.
            vectors = vectors[:, ::-1]
        if "dimensions" in body:
            vectors = vectors[:, : body["dimensions"]] * 3
        self.answered += texts
        return JSONResponse(_body(body, vectors))


def _body(asked: dict[str, Any], vectors: np.ndarray) -> dict[str, Any]:
    packed = asked.get("encoding_format") == "base64"
    data = [
        {
            "object": "embedding",
            "index": index,
            "embedding": base64.b64encode(vector.astype("<f4").tobytes()).decode() if packed else vector.tolist(),
        }
        for index, vector in enumerate(vectors)
    ]
    # In any order: the index says which is which.
    usage = {"prompt_tokens": 1, "total_tokens": 1}
    return {"object": "list", "data": data[::-1], "model": asked["model"], "usage": usage}


def trouble(status: int, retry_after: str | None = None, message: str = "Not now.") -> Response:
    headers = {} if retry_after is None else {"retry-after": retry_after}
    return JSONResponse({"error": {"message": message}}, status, headers=headers)


def reply(vectors: list[list[float]], *, indexes: list[int] | None = None) -> Response:
    """A good answer in form, with whatever vectors."""
    data = [
        {"object": "embedding", "index": (indexes or range(len(vectors)))[i], "embedding": vector}
        for i, vector in enumerate(vectors)
    ]
    usage = {"prompt_tokens": 1, "total_tokens": 1}
    return JSONResponse({"object": "list", "data": data, "model": "any", "usage": usage})


@asynccontextmanager
async def serving(model: MiniLm) -> AsyncGenerator[VectorServer]:
    server = VectorServer(model)
    app = FastAPI()

    @app.post("/v1/embeddings", response_model=None)
    async def embeddings(request: Request) -> Response:
        server.open += 1
        server.most_open = max(server.most_open, server.open)
        try:
            return await server.answer(request)
        finally:
            server.open -= 1

    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", lifespan="off")
    running = uvicorn.Server(config)
    task = asyncio.create_task(running.serve())
    while not running.started:
        await asyncio.sleep(0.01)
    server.port = running.servers[0].sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        server.go_on.set()
        running.should_exit = True
        await task
