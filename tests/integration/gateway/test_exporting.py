"""Exports over real sockets: whole as the importer reads them, or visibly broken off, and only for who may read."""

import asyncio
import json
import zipfile
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from common.identity import Caller, Verifier
from earshot import portable
from gateway.exporting import export
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.integration.gateway.behind import MEDIA
from tests.integration.gateway.running import NOWHERE, Gateway, Person, serving

SAID = {"complete": True, "segments": [{"text": "paint " * 50_000}]}
WRITTEN = {"status": "ready", "bottom_line": [{"text": "Paint it."}]}

Pieces = Callable[[], AsyncIterator[bytes]]


async def whole() -> AsyncIterator[bytes]:
    yield MEDIA


async def torn() -> AsyncIterator[bytes]:
    yield MEDIA
    raise ConnectionAbortedError


@dataclass
class Services:
    """asr, chat and fetcher in one: what they hold by path, how media come, and who asked for what."""

    held: dict[str, Any] = field(default_factory=dict[str, Any])
    media: Pieces = whole
    asked: dict[str, str] = field(default_factory=dict[str, str])
    before: Callable[[str], Awaitable[object]] | None = None
    open_media: int = 0

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/{path:path}", self.answer)])

    async def answer(self, request: Request) -> Response:
        path = request.url.path
        self.asked[path] = request.headers["x-earshot-identity"]
        if self.before is not None:
            await self.before(path)
        if path not in self.held:
            return JSONResponse({"detail": "Nothing."}, 404)
        if path.endswith("/media"):
            return StreamingResponse(self._streamed(), media_type="audio/mp4")
        return JSONResponse(self.held[path])

    async def _streamed(self) -> AsyncIterator[bytes]:
        self.open_media += 1
        try:
            async for piece in self.media():
                yield piece
        finally:
            self.open_media -= 1

    def hold(self, asset_id: str, transcript: Any, summary: Any, *, media: bool) -> None:
        self.held[f"/api/recordings/{asset_id}/transcript"] = transcript
        self.held[f"/api/assets/{asset_id}/summary"] = summary
        if media:
            self.held[f"/api/recordings/{asset_id}/media"] = True


@pytest.fixture
def services() -> Services:
    return Services()


@pytest.fixture
async def gateway(make_gateway: Any, services: Services) -> AsyncGenerator[Gateway]:
    async with serving(services.app()) as url:
        yield await make_gateway(fetcher_url=url, asr_url=url, chat_url=url)


async def make(person: Person, name: str) -> str:
    return (await person.http.post("/api/collections", json={"name": name, "key_terms": ["Ångström"]})).json()["id"]


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0.01)


async def test_a_collection_leaves_whole_for_whoever_may_read_it(
    gateway: Gateway, services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(export, "_PAGE", 2)
    admin, home = gateway.admin.http, await make(gateway.admin, "Größe / 1")
    path = f"/api/collections/{home}/export"
    empty = await admin.get(path)
    assert (empty.status_code, services.asked) == (200, {})
    assert zipfile.ZipFile(BytesIO(empty.content)).namelist() == ["assets.jsonl", "earshot-export.json"]

    added = [(await gateway.add(collection_id=home, title=f"Talk {n}"))["asset"] for n in range(5)]
    first, gone, moved, bare, unfinished = (asset["id"] for asset in added)
    await admin.patch(f"/api/assets/{first}", json={"tags": ["sea"], "recorded_at": "2026-02-03T04:05:06Z"})
    for asset_id in (first, gone, moved):
        services.hold(asset_id, SAID, WRITTEN, media=True)
    services.hold(unfinished, SAID | {"complete": False}, {"status": "running"}, media=False)
    elsewhere = await make(gateway.admin, "Elsewhere")

    async def lose(asked: str) -> None:
        """Just before it would be written."""
        if asked == f"/api/recordings/{gone}/media":
            assert (await admin.delete(f"/api/assets/{gone}")).status_code == 202
        if asked == f"/api/recordings/{moved}/media":
            assert (await admin.patch(f"/api/assets/{moved}", json={"collection_id": elsewhere})).status_code == 200
        if asked == f"/api/recordings/{bare}/media":
            # What comes while it is written is no part of it.
            await gateway.add(collection_id=home)

    services.before = lose
    other = await gateway.person("other")
    assert (await other.http.get(f"{path}?media=true")).status_code == 404
    assert services.asked == {}
    await admin.put(f"/api/collections/{home}/members/{other.id}", json={"role": "viewer"})
    answer = await other.http.get(f"{path}?media=true")
    assert answer.status_code == 200, answer.text
    assert (answer.headers["content-type"], answer.headers["cache-control"]) == ("application/zip", "no-store")
    named = "attachment; filename=\"Groe 1.zip\"; filename*=UTF-8''Gr%C3%B6%C3%9Fe%201.zip"
    assert answer.headers["content-disposition"] == named

    (tmp_path / "export.zip").write_bytes(answer.content)
    place = portable.place_at(tmp_path / "export.zip")
    manifest = portable.read_manifest(place)
    assert (manifest.complete, manifest.assets) == (True, 3)
    (collection,) = manifest.collections
    assert (str(collection.id), collection.name, collection.key_terms) == (home, "Größe / 1", ["Ångström"])
    one, two, three = portable.read_assets(place, manifest)
    assert [str(each.id) for each in (one, two, three)] == [first, bare, unfinished]
    assert (one.title, one.tags, one.link) == ("Talk 0", ["sea"], "https://media.example.org/talk.mp3")
    assert (one.files.keys(), two.files, three.files) == ({"transcript", "summary", "media"}, {}, {})
    documents: dict[portable.Kind, Any] = {"transcript": SAID, "summary": WRITTEN}
    for file, content in documents.items():
        fetched = portable.fetch(place, one.files[file], tmp_path / file)
        assert json.loads(fetched.read_bytes()) == content
    assert portable.fetch(place, one.files["media"], tmp_path / "media").read_bytes() == MEDIA
    place.close()

    verifier = Verifier(f"gateway={gateway.public_key}")
    callers = [verifier.user(services.asked[each]) for each in services.asked if first in each]
    token = services.asked[f"/api/recordings/{first}/media"]
    assert len(callers) == 3
    wanted = Caller(other.id, False, one.id, "viewer", one.collection_id, token)
    assert verifier.user(token) == wanted
    services.asked.clear()
    assert (await admin.get(path)).status_code == 200
    assert not any(asked.endswith("/media") for asked in services.asked)


async def test_what_breaks_off_is_no_archive_and_one_at_a_time_is_enough(gateway: Gateway, services: Services):
    admin, home = gateway.admin.http, await make(gateway.admin, "Talks")
    asset_id = (await gateway.add(collection_id=home))["asset"]["id"]
    services.hold(asset_id, SAID, WRITTEN, media=True)
    path = f"/api/collections/{home}/export"
    viewer = await gateway.person("viewer")
    member = f"/api/collections/{home}/members/{viewer.id}"
    await admin.put(member, json={"role": "viewer"})

    async def download(person: Person, got: list[bytes]) -> None:
        async with person.http.stream("GET", path, params={"media": "true"}) as answer:
            assert answer.status_code == 200
            async for piece in answer.aiter_raw():
                got.append(piece)

    async def broken_off(person: Person) -> None:
        got: list[bytes] = []
        with pytest.raises(httpx.RemoteProtocolError):
            await download(person, got)
        assert got
        assert not zipfile.is_zipfile(BytesIO(b"".join(got)))

    services.media = torn
    await broken_off(gateway.admin)

    # The last page is asked for when the viewer is no member any more: no rows are no end.
    async def leave() -> AsyncIterator[bytes]:
        yield MEDIA
        assert (await admin.delete(member)).status_code == 204

    services.media = leave
    await broken_off(viewer)
    await admin.put(member, json={"role": "viewer"})

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield MEDIA
            await asyncio.sleep(0.01)

    services.media = endless
    async with admin.stream("GET", path, params={"media": "true"}) as answer:
        assert answer.status_code == 200
        coming = answer.aiter_raw()
        assert await anext(coming)
        second = await admin.get(path)
        assert (second.status_code, second.json()["error_type"]) == (429, "rate_limited")
        assert int(second.headers["retry-after"]) > 0
        assert (await viewer.http.get(path)).status_code == 200
        assert services.open_media == 1
    # Who leaves ends the upstream, and may come again.
    await until(lambda: services.open_media == 0)
    await until(lambda: not gateway.service.app.state.door.exporting)
    assert (await admin.get(path)).status_code == 200

    # Before the first byte whatever is away is said; without sound nobody asks for it.
    services.held[f"/api/assets/{asset_id}/summary"] = "something else"
    answer = await admin.get(path)
    assert (answer.status_code, answer.json()["error_type"]) == (503, "unavailable")
    assert int(answer.headers["retry-after"]) > 0
    services.held[f"/api/assets/{asset_id}/summary"] = WRITTEN
    gateway.service.app.state.door.upstreams._urls["fetcher"] = NOWHERE.replace("amqp://guest:guest@", "http://")
    assert (await admin.get(path, params={"media": "true"})).status_code == 503
    assert (await admin.get(path)).status_code == 200
    assert (await admin.get(f"/api/collections/{uuid4()}/export")).status_code == 404
