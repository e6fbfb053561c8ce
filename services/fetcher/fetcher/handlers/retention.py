"""How long what was fetched stays: until the transcript is there, until the asset is deleted."""

from dataclasses import dataclass

from common import assets, lifecycle, objects
from common.db import Database
from common.delivery import Delivery
from common.events import AssetDeleted, TranscriptCompleted
from common.recording import Recording
from common.store import ObjectStore

from fetcher import queries
from fetcher.domain.containers import AUDIO
from fetcher.providers.checkpoints import Checkpoints
from fetcher.providers.scratch import Scratch
from fetcher.providers.sources import Sources


@dataclass(frozen=True)
class Retention:
    """Keeps what a later run may need; drops what the collection's choice forbids to keep."""

    db: Database
    store: ObjectStore
    sources: Sources
    scratch: Scratch
    checkpoints: Checkpoints

    async def drop_audio(self, fact: TranscriptCompleted, delivery: Delivery) -> None:
        """With ``keep_media: none`` the copy for recognition goes as soon as the transcript is complete.

        Otherwise it stays: transcribing again, or finding speakers later, needs it.
        """
        # No check: a transcript is complete also when its run was called off meanwhile.
        async with delivery.record(check=False) as rec:
            # What a later run may be recognising goes with that run's transcript.
            superseded = fact.run < rec.asset.run
            dropped = not superseded and await release_unkept_audio(rec)
        if dropped:
            await objects.sweep(self.db, self.store)

    async def purge_asset(self, fact: AssetDeleted, delivery: Delivery) -> None:
        """What lies outside the counted objects first, then what every owner does."""
        # The tombstone before all: from here on no worker adds a piece that nobody would find.
        async with self.db.transaction() as conn:
            await assets.lock_asset(conn, fact.asset_id, fact.collection_id, fact.run)
            await assets.mark_deleted(conn, fact.asset_id)
            known = await queries.registered_as(conn, fact.asset_id)
        if known is not None and known.source.upload_id:
            await self.sources.drop_upload(known.source.upload_id)
        await self.checkpoints.drop(fact.asset_id)
        # A worker that is in there finds the tombstone within seconds and clears up itself.
        self.scratch.discard(fact.asset_id)
        await lifecycle.purge(self.db, self.store, queries.erase_asset)(fact, delivery)


async def release_unkept_audio(rec: Recording) -> bool:
    """Untie the copy for recognition where no media are kept; answers whether there is something to sweep."""
    known = await queries.registered_as(rec.conn, rec.asset.asset_id)
    if known is None or known.keep_media != "none":
        return False
    await objects.release(rec.conn, rec.asset.asset_id, [AUDIO])
    return True
