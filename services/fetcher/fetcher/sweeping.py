"""What nobody came back for: unused uploads, scratch folders, abandoned downloads, content without references."""

from dataclasses import dataclass

from common import objects
from common.db import Database
from common.logs import get_logger
from common.store import ObjectStore

from fetcher import queries
from fetcher.providers.checkpoints import Checkpoints
from fetcher.providers.scratch import Scratch
from fetcher.providers.sources import Sources

log = get_logger()


@dataclass(frozen=True)
class Sweeper:
    """``lifetime_seconds``: how long something may lie about without being used."""

    db: Database
    store: ObjectStore
    sources: Sources
    scratch: Scratch
    checkpoints: Checkpoints
    lifetime_seconds: float

    async def sweep(self) -> None:
        """One round; whatever it could not do comes again in the next."""
        uploads = await self._sweep_uploads()
        folders = await self._sweep_scratch()
        await self._sweep_checkpoints()
        swept = await objects.sweep(self.db, self.store)
        if uploads or folders or swept:
            log.info("swept", uploads=uploads, folders=folders, objects=swept)

    async def _sweep_uploads(self) -> int:
        async with self.db.acquire() as conn:
            expired = await queries.expired_uploads(conn, self.lifetime_seconds)
        for upload_id in expired:
            await self.sources.drop_upload(upload_id)
        return len(expired)

    async def _sweep_scratch(self) -> int:
        ages = self.scratch.idle()
        async with self.db.acquire() as conn:
            finished = await queries.finished_with(conn, list(ages))
        done = [asset_id for asset_id, age in ages.items() if asset_id in finished or age > self.lifetime_seconds]
        return sum(self.scratch.discard(asset_id) for asset_id in done)

    async def _sweep_checkpoints(self) -> None:
        async with self.db.acquire() as conn:
            old = await queries.old_checkpoints(conn, self.lifetime_seconds)
        for asset_id in old:
            await self.checkpoints.drop(asset_id)
