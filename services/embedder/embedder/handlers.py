"""Facts in: a transcript becomes findable, follows its asset and its corrections, and is forgotten with it."""

from dataclasses import dataclass, replace
from uuid import UUID

from common import assets, crash
from common.assets import AssetState
from common.db import Connection, Database
from common.delivery import Delivery
from common.errors import Stale, TryAgain
from common.events import (
    AssetIndexed,
    AssetUpdated,
    ProcessingRestarted,
    TranscriptCompleted,
    TranscriptFact,
    TranscriptRevised,
)
from common.recording import Recording

from embedder import metrics
from embedder.indexing import Indexer, Prepared
from embedder.queries import assets as rows
from embedder.queries import models
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
        crash.point("embedder.remembered")
        if held is not None and _came_late(fact, held, state):
            fact = fact.model_copy(update={"run": state.run})
            delivery = replace(delivery, message=fact)
        # Remembered all the same: a later run may begin with indexing what this one transcribed.
        state.check(fact.run)
        _check_newer(held, fact)
        if _overtaken(held, fact):
            await self._pass_over(fact, delivery)
        else:
            await self._index(fact, delivery)

    async def index_correction(self, fact: TranscriptRevised, delivery: Delivery) -> None:
        """What was corrected is indexed anew, and nothing else; it is no stage of any run, and counts in all."""
        # A person changed the newest text there is: it counts though the run is cancelled or a later one began.
        delivery = replace(delivery, any_run=True, live=None)
        async with self.db.transaction() as conn:
            state = await assets.lock_asset(conn, fact.asset_id, fact.collection_id, fact.run)
            _check_alive(state)
            await rows.remember(conn, fact, state.collection_id)
        crash.point("embedder.correction_remembered")
        while True:
            try:
                return await self._renew(fact, delivery)
            except _Moved:
                continue

    async def index_again(self, fact: ProcessingRestarted, delivery: Delivery) -> None:
        """A run that begins at our stage indexes the transcript that was heard of last; others only raise the run."""
        if fact.from_stage != "index":
            async with delivery.record():
                return
        async with self.db.transaction() as conn:
            # From here on an older run's work is stale, even if no transcript has been heard of yet.
            state = await assets.lock_asset(conn, fact.asset_id, fact.collection_id, fact.run)
            heard = await rows.read_heard(conn, fact.asset_id)
        state.check(fact.run)
        if heard is None:
            raise TryAgain(
                "There is no transcript to index yet.",
                category="not_found",
                advice="Retry from an earlier stage: from_stage=transcribe or fetch.",
            )
        last = TranscriptCompleted.model_validate(heard, extra="ignore")
        last = last.model_copy(update={"run": fact.run, "priority": fact.priority})
        await self._index(last, delivery, last_heard=True)

    async def _index(self, fact: TranscriptCompleted, delivery: Delivery, *, last_heard: bool = False) -> None:
        """Raises TryAgain for what is not the newest any more; ``last_heard``: as of what was heard of, too."""
        prepared = await self.indexer.prepare(fact, delivery)
        async with delivery.record() as rec:
            held = await rows.read_indexed(rec.conn, fact.asset_id)
            _check_newer(held, fact)
            if _overtaken(held, fact):
                raise TryAgain("a correction of this transcript was indexed meanwhile")
            assert held is not None
            if last_heard and held.heard_revision > fact.revision:
                raise TryAgain(f"revision {held.heard_revision} was heard of meanwhile")
            await self._exchange(rec.conn, fact, held, prepared)
            await self._finish_stage(
                rec, fact, replace(held, revision=fact.revision, chunk_count=len(prepared.entries))
            )
        metrics.chunks.inc(len(prepared.entries))

    async def _pass_over(self, fact: TranscriptCompleted, delivery: Delivery) -> None:
        """What is indexed is a correction of this transcript, heard of before it: the run's last stage is done."""
        async with delivery.record() as rec:
            held = await rows.read_indexed(rec.conn, fact.asset_id)
            _check_newer(held, fact)
            assert held is not None
            await self._finish_stage(rec, fact, held)

    async def _finish_stage(self, rec: Recording, fact: TranscriptCompleted, now: Indexed) -> None:
        """``now``: the index with the revision that it holds at the end of this transaction."""
        edited = rec.asset.version > 0
        await rows.mark_indexed(rec.conn, fact, now.revision, now.chunk_count, edited=edited)
        await assets.set_revision(rec.conn, fact.asset_id, now.revision)
        await self._tell(rec, fact, now)

    async def _renew(self, fact: TranscriptRevised, delivery: Delivery) -> None:
        """Raises _Moved when the index changed between looking at it and writing."""
        async with self.db.acquire() as conn:
            held = await rows.read_indexed(conn, fact.asset_id)
        _check_later(held, fact)
        prepared = await self.indexer.prepare(fact, delivery, held=held)
        async with delivery.record() as rec:
            now = await rows.read_indexed(rec.conn, fact.asset_id)
            _check_later(now, fact)
            if held is None or now is None or (now.run, now.revision) != (held.run, held.revision):
                raise _Moved
            await self._exchange(rec.conn, fact, now, prepared)
            await rows.mark_corrected(rec.conn, fact, len(prepared.entries))
            await assets.set_revision(rec.conn, fact.asset_id, fact.revision)
            await self._tell(rec, fact, replace(now, revision=fact.revision, chunk_count=len(prepared.entries)))
        metrics.chunks.inc(len(prepared.renewal.embed))

    async def _exchange(self, conn: Connection, fact: TranscriptFact, held: Indexed, prepared: Prepared) -> None:
        with metrics.step("store"):
            await self.indexer.remove(conn, fact.asset_id, held, prepared)
            crash.point("embedder.removed")
            await self.indexer.store(conn, fact.asset_id, held.number, prepared)
            crash.point("embedder.stored")

    async def _tell(self, rec: Recording, fact: TranscriptFact, now: Indexed) -> None:
        await rec.say(
            AssetIndexed(
                asset_id=fact.asset_id,
                run=fact.run,
                collection_id=now.collection_id,
                priority=fact.priority,
                revision=now.revision,
                chunk_count=now.chunk_count,
                # Last, because every transaction of the collection waits for this row.
                generation=await rows.raise_generation(rec.conn, now.collection_id),
                model=await self._model(rec.conn),
                cause="correction" if isinstance(fact, TranscriptRevised) else "processing",
            )
        )

    async def _model(self, conn: Connection) -> str:
        row = await models.read_current(conn)
        return row.name if row else self.indexer.models.first

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
        await self.indexer.remove(conn, asset_id, held)
        await rows.delete_asset(conn, asset_id)
        if held.chunk_count:
            await rows.raise_generation(conn, held.collection_id)


class _Moved(Exception):
    """The index is no longer the one that was looked at."""


def _check_alive(state: AssetState) -> None:
    if state.deleted_at is not None:
        raise Stale("the asset is deleted")


def _came_late(fact: TranscriptCompleted, held: Indexed, state: AssetState) -> bool:
    """Whether a run that began with indexing came before the transcript of the run that it took the place of.

    It found an older transcript to index, and was meant to have this one.
    """
    is_last = (fact.run, fact.revision) == (held.heard_run, held.heard_revision)
    return is_last and fact.run < held.run == state.run and held.revision < fact.revision


def _check_newer(held: Indexed | None, fact: TranscriptCompleted) -> None:
    if held is not None and (fact.run, fact.revision) <= (held.run, held.revision):
        raise Stale(f"revision {fact.revision} of run {fact.run} is indexed already, or a newer one")


def _check_later(held: Indexed | None, fact: TranscriptRevised) -> None:
    """Revisions rise across runs, so that the number alone tells which of two texts is newer."""
    if held is not None and fact.revision <= held.revision:
        raise Stale(f"revision {fact.revision} is indexed already, or a newer one")


def _overtaken(held: Indexed | None, fact: TranscriptCompleted) -> bool:
    return held is not None and fact.revision < held.revision
