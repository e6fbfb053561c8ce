"""Downloads in work, saved piece by piece in the object store, so that a worker on another machine can go on."""

import asyncio
from dataclasses import asdict, dataclass
from pathlib import Path
from uuid import UUID

from common import assets
from common.db import Database
from common.store import ObjectMissing, ObjectStore

from fetcher import queries
from fetcher.providers.web.partial import Origin, Partial


def piece_key(asset_id: UUID, part: int) -> str:
    """Where a piece of a download waits in the object store."""
    return f"temporary/downloads/{asset_id}/{part}"


@dataclass(frozen=True)
class Checkpoints:
    """Pieces follow one another: each holds the bytes that came since the one before it."""

    db: Database
    store: ObjectStore

    async def save(self, asset_id: UUID, collection_id: UUID, run: int, partial: Partial) -> None:
        """Add what is new of ``partial``. Raises Stale when the asset is no longer wanted."""
        origin = partial.origin()
        if origin is None:
            return
        saved = await self._fitting(asset_id, origin)
        begun = sum(row.size_bytes for row in saved)
        if partial.size <= begun:
            return
        row = queries.CheckpointRow(len(saved), partial.size - begun, asdict(origin))
        # The row first, under the asset's lock: whoever deletes the asset afterwards finds the bytes by it.
        async with self.db.transaction() as conn:
            (await assets.lock_asset(conn, asset_id, collection_id, run)).check(run)
            await queries.save_checkpoint(conn, asset_id, row)
        piece = partial.path.with_name("piece")
        await asyncio.to_thread(partial.copy_from, begun, piece)
        await self.store.put_file(piece_key(asset_id, row.part), piece)
        piece.unlink()

    async def restore(self, asset_id: UUID, partial: Partial) -> None:
        """Put the saved pieces together where this machine knows less of the download than the store does."""
        async with self.db.acquire() as conn:
            saved = await queries.checkpoints_of(conn, asset_id)
        if not saved or partial.size >= sum(row.size_bytes for row in saved):
            return
        partial.restart()
        for row in saved:
            if not await self._append(asset_id, row, partial):
                break
            partial.note(Origin(**row.origin))

    async def _append(self, asset_id: UUID, row: queries.CheckpointRow, partial: Partial) -> bool:
        """False when the piece is not (wholly) there: its worker died while it was saving."""
        piece: Path = partial.path.with_name("piece")
        try:
            await self.store.fetch_file(piece_key(asset_id, row.part), piece)
        except ObjectMissing:
            return False
        if piece.stat().st_size != row.size_bytes:
            return False
        await asyncio.to_thread(partial.append_file, piece)
        return True

    async def _fitting(self, asset_id: UUID, origin: Origin) -> list[queries.CheckpointRow]:
        """The saved pieces, as long as they are of the file that the server has now."""
        async with self.db.acquire() as conn:
            saved = await queries.checkpoints_of(conn, asset_id)
        if all(Origin(**row.origin).same_file(origin) for row in saved):
            return saved
        await self.drop(asset_id)
        return []

    async def drop(self, asset_id: UUID) -> None:
        """Bytes first, so that rows lead to them until they are gone."""
        async with self.db.acquire() as conn:
            saved = await queries.checkpoints_of(conn, asset_id)
        if not saved:
            return
        for row in saved:
            await self.store.delete(piece_key(asset_id, row.part))
        async with self.db.acquire() as conn:
            await queries.delete_checkpoints(conn, asset_id)
