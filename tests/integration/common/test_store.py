"""One suite for both object stores: a directory, and S3 spoken to moto's server by boto3."""

import asyncio
import hashlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from pathlib import Path
from typing import BinaryIO

import pytest
from common import bootstrap
from common.ids import uuid7
from common.store import ObjectMissing, ObjectStore, ObjectTooLarge, open_store
from common.store_directory import DirectoryStore, pinned
from moto.server import ThreadedMotoServer


@pytest.fixture(params=["directory", "s3"])
async def store(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[ObjectStore]:
    if request.param == "directory":
        url = f"file://{tmp_path / 'a folder'}"
        await bootstrap.prepare_store(url)
        yield open_store(url)
        return
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    # The server keeps its state for the whole process: a bucket for each test, which set-up makes.
    bucket = f"earshot-{uuid7().hex}"
    url = f"s3://{bucket}/a-prefix?endpoint_url={endpoint}"
    await bootstrap.prepare_store(url)
    try:
        yield open_store(url)
    finally:
        server.stop()


async def stream(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def collect(chunks: AsyncIterator[bytes]) -> bytes:
    return b"".join([chunk async for chunk in chunks])


async def test_bytes_come_back_as_they_were(store: ObjectStore) -> None:
    await store.put_bytes("kind/ab/x.bin", b"hello")
    assert await store.get_bytes("kind/ab/x.bin") == b"hello"
    assert await store.size("kind/ab/x.bin") == 5


async def test_files_go_in_and_out(store: ObjectStore, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"content")
    await store.put_file("a/b", tmp_path / "in")
    await store.fetch_file("a/b", tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == b"content"


@pytest.mark.parametrize(
    ("start", "end", "wanted"),
    [(0, None, b"0123456789"), (3, 6, b"345"), (7, None, b"789"), (9, 40, b"9"), (4, 4, b""), (20, 30, b"")],
)
async def test_ranges(store: ObjectStore, start: int, end: int | None, wanted: bytes) -> None:
    await store.put_bytes("r", b"0123456789")
    assert await collect(store.read("r", start, end)) == wanted


async def test_a_stream_is_measured_on_its_way(store: ObjectStore) -> None:
    # More than one S3 part.
    chunk = b"x" * (3 * 1024 * 1024)
    written = await store.write_stream("s", stream(chunk, chunk, chunk, chunk))
    assert written.size_bytes == 4 * len(chunk)
    assert written.sha256 == hashlib.sha256(chunk * 4).hexdigest()
    assert await store.size("s") == written.size_bytes


async def test_too_large_a_stream_leaves_nothing(store: ObjectStore) -> None:
    with pytest.raises(ObjectTooLarge):
        await store.write_stream("s", stream(b"12345", b"67890"), max_bytes=8)
    with pytest.raises(ObjectMissing):
        await store.size("s")
    assert [key async for key in store.keys("")] == []


async def test_an_empty_stream_is_an_empty_object(store: ObjectStore) -> None:
    written = await store.write_stream("s", stream())
    assert (written.size_bytes, await store.size("s")) == (0, 0)


async def test_missing_objects_say_so(store: ObjectStore, tmp_path: Path) -> None:
    for attempt in (
        store.get_bytes("no"),
        store.size("no"),
        store.fetch_file("no", tmp_path / "x"),
        collect(store.read("no")),
    ):
        with pytest.raises(ObjectMissing):
            await attempt
    await store.delete("no")


async def test_keys_are_listed_by_prefix_and_deleted(store: ObjectStore) -> None:
    for key in ("a/1", "a/2", "b/1"):
        await store.put_bytes(key, b"x")
    assert [key async for key in store.keys("a/")] == ["a/1", "a/2"]
    await store.delete("a/1")
    assert [key async for key in store.keys("")] == ["a/2", "b/1"]


@pytest.mark.parametrize("key", ["../x", "/etc/passwd", "a/../../b", "", "a//b", "a\x00b", "."])
async def test_keys_cannot_leave_the_store(store: ObjectStore, key: str) -> None:
    with pytest.raises(ValueError, match="not a key"):
        await store.put_bytes(key, b"x")


async def test_an_unmarked_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="earshot migrate"):
        await open_store(f"file://{tmp_path}/elsewhere").check()


async def test_deleting_beside_writing_loses_nothing(store: ObjectStore) -> None:
    async def write(number: int) -> None:
        await store.put_bytes(f"d/{number}", b"x")
        if number % 2:
            await store.delete(f"d/{number}")

    await asyncio.gather(*(write(number) for number in range(40)))
    assert sorted([key async for key in store.keys("d/")]) == sorted(f"d/{n}" for n in range(0, 40, 2))


@pytest.fixture
async def directory(tmp_path: Path) -> tuple[DirectoryStore, Path]:
    root = tmp_path / "objects"
    await bootstrap.prepare_store(root.as_uri())
    return DirectoryStore(root), root


async def test_what_is_deleted_while_the_store_is_pinned_waits_for_its_end(
    directory: tuple[DirectoryStore, Path],
) -> None:
    store, root = directory
    await store.put_bytes("a/b/1", b"one")
    with pinned(root) as read:
        await store.delete("a/b/1")
        with pytest.raises(ObjectMissing):
            await store.get_bytes("a/b/1")
        assert [key async for key in store.keys("")] == []
        assert content(read, "a/b/1") == b"one"
        # The same content may come back, and go again.
        await store.put_bytes("a/b/1", b"one")
        await store.delete("a/b/1")
        assert content(read, "a/b/1") == b"one"
        assert content(read, "a/b/2") is None
    assert [path.name for path in root.rglob("*") if path.is_file()] == [".earshot-store"]


def content(read: Callable[[str], BinaryIO], key: str) -> bytes | None:
    try:
        with read(key) as file:
            return file.read()
    except ObjectMissing:
        return None


async def test_deletions_of_many_meet_a_pin(directory: tuple[DirectoryStore, Path]) -> None:
    store, root = directory
    keys = [f"d/{number}" for number in range(60)]
    for key in keys:
        await store.put_bytes(key, key.encode())
    deleting = [asyncio.create_task(store.delete(key)) for key in keys]

    def pin() -> tuple[list[str], dict[str, bytes | None]]:
        with pinned(root) as read:
            # As in a backup: what is there in one moment is there until the end.
            there = [key for key in keys if content(read, key) is not None]
            time.sleep(0.05)
            return there, {key: content(read, key) for key in there}

    there, read = await asyncio.to_thread(pin)
    await asyncio.gather(*deleting)
    assert read == {key: key.encode() for key in there}
    assert [key async for key in store.keys("d/")] == []


async def test_one_at_a_time_pins_a_store(
    directory: tuple[DirectoryStore, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, root = directory
    monkeypatch.setattr("common.store_directory._PIN_SECONDS", 0.0)
    with pinned(root), pytest.raises(BlockingIOError), pinned(root):
        pass
    with pinned(root) as read:
        assert content(read, "x") is None


async def test_what_a_killed_backup_left_aside_goes_with_the_next_deletion(
    directory: tuple[DirectoryStore, Path],
) -> None:
    store, root = directory
    (root / ".aside" / "a").mkdir(parents=True)
    (root / ".aside" / "a" / "1").write_bytes(b"left")
    await store.put_bytes("b", b"b")
    await store.delete("b")
    assert not (root / ".aside").exists()
