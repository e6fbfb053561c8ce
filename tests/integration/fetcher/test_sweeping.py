"""What nobody came back for goes away by itself."""

import os
import time
from pathlib import Path
from typing import Any

import pytest
from common import objects
from common.ids import uuid7
from fetcher import queries
from fetcher.providers.checkpoints import Checkpoints
from fetcher.providers.scratch import Scratch
from fetcher.providers.sources import Sources
from fetcher.sweeping import Sweeper


@pytest.fixture
def sweeper(house: Any) -> Sweeper:
    db, store = house.service.db, house.service.store
    sources: Any = Sources(db, store, None, None, 0)  # type: ignore[arg-type]
    return Sweeper(db, store, sources, Scratch(house.scratch_folder), Checkpoints(db, store), 3600)


def age(path: Path, seconds: float) -> None:
    then = time.time() - seconds
    for entry in [path, *path.rglob("*")]:
        os.utime(entry, (then, then))


async def quiet() -> None:
    return


async def test_uploads_expire(house: Any, sweeper: Sweeper, studio: Any) -> None:
    old, fresh = await house.upload(studio.tone()), await house.upload(studio.tone())
    async with house.service.db.acquire() as conn:
        await conn.execute(
            "UPDATE uploads SET created_at = now() - make_interval(secs => 4000) WHERE upload_id = $1", old
        )
        # One whose bytes never came: its row alone is left.
        await queries.begin_upload(conn, uuid7(), None)
        await conn.execute("UPDATE uploads SET created_at = now() - interval '1 day' WHERE size_bytes IS NULL")
    await sweeper.sweep()
    assert house.stored() == {f"uploads/{fresh}"}
    assert await house.rows("uploads") == 1


async def test_old_scratch_goes_and_busy_scratch_stays(house: Any, sweeper: Sweeper) -> None:
    scratch = Scratch(house.scratch_folder)
    old, fresh, busy = uuid7(), uuid7(), uuid7()
    for asset_id in (old, fresh):
        async with scratch.workspace(asset_id, quiet) as workspace:
            (workspace.folder / "source").write_bytes(b"x")
    age(house.scratch_folder / str(old), 4000)
    async with scratch.workspace(busy, quiet) as workspace:
        age(workspace.folder, 4000)
        await sweeper.sweep()
        assert workspace.folder.is_dir()
    assert {name.split("/")[0] for name in house.scratch()} == {str(fresh), str(busy)}


async def test_scratch_of_finished_assets_goes_at_once(
    house: Any, sweeper: Sweeper, studio: Any, register: Any
) -> None:
    """A worker was killed after its commit and before it cleared up."""
    asset = register({"type": "upload", "upload_id": await house.upload(studio.tone())})
    await house.deliver(asset)
    async with Scratch(house.scratch_folder).workspace(asset.asset_id, quiet):
        pass
    assert house.scratch()
    await sweeper.sweep()
    assert not house.scratch()


async def test_abandoned_checkpoints_go(house: Any, sweeper: Sweeper) -> None:
    asset_id = uuid7()
    async with house.service.db.acquire() as conn:
        await queries.save_checkpoint(conn, asset_id, queries.CheckpointRow(0, 3, {}))
        await conn.execute("UPDATE checkpoints SET saved_at = now() - interval '1 day'")
    await house.service.store.put_bytes(f"temporary/downloads/{asset_id}/0", b"abc")
    await sweeper.sweep()
    assert house.stored() == set()
    assert await house.rows("checkpoints") == 0


async def test_content_without_references_goes(house: Any, sweeper: Sweeper, studio: Any) -> None:
    """A worker was killed between storing a copy and recording it."""
    kept = await objects.keep(house.service.db, house.service.store, "audio", studio.tone(), ".flac")
    await sweeper.sweep()
    assert house.stored() == {kept.uri}
    async with house.service.db.acquire() as conn:
        await conn.execute("UPDATE objects SET touched_at = now() - interval '2 hours'")
    await sweeper.sweep()
    assert house.stored() == set()
