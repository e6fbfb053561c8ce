"""Recordings on local disk: fetched once, bounded, removed, and never mixed up."""

import asyncio
import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
from asr.providers.recordings import Recordings
from asr.providers.scratch import Scratch
from common.errors import CannotProcess, TryAgain
from common.store_directory import DirectoryStore


class CountingStore(DirectoryStore):
    """A directory store that notes what is fetched."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.fetched: list[str] = []

    async def fetch_file(self, key: str, path: Path) -> None:
        self.fetched.append(key)
        await super().fetch_file(key, path)


@pytest.fixture
def store(tmp_path: Path) -> CountingStore:
    return CountingStore(tmp_path / "store")


def recordings(store: CountingStore, tmp_path: Path, keep_bytes: int = 10_000, keep_seconds: float = 600) -> Recordings:
    return Recordings(store, Scratch(tmp_path / "scratch"), keep_bytes=keep_bytes, keep_seconds=keep_seconds)


async def stored(store: CountingStore, name: str, size: int = 1000) -> tuple[str, str]:
    """Address and SHA-256 of something in the store."""
    content = (name * size).encode()[:size]
    await store.put_bytes(name, content)
    return name, hashlib.sha256(content).hexdigest()


def files(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "scratch").rglob("*") if path.is_file() and path.name != "in-use"]


async def test_fetched_once_for_all_its_parts(store: CountingStore, tmp_path: Path) -> None:
    cache, (uri, digest) = recordings(store, tmp_path), await stored(store, "one")

    async def borrow() -> bytes:
        async with cache.borrow(uri, digest) as path:
            return path.read_bytes()

    contents = {*await asyncio.gather(*(borrow() for _ in range(5))), await borrow()}
    assert len(contents) == 1
    assert store.fetched == ["one"]
    await cache.close()


async def test_bounded_but_never_taken_from_who_uses_it(store: CountingStore, tmp_path: Path) -> None:
    cache = recordings(store, tmp_path, keep_bytes=2500)
    addresses = [await stored(store, name) for name in ("one", "two", "three")]
    async with cache.borrow(*addresses[0]) as used:
        for address in addresses[1:]:
            async with cache.borrow(*address):
                pass
        assert used.exists()
        cache.forget(addresses[0][1])
        assert used.exists()
    assert sum(path.stat().st_size for path in files(tmp_path)) <= 2500
    await cache.close()


async def test_removed_when_unused_and_when_done_with(store: CountingStore, tmp_path: Path) -> None:
    cache = recordings(store, tmp_path, keep_seconds=0)
    async with cache.borrow(*await stored(store, "one")):
        assert len(files(tmp_path)) == 1
    assert files(tmp_path) == []
    kept = recordings(store, tmp_path)
    uri, digest = await stored(store, "two")
    async with kept.borrow(uri, digest):
        pass
    assert len(files(tmp_path)) == 1
    kept.forget(digest)
    assert files(tmp_path) == []
    await kept.close()
    await cache.close()
    assert list((tmp_path / "scratch").iterdir()) == []


async def test_what_is_not_what_was_announced_is_not_used(store: CountingStore, tmp_path: Path) -> None:
    cache = recordings(store, tmp_path)
    uri, _ = await stored(store, "one")
    with pytest.raises(TryAgain):
        async with cache.borrow(uri, "0" * 64):
            pass
    with pytest.raises(CannotProcess) as refused:
        async with cache.borrow("nowhere", "1" * 64):
            pass
    assert refused.value.category == "not_found"
    assert files(tmp_path) == []
    await cache.close()


_HOLDER = """
import sys
from pathlib import Path
from asr.providers.scratch import Scratch
scratch = Scratch(Path(sys.argv[1]))
(scratch.folder / "left").write_text("x")
print("ready", flush=True)
sys.stdin.read()
"""


def test_only_folders_of_the_dead_are_removed(tmp_path: Path) -> None:
    def start() -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-c", _HOLDER, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        return process

    living, dying = start(), start()
    try:
        assert len(list(tmp_path.glob("*/left"))) == 2
        dying.kill()
        dying.wait()
        ours = Scratch(tmp_path)
        assert ours.folder.is_dir()
        assert len(list(tmp_path.glob("*/left"))) == 1
        ours.close()
    finally:
        living.kill()
        for process in (living, dying):
            process.communicate()
