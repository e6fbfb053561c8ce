"""Uploads stream through the gateway; what is wrong is said as early as it can be known."""

import asyncio
import contextlib
import hashlib
import os
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import psutil
from common.identity import Verifier

from tests.integration.gateway.behind import Behind
from tests.integration.gateway.running import Gateway

FILE = {"file": ("Talk é.mp3", b"RIFFsome audio", "audio/mpeg")}


def part(name: str, value: str) -> bytes:
    return f'--zz\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()


def head(filename: str = "a.mp3") -> bytes:
    return f'--zz\r\nContent-Disposition: form-data; name="file"; filename="{filename}"\r\n\r\n'.encode()


FORM = {"Content-Type": "multipart/form-data; boundary=zz"}


async def test_a_file_and_its_fields_become_a_recording(fronted: Gateway, behind: Behind):
    fields: dict[str, Any] = {"language": "en", "transcribe": "true", "key_terms": ["Earshot", "budget, Q3"]}
    answer = await fronted.admin.http.post("/api/recordings/upload", files=FILE, data=fields)
    assert answer.status_code == 202, answer.text
    asset = answer.json()["asset"]
    assert answer.headers["location"] == f"/api/recordings/{asset['id']}"
    assert asset["title"] == "Talk é"
    assert asset["source"] == {"type": "upload", "url": None, "filename": "Talk é.mp3"}
    ((upload_id, stored),) = behind.uploads.items()
    assert (stored["filename"], stored["size"]) == ("Talk é.mp3", 14)
    assert Verifier(f"gateway={fronted.public_key}").service(stored["service"]) == "gateway"
    (fact,) = await fronted.said("asset.registered.v1")
    assert fact["source"] == {"type": "upload", "upload_id": upload_id, "filename": "Talk é.mp3"}
    assert fact["options"]["key_terms"] == ["Earshot", "budget", "Q3"]


async def test_fields_may_come_after_the_file(fronted: Gateway, behind: Behind):
    body = head() + b"audio\r\n" + part("title", "After") + part("language", "de") + b"--zz--\r\n"
    answer = await fronted.admin.http.post("/api/recordings/upload", content=body, headers=FORM)
    assert answer.json()["asset"]["title"] == "After"
    assert (await fronted.said("asset.registered.v1"))[0]["options"]["language"] == "de"


async def test_the_first_bytes_reach_the_fetcher_before_the_last_are_sent(fronted: Gateway, behind: Behind):
    async def body() -> AsyncIterator[bytes]:
        yield head() + b"first"
        await asyncio.wait_for(behind.first_bytes.wait(), 20)
        yield b"last\r\n--zz--\r\n"

    answer = await fronted.admin.http.post("/api/recordings/upload", content=body(), headers=FORM)
    assert answer.status_code == 202
    assert [stored["size"] for stored in behind.uploads.values()] == [9]


async def test_a_large_file_is_never_held_whole(fronted: Gateway, behind: Behind):
    size, chunk = 200 * 1024 * 1024, os.urandom(1024 * 1024)
    process = psutil.Process()
    before = process.memory_info().rss
    highest = before

    async def body() -> AsyncIterator[bytes]:
        nonlocal highest
        yield head("long.wav")
        for _ in range(size // len(chunk)):
            yield chunk
            highest = max(highest, process.memory_info().rss)
        yield b"\r\n--zz--\r\n"

    answer = await fronted.admin.http.post("/api/recordings/upload", content=body(), headers=FORM, timeout=120)
    assert answer.status_code == 202
    (stored,) = behind.uploads.values()
    assert stored["size"] == size
    assert stored["largest"] < 4 * 1024 * 1024
    # Client, gateway and fetcher share this process: together they grew by far less than the file.
    assert highest - before < size // 4


async def test_too_large_is_said_before_or_while_it_is_sent(make_gateway: Any, fronted: Gateway, behind: Behind):
    small = await make_gateway(fetcher_url=fronted.settings.fetcher_url, max_upload_bytes=1_000_000)
    declared = await small.admin.http.post(
        "/api/recordings/upload", content=b"x" * 3_000_000, headers=FORM | {"Content-Length": "3000000"}
    )
    assert (declared.status_code, declared.json()["error_type"]) == (413, "too_large")
    assert behind.uploads == {}
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        yield head()
        while sent < 100_000_000:
            sent += 100_000
            yield b"x" * 100_000

    with contextlib.suppress(httpx.TransportError):
        cut_off = await small.admin.http.post("/api/recordings/upload", content=endless(), headers=FORM)
        assert cut_off.status_code == 413
    assert sent < 50_000_000

    async def undeclared() -> AsyncIterator[bytes]:
        yield head() + b"x" * 3_000_000

    answer = await small.admin.http.post("/api/recordings/upload", content=undeclared(), headers=FORM)
    assert (answer.status_code, answer.json()["error_type"]) == (413, "too_large")
    assert behind.uploads == {}
    behind.upload_limit = 500_000
    by_fetcher = await small.admin.http.post("/api/recordings/upload", files={"file": ("a", b"x" * 900_000)})
    assert (by_fetcher.status_code, by_fetcher.json()["detail"]) == (413, "Too large for the fetcher.")
    assert await small.said("asset.registered.v1") == []


async def test_what_is_wrong_leaves_no_file_behind(fronted: Gateway, behind: Behind):
    http = fronted.admin.http
    wrong_after = head() + b"audio\r\n" + part("min_speakers", "many") + b"--zz--\r\n"
    answer = await http.post("/api/recordings/upload", content=wrong_after, headers=FORM)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "min_speakers")
    foreign_after = head() + b"audio\r\n" + part("collection_id", str(uuid4())) + b"--zz--\r\n"
    assert (await http.post("/api/recordings/upload", content=foreign_after, headers=FORM)).status_code == 404
    broken = head() + b"audio\r\n--zz\r\n"
    assert (await http.post("/api/recordings/upload", content=broken, headers=FORM)).status_code == 400
    two = head() + b"audio\r\n" + head() + b"audio\r\n--zz--\r\n"
    assert (await http.post("/api/recordings/upload", content=two, headers=FORM)).status_code == 400
    empty = await http.post("/api/recordings/upload", files={"file": ("a.mp3", b"")})
    assert (empty.status_code, empty.json()["error_type"]) == (422, "empty")
    assert len(behind.uploads) == 5
    assert set(behind.dropped) == set(behind.uploads)
    assert await fronted.said("asset.registered.v1") == []


async def test_what_is_known_to_be_wrong_is_said_before_the_file(fronted: Gateway, behind: Behind):
    http = fronted.admin.http
    foreign = part("collection_id", str(uuid4())) + head() + b"audio\r\n--zz--\r\n"
    assert (await http.post("/api/recordings/upload", content=foreign, headers=FORM)).status_code == 404
    unknown = part("colour", "blue") + head() + b"audio\r\n--zz--\r\n"
    assert (await http.post("/api/recordings/upload", content=unknown, headers=FORM)).status_code == 422
    nothing = part("title", "x") + b"--zz--\r\n"
    answer = await http.post("/api/recordings/upload", content=nothing, headers=FORM)
    assert (answer.status_code, answer.json()["error_type"]) == (422, "validation_error")
    assert (await http.post("/api/recordings/upload", json={"file": "x"})).status_code == 400
    assert behind.uploads == {}


async def test_a_client_that_breaks_off_leaves_nothing(fronted: Gateway, behind: Behind):
    async def unfinished() -> AsyncIterator[bytes]:
        yield head() + b"first"
        await asyncio.sleep(3600)

    sending = asyncio.create_task(fronted.admin.http.post("/api/recordings/upload", content=unfinished(), headers=FORM))
    await asyncio.wait_for(behind.first_bytes.wait(), 20)
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    async with asyncio.timeout(20):
        while behind.broken_uploads == 0:
            await asyncio.sleep(0.01)
    assert behind.uploads == {}
    assert await fronted.said("asset.registered.v1") == []


async def test_the_same_upload_sent_twice_is_one_recording_and_one_file(fronted: Gateway, behind: Behind):
    headers = {"Idempotency-Key": "u"}
    first = await fronted.admin.http.post("/api/recordings/upload", files=FILE, headers=headers)
    second = await fronted.admin.http.post("/api/recordings/upload", files=FILE, headers=headers)
    assert first.json()["asset"]["id"] == second.json()["asset"]["id"]
    kept, again = behind.uploads
    assert behind.dropped == [again]
    other = {"file": ("Talk é.mp3", b"other audio", "audio/mpeg")}
    third = await fronted.admin.http.post("/api/recordings/upload", files=other, headers=headers)
    assert third.status_code == 409
    assert len(behind.dropped) == 2
    assert kept not in behind.dropped


async def test_the_fetcher_being_away_is_said_so(gateway: Gateway):
    answer = await gateway.admin.http.post("/api/recordings/upload", files=FILE)
    assert (answer.status_code, answer.json()["error_type"]) == (503, "unavailable")


async def test_many_uploads_at_once_do_not_mix(fronted: Gateway, behind: Behind):
    files = [os.urandom(200_000 + n) for n in range(8)]
    answers = await asyncio.gather(
        *(
            fronted.admin.http.post("/api/recordings/upload", files={"file": (f"{n}.wav", data)})
            for n, data in enumerate(files)
        )
    )
    assert {answer.json()["asset"]["title"] for answer in answers} == {str(n) for n in range(8)}
    assert sorted(stored["size"] for stored in behind.uploads.values()) == sorted(map(len, files))
    assert len({hashlib.sha256(data).digest() for data in files}) == 8
