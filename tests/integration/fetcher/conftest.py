"""A web server that misbehaves on purpose, and recordings made by ffmpeg."""

import asyncio
import contextlib
import subprocess
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import pytest
from common.delivery import Delivery
from common.events import AssetRegistered, Fact, Message, Source
from common.ids import uuid7
from common.service import Service
from fetcher import queries
from fetcher.api.uploads import Uploads
from fetcher.main import build
from fetcher.providers.sources import Sources
from fetcher.settings import FetcherSettings

from tests.conftest import Databases

Serve = Callable[["Request", "Reply"], Awaitable[None]]


@dataclass(frozen=True)
class Request:
    """Header names are lower case."""

    method: str
    target: str
    headers: dict[str, str]

    def first_byte(self) -> int:
        """Where a Range begins; 0 without one."""
        return int(self.headers.get("range", "bytes=0-").removeprefix("bytes=").split("-")[0])


class Cut(Exception):
    """The server drops the connection here."""


@dataclass
class Reply:
    """Bytes on the wire, exactly as the test says."""

    writer: asyncio.StreamWriter

    async def head(self, status: str, **headers: object) -> None:
        lines = [f"HTTP/1.1 {status}", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
        await self.raw(("\r\n".join(lines) + "\r\n\r\n").encode())

    async def raw(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def whole(self, body: bytes, status: str = "200 OK", **headers: object) -> None:
        await self.head(status, Content_Length=len(body), Connection="close", **headers)
        await self.raw(body)

    async def stall(self) -> None:
        await asyncio.Event().wait()


@dataclass
class Loopback:
    """Listens on ``host``; paths are served by what tests put into ``routes``."""

    host: str
    port: int = 0
    routes: dict[str, Serve] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    scheme: str = "http"
    _open: set[asyncio.Task[None]] = field(default_factory=set)

    def url(self, path: str, host: str | None = None) -> str:
        name = host or (f"[{self.host}]" if ":" in self.host else self.host)
        return f"{self.scheme}://{name}:{self.port}{path}"

    def file(self, path: str, body: bytes, **headers: object) -> str:
        """Serve ``body`` as a good server does, ranges included. Answers its URL."""

        async def serve(request: Request, reply: Reply) -> None:
            etag = str(headers.get("ETag", '"v1"'))
            start = request.first_byte()
            more = {"ETag": etag, "Accept_Ranges": "bytes", **headers}
            if "range" not in request.headers or request.headers.get("if-range", etag) != etag:
                await reply.whole(body, **more)
            elif start >= len(body):
                await reply.whole(b"", "416 Range Not Satisfiable", Content_Range=f"bytes */{len(body)}")
            else:
                span = f"bytes {start}-{len(body) - 1}/{len(body)}"
                await reply.whole(body[start:], "206 Partial Content", Content_Range=span, **more)

        self.routes[path] = serve
        return self.url(path)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            request = await _read_request(reader)
            self.requests.append(request)
            path = request.target.split("?")[0]
            if path in self.routes:
                await self.routes[path](request, Reply(writer))
            else:
                await Reply(writer).whole(b"nothing here", "404 Not Found")
        except Cut:
            writer.transport.abort()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._open.discard(task)
            writer.close()
            with contextlib.suppress(Exception):
                await writer.wait_closed()

    def hang_up(self) -> None:
        for task in list(self._open):
            task.cancel()


async def _read_request(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, target, _ = head[0].split(" ")
    headers = dict(line.split(": ", 1) for line in head[1:] if line)
    return Request(method, target, {name.lower(): value for name, value in headers.items()})


@contextlib.asynccontextmanager
async def listening(host: str, **options: object) -> AsyncGenerator[Loopback]:
    loopback = Loopback(host)
    server = await asyncio.start_server(loopback.handle, host, 0, **options)  # type: ignore[arg-type]
    loopback.port = server.sockets[0].getsockname()[1]
    loopback.scheme = "https" if options.get("ssl") else "http"
    try:
        yield loopback
    finally:
        server.close()
        loopback.hang_up()
        await server.wait_closed()


@pytest.fixture
async def web() -> AsyncGenerator[Loopback]:
    async with listening("127.0.0.1") as loopback:
        yield loopback


@pytest.fixture
def serve_on() -> Callable[..., contextlib.AbstractAsyncContextManager[Loopback]]:
    return listening


class Studio:
    """Makes media of every kind; each is made once per test session."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def make(self, name: str, *arguments: str) -> Path:
        path = self._folder / name
        if not path.exists():
            subprocess.run(["ffmpeg", "-v", "error", "-y", *arguments, str(path)], check=True, timeout=120)
        return path

    def tone(self, name: str = "tone.flac", seconds: float = 4, *more: str) -> Path:
        source = f"sine=frequency=330:sample_rate=44100:duration={seconds}"
        return self.make(name, "-f", "lavfi", "-i", source, "-ac", "2", *more)

    def noise(self, name: str = "noise.wav", seconds: float = 20) -> Path:
        """Does not compress, for downloads that take a while; the same bytes every time."""
        source = f"anoisesrc=seed=7:duration={seconds}:sample_rate=44100"
        return self.make(name, "-f", "lavfi", "-i", source, "-ac", "2")

    def silence(self) -> Path:
        return self.make("silence.wav", "-f", "lavfi", "-i", "anullsrc=sample_rate=16000", "-t", "3")

    def video(self, name: str = "video.mp4", *, sound: bool = True) -> Path:
        picture = ["-f", "lavfi", "-i", "testsrc=size=160x120:rate=10:duration=3"]
        tone = ["-f", "lavfi", "-i", "sine=frequency=440:duration=3"] if sound else []
        return self.make(name, *picture, *tone, "-pix_fmt", "yuv420p")

    def picture(self, name: str = "picture.png") -> Path:
        return self.make(name, "-f", "lavfi", "-i", "testsrc=size=64x64:rate=1:duration=1", "-frames:v", "1")

    def piece(self, whole: Path, share: float, name: str) -> Path:
        """The first ``share`` of a file's bytes."""
        path = self._folder / name
        data = whole.read_bytes()
        path.write_bytes(data[: int(len(data) * share)])
        return path

    def file(self, name: str, content: bytes) -> Path:
        path = self._folder / name
        path.write_bytes(content)
        return path


@pytest.fixture(scope="session")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Studio:
    return Studio(tmp_path_factory.mktemp("studio"))


@dataclass
class House:
    """A whole fetcher on a real database and a directory store, its facts delivered by hand."""

    service: Service
    objects_folder: Path
    scratch_folder: Path

    async def deliver(self, fact: Fact, *, message_id: UUID | None = None, attempt: int = 1) -> None:
        """Raises what the handler raises; the consumer would turn it into an outcome."""
        delivery = Delivery(fact, message_id or uuid7(), f"fetcher.{fact.type}", attempt, "fetcher", self.service.db)
        await self.service.consumer.handlers[fact.type](fact, delivery)

    async def said(self, message: type[Message]) -> list[Any]:
        """Facts in the outbox, in order."""
        async with self.service.db.acquire() as conn:
            rows = await conn.fetch(
                "SELECT body FROM outbox WHERE routing_key IN ($1, $1 || '.bulk') ORDER BY seq", message.type
            )
        return [message.parse(row["body"]) for row in rows]

    async def rows(self, table: str) -> int:
        async with self.service.db.acquire() as conn:
            return int(await conn.fetchval(f"SELECT count(*) FROM {table}"))

    def stored(self) -> set[str]:
        """Keys in the object store."""
        keys = (path.relative_to(self.objects_folder).as_posix() for path in self.objects_folder.rglob("*"))
        return {key for key in keys if (self.objects_folder / key).is_file() and key != ".earshot-store"}

    def scratch(self) -> set[str]:
        return {path.relative_to(self.scratch_folder).as_posix() for path in self.scratch_folder.rglob("*")}

    async def upload(self, path: Path) -> UUID:
        """As the gateway's POST leaves it."""
        sources = Sources(self.service.db, self.service.store, cast("Any", None), cast("Any", None), 10**9)
        uploads = Uploads(self.service.db, self.service.store, sources, 10**9)

        async def body() -> AsyncGenerator[bytes]:
            yield path.read_bytes()

        upload_id = uuid7()
        async with self.service.db.acquire() as conn:
            await queries.begin_upload(conn, upload_id, path.name)
            written = await uploads._store(upload_id, body())
            await queries.complete_upload(conn, upload_id, written.size_bytes, written.sha256)
        return upload_id


def registered(source: dict[str, Any], **more: Any) -> AssetRegistered:
    given: dict[str, Any] = {"asset_id": uuid7(), "run": 1, "collection_id": uuid7(), "kind": "recording"}
    return AssetRegistered(**(given | {"title": "A meeting", "source": Source(**source)} | more))


@pytest.fixture
def register() -> Callable[..., AssetRegistered]:
    return registered


@pytest.fixture
def fetcher_database(fresh_database: Databases) -> str:
    """URL of an empty database, for the fetcher's role."""
    return fresh_database.urls["fetcher"]


@pytest.fixture
async def make_house(
    fetcher_database: str, store_url: str, tmp_path: Path
) -> AsyncGenerator[Callable[..., Awaitable[House]]]:
    """Makes a fetcher that may fetch from this machine; keyword arguments are settings."""
    services: list[Service] = []

    async def make(**settings: Any) -> House:
        quick = {"stall_seconds": 0.5, "connect_seconds": 1, "allowed_networks": "127.0.0.1/32", "platforms": ""}
        wanted = quick | {
            "database_url": fetcher_database,
            "object_store_url": store_url,
            "scratch_dir": tmp_path / "scratch",
        }
        service = build(FetcherSettings(**(wanted | settings)))
        await service.db.open()
        services.append(service)
        return House(service, Path(store_url.removeprefix("file://")), tmp_path / "scratch" / "fetcher")

    yield make
    for service in services:
        await service.stop()


@pytest.fixture
async def house(make_house: Callable[..., Awaitable[House]]) -> House:
    return await make_house()
