"""Uploads from the gateway and media to listeners, over HTTP."""

import hashlib
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
import pytest
from common.identity import IDENTITY_HEADER, SERVICE_HEADER, Caller, Signer, new_key_pair
from common.ids import uuid7

LIMIT = 300_000


@dataclass
class Door:
    """The fetcher's HTTP side, with a gateway that vouches for whoever it is told to."""

    house: Any
    http: httpx.AsyncClient
    signer: Signer

    def viewer(self, asset_id: UUID, role: Any = "viewer") -> dict[str, str]:
        caller = Caller(uuid7(), asset_id=asset_id, asset_role=role, collection_id=uuid7())
        return {IDENTITY_HEADER: self.signer.user_token(caller)}

    def service(self) -> dict[str, str]:
        return {SERVICE_HEADER: self.signer.service_token()}


@pytest.fixture
async def door(make_house: Any) -> AsyncGenerator[Door]:
    private, public = new_key_pair()
    house = await make_house(identity_public_keys=f"gateway={public}", max_file_bytes=LIMIT)
    transport = httpx.ASGITransport(house.service.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://fetcher") as http:
        yield Door(house, http, Signer("gateway", private))


@dataclass
class Fetched:
    """A recording that is there, with the bytes of its playback copy."""

    asset_id: UUID
    url: str
    content: bytes


@pytest.fixture
async def fetched(door: Door, studio: Any, register: Any) -> Fetched:
    asset = register({"type": "upload", "upload_id": await door.house.upload(studio.tone())}, keep_media="original")
    await door.house.deliver(asset)
    (key,) = [key for key in door.house.stored() if key.startswith("playback/")]
    content = (door.house.objects_folder / key).read_bytes()
    return Fetched(asset.asset_id, f"/api/recordings/{asset.asset_id}/media", content)


async def pieces(content: bytes, size: int = 10_000) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


class TestUploads:
    async def test_a_stream_is_stored(self, door: Door) -> None:
        content = bytes(range(256)) * 900
        answer = await door.http.post(
            "/internal/uploads",
            content=pieces(content),
            headers=door.service() | {"X-Upload-Filename": "B%C3%BCro%20Montag.mp3"},
        )
        assert answer.status_code == 201
        receipt = answer.json()
        assert receipt["size_bytes"] == len(content)
        assert receipt["sha256"] == hashlib.sha256(content).hexdigest()
        key = f"uploads/{receipt['upload_id']}"
        assert (door.house.objects_folder / key).read_bytes() == content
        async with door.house.service.db.acquire() as conn:
            assert await conn.fetchval("SELECT filename FROM uploads") == "Büro Montag.mp3"

        gone = await door.http.delete(f"/internal/{key}", headers=door.service())
        assert gone.status_code == 204
        assert door.house.stored() == set()
        assert await door.house.rows("uploads") == 0
        again = await door.http.delete(f"/internal/{key}", headers=door.service())
        assert again.status_code == 204

    @pytest.mark.parametrize("announced", [True, False])
    async def test_too_large(self, announced: bool, door: Door) -> None:
        content = bytes(LIMIT + 1)
        answer = await door.http.post(
            "/internal/uploads", content=content if announced else pieces(content), headers=door.service()
        )
        assert (answer.status_code, answer.json()["error_type"]) == (413, "too_large")
        assert answer.json()["advice"]
        assert door.house.stored() == set()
        assert await door.house.rows("uploads") == 0

    async def test_exactly_the_limit(self, door: Door) -> None:
        answer = await door.http.post("/internal/uploads", content=pieces(bytes(LIMIT)), headers=door.service())
        assert answer.status_code == 201

    async def test_empty(self, door: Door) -> None:
        answer = await door.http.post("/internal/uploads", content=b"", headers=door.service())
        assert (answer.status_code, answer.json()["error_type"]) == (422, "validation_error")
        assert door.house.stored() == set()
        assert await door.house.rows("uploads") == 0

    async def test_broken_off(self, door: Door) -> None:
        """The body ends in a disconnect; the ASGI side sees what uvicorn would tell it."""
        messages = [
            {"type": "http.request", "body": b"fLaC" * 100, "more_body": True},
            {"type": "http.disconnect"},
        ]
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return messages.pop(0)

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        headers = [(name.lower().encode(), value.encode()) for name, value in door.service().items()]
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
            "path": "/internal/uploads", "raw_path": b"/internal/uploads", "query_string": b"", "root_path": "",
            "headers": headers, "client": ("127.0.0.1", 1), "server": ("fetcher", 80),
        }  # fmt: skip
        await door.house.service.app(scope, receive, send)
        assert messages == []
        assert door.house.stored() == set()
        assert await door.house.rows("uploads") == 0

    @pytest.mark.parametrize("header", [None, "user", "stranger"])
    async def test_only_services_get_in(self, header: str | None, door: Door) -> None:
        headers = {}
        if header == "user":
            headers = {SERVICE_HEADER: door.viewer(uuid7())[IDENTITY_HEADER]}
        if header == "stranger":
            headers = {SERVICE_HEADER: Signer("gateway", new_key_pair()[0]).service_token()}
        for answer in (
            await door.http.post("/internal/uploads", content=b"x", headers=headers),
            await door.http.delete(f"/internal/uploads/{uuid7()}", headers=headers),
        ):
            assert answer.status_code == 401
        assert await door.house.rows("uploads") == 0


class TestMedia:
    async def test_whole(self, door: Door, fetched: Fetched) -> None:
        answer = await door.http.get(fetched.url, headers=door.viewer(fetched.asset_id))
        assert answer.status_code == 200
        assert answer.content == fetched.content
        assert answer.headers["content-type"] == 'audio/mp4; codecs="opus"'
        assert answer.headers["accept-ranges"] == "bytes"
        assert answer.headers["content-length"] == str(len(fetched.content))
        assert answer.headers["cache-control"] == "private, no-cache"

    async def test_head_says_the_same_without_the_bytes(self, door: Door, fetched: Fetched) -> None:
        viewer = door.viewer(fetched.asset_id)
        head = await door.http.head(fetched.url, headers=viewer)
        whole = await door.http.get(fetched.url, headers=viewer)
        assert (head.status_code, head.content) == (200, b"")
        for name in ("content-length", "content-type", "etag", "accept-ranges"):
            assert head.headers[name] == whole.headers[name]

    @pytest.mark.parametrize(
        ("header", "first", "last"),
        [("bytes=0-0", 0, 0), ("bytes=100-199", 100, 199), ("bytes=1000-", 1000, -1), ("bytes=-10", -10, -1),
         ("bytes=5-99999999", 5, -1)],
    )  # fmt: skip
    async def test_a_range(self, header: str, first: int, last: int, door: Door, fetched: Fetched) -> None:
        size = len(fetched.content)
        first, last = first % size, last % size
        answer = await door.http.get(fetched.url, headers=door.viewer(fetched.asset_id) | {"Range": header})
        assert answer.status_code == 206
        assert answer.content == fetched.content[first : last + 1]
        assert answer.headers["content-range"] == f"bytes {first}-{last}/{size}"
        assert answer.headers["content-length"] == str(last + 1 - first)

    async def test_no_such_range(self, door: Door, fetched: Fetched) -> None:
        size = len(fetched.content)
        headers = door.viewer(fetched.asset_id) | {"Range": f"bytes={size}-"}
        answer = await door.http.get(fetched.url, headers=headers)
        assert answer.status_code == 416
        assert answer.headers["content-range"] == f"bytes */{size}"
        assert answer.json()["error_type"] == "range_not_satisfiable"

    @pytest.mark.parametrize("header", ["bytes=0-1,5-6", "lines=1-2", "bytes=9-1"])
    async def test_what_is_no_single_range_is_the_whole(self, header: str, door: Door, fetched: Fetched) -> None:
        answer = await door.http.get(fetched.url, headers=door.viewer(fetched.asset_id) | {"Range": header})
        assert (answer.status_code, answer.content) == (200, fetched.content)

    async def test_conditions(self, door: Door, fetched: Fetched) -> None:
        viewer = door.viewer(fetched.asset_id)
        etag = (await door.http.head(fetched.url, headers=viewer)).headers["etag"]
        assert etag == f'"{hashlib.sha256(fetched.content).hexdigest()}"'
        same = await door.http.get(fetched.url, headers=viewer | {"If-None-Match": etag})
        assert (same.status_code, same.content) == (304, b"")
        ranged = {"Range": "bytes=0-9"}
        valid = await door.http.get(fetched.url, headers=viewer | ranged | {"If-Range": etag})
        assert valid.status_code == 206
        outdated = await door.http.get(fetched.url, headers=viewer | ranged | {"If-Range": '"another"'})
        assert (outdated.status_code, outdated.content) == (200, fetched.content)

    async def test_the_original(self, door: Door, fetched: Fetched, studio: Any) -> None:
        answer = await door.http.get(f"{fetched.url}?original=true", headers=door.viewer(fetched.asset_id))
        assert answer.content == studio.tone().read_bytes()
        assert answer.headers["content-type"] == "audio/flac"
        assert answer.headers["content-disposition"].startswith("attachment")

    async def test_what_is_not_kept(self, door: Door, studio: Any, register: Any) -> None:
        asset = register({"type": "upload", "upload_id": await door.house.upload(studio.tone())}, keep_media="none")
        await door.house.deliver(asset)
        url = f"/api/recordings/{asset.asset_id}/media"
        answer = await door.http.get(url, headers=door.viewer(asset.asset_id))
        assert (answer.status_code, "keep_media" in answer.json()["advice"]) == (404, True)

    async def test_what_is_not_there_yet(self, door: Door) -> None:
        asset_id = uuid7()
        answer = await door.http.get(f"/api/recordings/{asset_id}/media", headers=door.viewer(asset_id))
        assert (answer.status_code, bool(answer.json()["advice"])) == (404, True)

    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    async def test_strangers_find_nothing(self, method: str, door: Door, fetched: Fetched) -> None:
        other = door.viewer(uuid7())
        assert (await door.http.request(method, fetched.url, headers=other)).status_code == 404
        nobody = {IDENTITY_HEADER: door.signer.user_token(Caller(uuid7(), asset_id=fetched.asset_id))}
        assert (await door.http.request(method, fetched.url, headers=nobody)).status_code == 404
        assert (await door.http.request(method, fetched.url)).status_code == 401

    async def test_bytes_that_are_gone(self, door: Door, fetched: Fetched) -> None:
        for key in door.house.stored():
            await door.house.service.store.delete(key)
        answer = await door.http.get(fetched.url, headers=door.viewer(fetched.asset_id))
        assert answer.status_code == 404


async def test_metrics_and_health(door: Door, fetched: Fetched) -> None:
    await door.http.get(fetched.url, headers=door.viewer(fetched.asset_id))
    shown = (await door.http.get("/metrics")).text
    for name in ("fetches_total", "served_bytes_total", "step_seconds_count", "recorded_seconds_total"):
        assert f"earshot_fetcher_{name}" in shown
    assert str(fetched.asset_id) not in shown
    assert (await door.http.get("/health/live")).status_code == 200
