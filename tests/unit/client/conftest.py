"""A loopback server that answers what a test tells it to, and remembers what it was asked."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
import uvicorn
from earshot import Client
from earshot.cli.main import app
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from typer.testing import CliRunner, Result

Handler = Callable[[Request, bytes], Response]


@dataclass
class Asked:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Loopback:
    url: str = ""
    answers: dict[tuple[str, str], Handler] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    def on(self, method: str, path: str, answer: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        """`answer`: a function of (request, body), a response, or JSON."""

        def handler(request: Request, body: bytes) -> Response:
            if callable(answer) and not isinstance(answer, Response):
                return answer(request, body)
            return answer if isinstance(answer, Response) else JSONResponse(answer, status, headers)

        self.answers[method, path] = handler

    async def serve(self, request: Request) -> Response:
        body = await request.body()
        path = request.url.path
        self.asked.append(Asked(request.method, path, dict(request.query_params), dict(request.headers), body))
        handler = self.answers.get((request.method, path))
        if handler is None:
            error = {"detail": f"Nothing at {path}.", "status_code": 404, "error_type": "not_found", "request_id": "r1"}
            return JSONResponse(error, 404)
        return handler(request, body)


@pytest.fixture(scope="session")
def listening() -> Iterator[Loopback]:
    loopback = Loopback()
    methods = ["GET", "POST", "PATCH", "PUT", "DELETE"]
    application = Starlette(routes=[Route("/{path:path}", loopback.serve, methods=methods)])
    listener = socket.create_server(("127.0.0.1", 0))
    loopback.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    running = uvicorn.Server(uvicorn.Config(application, log_level="error", lifespan="off"))
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    yield loopback
    running.should_exit = True
    thread.join(timeout=10)
    listener.close()


@pytest.fixture
def server(listening: Loopback) -> Loopback:
    """Knows nothing at first."""
    listening.answers.clear()
    listening.asked.clear()
    return listening


@pytest.fixture
def client(server: Loopback) -> Iterator[Client]:
    with Client(server.url, "key-1") as made:
        yield made


@pytest.fixture
def run(server: Loopback, tmp_path, monkeypatch) -> Callable[..., Result]:
    """Runs the command line against the loopback server, with folders of its own."""
    for variable in ("EARSHOT_HOME", "EARSHOT_DATA", "EARSHOT_API_KEY", "EARSHOT_URL"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    runner = CliRunner()

    def invoke(*arguments: str, **options: Any) -> Result:
        return runner.invoke(app, [*arguments, "--url", server.url, "--key", "key-1"], **options)

    return invoke


def asset(number: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"00000000-0000-7000-8000-00000000000{number}",
        "short_id": f"short00{number}",
        "kind": "recording",
        "title": f"Talk {number}",
        "collection_id": "00000000-0000-7000-8000-0000000000c1",
        "status": "ready",
        "stage": None,
        "run": 1,
        "source": {"type": "upload"},
        "duration_seconds": 83.2,
        "tags": [],
        "created_at": "2026-01-02T03:04:05Z",
        "updated_at": "2026-01-02T03:04:05Z",
    } | changes


def job(number: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"00000000-0000-7000-8000-0000000000a{number}",
        "asset_id": asset(number)["id"],
        "run": 1,
        "status": "processing",
        "stage": "fetch",
        "progress": 0.0,
        "attempts": 1,
        "created_at": "2026-01-02T03:04:05Z",
        "finished_at": None,
    } | changes


def citation(**changes: Any) -> dict[str, Any]:
    return {
        "index": 1,
        "asset_id": asset()["id"],
        "revision": 1,
        "stale": False,
        "title": "Talk 1",
        "kind": "recording",
        "locator": {"type": "time", "start_seconds": 10.0, "end_seconds": 40.0, "speaker": "Speaker 1"},
        "quote": "we move in may",
        "quote_start_seconds": 20.0,
        "quote_end_seconds": 22.0,
        "url": f"/r/{asset()['id']}?t=20.0",
    } | changes


def answer(**changes: Any) -> dict[str, Any]:
    return {
        "id": "00000000-0000-7000-8000-0000000000b1",
        "question": "When do we move?",
        "answered": True,
        "answer": "we move in may [1]",
        "citations": [citation()],
        "nearest": [],
        "cached": False,
        "model": "extractive",
    } | changes


def transcript(**changes: Any) -> dict[str, Any]:
    words = [
        {"word": word, "start": 20.0 + 0.5 * at, "end": 20.5 + 0.5 * at}
        for at, word in enumerate(["we", "move", "in", "may"])
    ]
    return {
        "asset_id": asset()["id"],
        "revision": 1,
        "complete": True,
        "language": "en",
        "engine": "pocketsphinx",
        "duration_seconds": 83.2,
        "warnings": ["This is a draft."],
        "speakers": [{"id": "s1", "label": "Speaker 1", "name": None}],
        "segments": [
            {"id": "g1", "start": 20.0, "end": 22.0, "speaker": "s1", "text": "we move in may", "words": words}
        ],
    } | changes


@pytest.fixture
def sample() -> SimpleNamespace:
    """Documents as the API defines them; keyword arguments change fields."""
    return SimpleNamespace(asset=asset, job=job, citation=citation, answer=answer, transcript=transcript)
