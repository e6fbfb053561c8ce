"""Forwarding over real sockets: untouched both ways, signed, and ended when either side leaves."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import uuid4

import httpx
import pytest
from common.identity import Verifier

from tests.integration.gateway.behind import MEDIA, Behind
from tests.integration.gateway.running import Gateway


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0.01)


def header(seen: dict[str, Any], name: str) -> list[str]:
    return [value for key, value in seen["headers"] if key.lower() == name]


async def test_who_asks_is_signed_and_whatever_the_client_claims_is_stripped(fronted: Gateway, behind: Behind):
    asset = (await fronted.add())["asset"]
    forged = {
        "X-Earshot-Identity": "forged",
        "X-Earshot-Service": "forged",
        "X-Forwarded-For": "6.6.6.6",
        "Cookie": "earshot_session=x",
        "X-Request-Id": "req-1",
        "Range": "bytes=0-9",
    }
    answer = await fronted.admin.http.get(f"/api/recordings/{asset['short_id']}/media", headers=forged)
    assert answer.status_code == 206
    seen = behind.seen[-1]
    assert seen["path"] == f"/api/recordings/{asset['id']}/media"
    (token,) = header(seen, "x-earshot-identity")
    caller = Verifier(f"gateway={fronted.public_key}").user(token)
    assert (caller.user_id, str(caller.asset_id), caller.asset_role) == (fronted.admin.id, asset["id"], "owner")
    assert str(caller.collection_id) == asset["collection_id"]
    for stripped in ("authorization", "cookie", "x-api-key", "x-earshot-service", "x-forwarded-for"):
        assert header(seen, stripped) == []
    assert header(seen, "x-request-id") == ["req-1"] == [answer.headers["x-request-id"]]
    assert header(seen, "traceparent")


async def test_ranges_pass_untouched(fronted: Gateway):
    asset = (await fronted.add())["asset"]
    path = f"/api/recordings/{asset['id']}/media"
    http = fronted.admin.http
    whole = await http.get(path)
    assert (whole.status_code, whole.content) == (200, MEDIA)
    assert (whole.headers["accept-ranges"], whole.headers["etag"]) == ("bytes", '"m"')
    part = await http.get(path, headers={"Range": "bytes=1000-1999"})
    assert (part.status_code, part.content) == (206, MEDIA[1000:2000])
    assert part.headers["content-range"] == f"bytes 1000-1999/{len(MEDIA)}"
    beyond = await http.get(path, headers={"Range": f"bytes={len(MEDIA)}-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{len(MEDIA)}")
    head = await http.head(path)
    assert (head.status_code, head.headers["content-length"], head.content) == (200, str(len(MEDIA)), b"")


async def test_bodies_queries_and_odd_paths_pass_untouched(fronted: Gateway, behind: Behind):
    answer = await fronted.admin.http.post("/api/echo?a=1&a=%2F&b=%C3%A9", content=b"\x00\xff raw")
    assert answer.json()["query"] == "a=1&a=%2F&b=%C3%A9"
    assert answer.json()["body"] == "\x00\xff raw"
    collection = (await fronted.admin.http.get("/api/collections")).json()["items"][0]["id"]
    assert (await fronted.admin.http.get(f"/api/collections/{collection}/echo")).status_code == 200
    asset = (await fronted.add())["asset"]
    odd = f"/api/recordings/{asset['id']}/media/b%3Fc%20d%C3%A9"
    assert (await fronted.admin.http.put(odd, content=b"x")).json()["path"] == odd

    async def chunked() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"piece"

    assert (await fronted.admin.http.post("/api/echo", content=chunked())).json()["body"] == "piece" * 3
    assert behind.seen


async def test_files_stream_past_the_limit_that_json_has(fronted: Gateway):
    big = b"a" * 3_000_000
    assert (await fronted.admin.http.post("/api/files", content=big)).json()["body"] == "3000000 bytes"
    refused = await fronted.admin.http.post("/api/echo", content=big)
    assert (refused.status_code, refused.json()["error_type"]) == (413, "too_large")

    async def undeclared() -> AsyncIterator[bytes]:
        for _ in range(30):
            yield b"a" * 100_000

    late = await fronted.admin.http.post("/api/echo", content=undeclared())
    assert late.status_code == 413


async def test_events_arrive_as_they_are_sent_and_leaving_ends_the_upstream(fronted: Gateway, behind: Behind):
    async with fronted.admin.http.stream("GET", "/api/stream") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.aiter_lines()
        ids = [line for line in [await anext(lines) for _ in range(9)] if line.startswith("id:")]
        assert ids == ["id: 0", "id: 1", "id: 2"]
        assert behind.open_streams == 1
    await until(lambda: behind.cancelled_streams == 1)
    assert behind.open_streams == 0


async def test_a_client_that_leaves_before_the_answer_begins_ends_the_upstream_too(fronted: Gateway, behind: Behind):
    asking = asyncio.create_task(fronted.admin.http.get("/api/slow"))
    await until(lambda: behind.open_streams == 1)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    await until(lambda: behind.cancelled_streams == 1)


async def test_a_client_that_leaves_while_sending_ends_the_upstream_too(fronted: Gateway, behind: Behind):
    stuck = asyncio.Event()

    async def unfinished() -> AsyncIterator[bytes]:
        yield b"begun"
        await stuck.wait()

    sending = asyncio.create_task(fronted.admin.http.post("/api/files", content=unfinished()))
    await asyncio.sleep(0.2)
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    # The service saw no whole request, and the gateway goes on.
    assert (await fronted.admin.http.get("/api/echo")).status_code == 200
    assert [seen for seen in behind.seen if seen["method"] == "POST"] == []


async def test_a_hundred_open_streams_do_not_hold_up_the_next_request(fronted: Gateway, behind: Behind):
    limits = httpx.Limits(max_connections=None)
    headers = {"Authorization": f"Bearer {fronted.admin.key}"}
    async with httpx.AsyncClient(base_url=fronted.url, headers=headers, limits=limits, timeout=30) as http:

        async def listen(begun: asyncio.Event) -> None:
            async with http.stream("GET", "/api/stream") as answer:
                async for _ in answer.aiter_lines():
                    begun.set()

        begun = [asyncio.Event() for _ in range(100)]
        listeners = [asyncio.create_task(listen(event)) for event in begun]
        await asyncio.gather(*(event.wait() for event in begun))
        assert behind.open_streams == 100
        assert (await fronted.admin.http.get("/api/echo")).status_code == 200
        for listener in listeners:
            listener.cancel()
        await asyncio.gather(*listeners, return_exceptions=True)
    await until(lambda: behind.open_streams == 0)


async def test_half_an_answer_is_never_taken_for_a_whole_one(fronted: Gateway):
    with pytest.raises(httpx.RemoteProtocolError):
        await fronted.admin.http.get("/api/half")


async def test_redirects_are_handed_on_not_followed(fronted: Gateway):
    answer = await fronted.admin.http.get("/api/moved")
    assert (answer.status_code, answer.headers["location"]) == (307, "http://169.254.169.254/latest")


async def test_a_service_that_is_away_is_503_with_retry_after(fronted: Gateway):
    answer = await fronted.admin.http.get("/api/away")
    assert (answer.status_code, answer.json()["error_type"]) == (503, "unavailable")
    assert int(answer.headers["retry-after"]) > 0


async def test_unknown_routes_methods_and_foreign_assets(fronted: Gateway, behind: Behind):
    http = fronted.admin.http
    assert (await http.get("/api/nothing/here")).status_code == 404
    assert (await http.delete("/api/echo")).status_code == 405
    other = await fronted.person("other")
    asset = (await fronted.add())["asset"]
    before = len(behind.seen)
    for name in (asset["id"], asset["short_id"], str(uuid4()), "nonsense"):
        answer = await other.http.get(f"/api/recordings/{name}/media")
        assert (answer.status_code, answer.json()["error_type"]) == (404, "not_found")
    assert (await other.http.get(f"/api/collections/{asset['collection_id']}/echo")).status_code == 404
    await http.put(f"/api/collections/{asset['collection_id']}/members/{other.id}", json={"role": "viewer"})
    assert (await other.http.put(f"/api/recordings/{asset['id']}/media/x", content=b"x")).status_code == 403
    assert len(behind.seen) == before
    await http.delete(f"/api/assets/{asset['id']}")
    assert (await http.get(f"/api/recordings/{asset['id']}/media")).status_code == 404


async def test_scopes_hold_for_forwarded_routes(fronted: Gateway):
    reader = await fronted.person("reader", ["read"])
    assert (await reader.http.get("/api/echo")).status_code == 200
    # The route says that this POST only reads.
    assert (await reader.http.post("/api/echo")).status_code == 200
    assert (await reader.http.post("/api/files", content=b"x")).status_code == 403


async def test_a_public_route_needs_nobody_and_names_nobody(fronted: Gateway, behind: Behind):
    async with httpx.AsyncClient(base_url=fronted.url, trust_env=False) as http:
        assert (await http.get("/api/open")).status_code == 200
        assert (await http.get("/api/echo")).status_code == 401
    assert header(behind.seen[-1], "x-earshot-identity") == []
