"""Content stored once and counted by references, also when many come and go at once."""

import asyncio
from pathlib import Path
from uuid import UUID

import pytest
from common import objects
from common.db import Database
from common.errors import TryAgain
from common.ids import uuid7
from common.store import ObjectStore, open_store

from tests.conftest import Databases


@pytest.fixture
def store(store_url: str) -> ObjectStore:
    return open_store(store_url)


def content(tmp_path: Path, text: str) -> Path:
    path = tmp_path / f"{text}.bin"
    path.write_text(text)
    return path


async def tie(db: Database, store: ObjectStore, path: Path, asset_id: UUID) -> None:
    """What a handler does: keep, then refer; once more when a sweeper came in between."""
    for _ in range(20):
        kept = await objects.keep(db, store, "audio", path, ".bin")
        try:
            async with db.transaction() as conn:
                await objects.refer(conn, kept, asset_id, "audio")
            return
        except TryAgain:
            continue
    raise AssertionError("never tied")


async def untie(db: Database, store: ObjectStore, asset_id: UUID) -> None:
    async with db.transaction() as conn:
        await objects.release(conn, asset_id)
    await objects.sweep(db, store)


async def stored(store: ObjectStore) -> list[str]:
    return [key async for key in store.keys("audio/")]


async def test_the_same_content_lies_there_once_until_the_last_lets_go(
    core_database: Databases, store: ObjectStore, tmp_path: Path
) -> None:
    first, second = uuid7(), uuid7()
    async with core_database.open("chat") as db:
        for asset_id in (first, second):
            await tie(db, store, content(tmp_path, "same"), asset_id)
        assert len(await stored(store)) == 1
        await untie(db, store, first)
        assert len(await stored(store)) == 1
        await untie(db, store, second)
        assert await stored(store) == []


async def test_replaced_content_goes(core_database: Databases, store: ObjectStore, tmp_path: Path) -> None:
    asset_id = uuid7()
    async with core_database.open("chat") as db:
        await tie(db, store, content(tmp_path, "old"), asset_id)
        await tie(db, store, content(tmp_path, "new"), asset_id)
        await objects.sweep(db, store)
        (key,) = await stored(store)
        assert await store.get_bytes(key) == b"new"


async def test_kept_but_not_yet_referred_content_is_left_alone(
    core_database: Databases, store: ObjectStore, tmp_path: Path
) -> None:
    async with core_database.open("chat") as db:
        kept = await objects.keep(db, store, "audio", content(tmp_path, "young"), ".bin")
        assert await objects.sweep(db, store) == 0
        async with db.transaction() as conn:
            await conn.execute("UPDATE objects SET touched_at = now() - interval '2 hours'")
        assert await objects.sweep(db, store) == 1
        with pytest.raises(TryAgain):
            async with db.transaction() as conn:
                await objects.refer(conn, kept, uuid7(), "audio")


async def test_a_sweep_that_is_cut_off_after_the_bytes_are_gone_leaves_nothing_that_is_taken_for_them(
    core_database: Databases, store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, delete = content(tmp_path, "wanted again"), store.delete

    async def delete_and_die(key: str) -> None:
        await delete(key)
        raise ConnectionResetError("the database's connection is cut before the commit")

    async with core_database.open("chat") as db:
        await tie(db, store, path, first := uuid7())
        monkeypatch.setattr(store, "delete", delete_and_die)
        with pytest.raises(ConnectionResetError):
            await untie(db, store, first)
        assert await stored(store) == []
        monkeypatch.undo()
        await tie(db, store, path, second := uuid7())
        (key,) = await stored(store)
        assert await store.get_bytes(key) == b"wanted again"
        await untie(db, store, second)
        assert await stored(store) == []


async def test_coming_and_going_at_once_never_loses_what_is_referred_to(
    core_database: Databases, store: ObjectStore, tmp_path: Path
) -> None:
    path = content(tmp_path, "busy")
    keepers = [uuid7() for _ in range(4)]

    async with core_database.open("chat") as db:

        async def come_and_go() -> None:
            asset_id = uuid7()
            await tie(db, store, path, asset_id)
            await untie(db, store, asset_id)

        await asyncio.gather(
            *(come_and_go() for _ in range(25)), *(tie(db, store, path, asset_id) for asset_id in keepers)
        )
        (key,) = await stored(store)
        assert await store.get_bytes(key) == b"busy"
        for asset_id in keepers:
            await untie(db, store, asset_id)
        assert await stored(store) == []
        async with db.acquire() as conn:
            assert await conn.fetchval("SELECT count(*) FROM objects") == 0
