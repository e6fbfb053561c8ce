"""Facts in: a transcript becomes findable, follows its asset, and is forgotten with it."""

from dataclasses import dataclass
from uuid import UUID

from common import assets
from common.assets import AssetState
from common.db import Connection, Database
from common.delivery import Delivery
from common.errors import Stale, TryAgain
from common.events import AssetIndexed, AssetUpdated, ProcessingRestarted, TranscriptCompleted

from embedder import metrics
from embedder.indexing import Indexer
from embedder.queries import assets as rows
from embedder.queries import chunks, models
from embedder.queries.assets import Indexed


@dataclass(frozen=True)
class Handlers:
    """What the embedder does when it hears of an asset."""

    db: Database
    indexer: Indexer

    async def index_transcript(self, fact: TranscriptCompleted, delivery: Delivery) -> None:
        """Check that the transcript is newer, chunk and embed it, then exchange the index in one transaction."""
        async with self.db.transaction() as conn:
            state = await assets.lock_asset(conn, fact.asset_id, fact.collection_id, fact.run)
            _check_alive(state)
            await rows.remember(conn, fact, state.collection_id)
            held = await rows.read_indexed(conn, fact.asset_id)
        # Remembered all the same: a later run may begin with indexing what this one transcribed.
        state.check(fact.run)
        _check_newer(held, fact)
        await self._index(fact, delivery)

    async def index_again(self, fact: ProcessingRestarted, delivery: Delivery) -> None:
        """A run that begins at our stage indexes the transcript that was heard of last; others only raise the run."""
        if fact.from_stage != "index":
            async with delivery.record():
                return
        async with self.db.acquire() as conn:
            heard = await rows.read_heard(conn, fact.asset_id)
        if heard is None:
            raise TryAgain(
                "There is no transcript to index yet.",
                category="empty",
                advice="Retry from an earlier stage: from_stage=transcribe or fetch.",
                attempts=3,
            )
        last = TranscriptCompleted.model_validate(heard)
        await self._index(last.model_copy(update={"run": fact.run, "priority": fact.priority}), delivery)

    async def _index(self, fact: TranscriptCompleted, delivery: Delivery) -> None:
        prepared = await self.indexer.prepare(fact, delivery)
        async with delivery.record() as rec:
            held = await rows.read_indexed(rec.conn, fact.asset_id)
            _check_newer(held, fact)
            assert held is not None
            with metrics.steps.labels("store").time():
                await self._remove_chunks(rec.conn, fact.asset_id, held)
                await self.indexer.store(rec.conn, fact.asset_id, held.number, prepared)
            edited = rec.asset.version > 0
            await rows.mark_indexed(rec.conn, fact, len(prepared.entries), edited=edited)
            await assets.set_revision(rec.conn, fact.asset_id, fact.revision)
            await rec.say(
                AssetIndexed(
                    asset_id=fact.asset_id,
                    run=fact.run,
                    collection_id=held.collection_id,
                    priority=fact.priority,
                    revision=fact.revision,
                    chunk_count=len(prepared.entries),
                    # Last, because every transaction of the collection waits for this row.
                    generation=await rows.raise_generation(rec.conn, held.collection_id),
                    model=self.indexer.embedder.name,
                )
            )
        metrics.chunks.inc(len(prepared.entries))

    async def follow_asset(self, fact: AssetUpdated, delivery: Delivery) -> None:
        """Copy title, date and collection; what either collection finds has changed if the asset moved."""
        # No check of the run: a new title counts whatever became of the processing.
        async with delivery.record(check=False) as rec:
            _check_alive(rec.asset)
            if fact.version <= rec.asset.version:
                raise Stale(f"version {fact.version} of the asset is not newer than {rec.asset.version}")
            held = await rows.read_indexed(rec.conn, fact.asset_id)
            await assets.set_version(rec.conn, fact.asset_id, fact.version, fact.collection_id)
            await rows.update_asset(rec.conn, fact.asset_id, fact.collection_id, fact.title, fact.recorded_at)
            if held is not None and held.chunk_count:
                for collection_id in sorted({held.collection_id, fact.collection_id}):
                    await rows.raise_generation(rec.conn, collection_id)

    async def erase(self, conn: Connection, asset_id: UUID) -> None:
        """Everything the index holds of the asset; part of the transaction that marks it deleted."""
        held = await rows.read_indexed(conn, asset_id)
        if held is None:
            return
        await self._remove_chunks(conn, asset_id, held)
        await rows.delete_asset(conn, asset_id)
        if held.chunk_count:
            await rows.raise_generation(conn, held.collection_id)

    async def _remove_chunks(self, conn: Connection, asset_id: UUID, held: Indexed) -> None:
        if held.chunk_count:
            await chunks.delete_postings(conn, asset_id)
            await chunks.delete_embeddings(conn, await models.model_ids(conn), held.number)
            await chunks.delete_chunks(conn, asset_id)


def _check_alive(state: AssetState) -> None:
    if state.deleted_at is not None:
        raise Stale("the asset is deleted")


def _check_newer(held: Indexed | None, fact: TranscriptCompleted) -> None:
    if held is not None and (fact.run, fact.revision) <= (held.run, held.revision):
        raise Stale(f"revision {fact.revision} of run {fact.run} is indexed already, or a newer one")
