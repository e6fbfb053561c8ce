"""Ready handlers for the facts that every owner must obey: cancelled, restarted, deleted."""

from collections.abc import Awaitable, Callable
from uuid import UUID

from common import assets, crash, objects, parked
from common.db import Connection, Database
from common.delivery import Delivery
from common.errors import TryAgain
from common.events import AssetDeleted, AssetPurged, ProcessingCancelled, ProcessingRestarted
from common.recording import Recording
from common.store import ObjectStore

Erase = Callable[[Connection, UUID], Awaitable[None]]
Resume = Callable[[Recording, ProcessingRestarted], Awaitable[None]]


def purge(db: Database, store: ObjectStore | None, erase: Erase) -> Callable[[AssetDeleted, Delivery], Awaitable[None]]:
    """On ``asset.deleted``: rows and references first, then bytes, then ``asset.purged``.

    ``erase`` deletes the service's rows of the asset; references in ``object_refs`` are released and parked messages
    dropped here.
    """

    async def purge_asset(fact: AssetDeleted, delivery: Delivery) -> None:
        async with db.transaction() as conn:
            await assets.lock_asset(conn, fact.asset_id, fact.collection_id, fact.run)
            await assets.mark_deleted(conn, fact.asset_id)
            await erase(conn, fact.asset_id)
            await objects.release(conn, fact.asset_id)
            await parked.forget_asset(conn, fact.asset_id)
        crash.point("purge.erased")
        if store is not None:
            await objects.sweep(db, store)
            async with db.acquire() as conn:
                if await objects.unswept(conn):
                    raise TryAgain("files are still being removed", attempts=50)
        async with delivery.record(check=False) as rec:
            await rec.say(
                AssetPurged(
                    asset_id=fact.asset_id,
                    run=fact.run,
                    collection_id=fact.collection_id,
                    priority=fact.priority,
                    service=delivery.service,
                )
            )

    return purge_asset


def cancel() -> Callable[[ProcessingCancelled, Delivery], Awaitable[None]]:
    """On ``processing.cancelled``: later work for this run finds the mark and leaves no trace."""

    async def cancel_run(fact: ProcessingCancelled, delivery: Delivery) -> None:
        async with delivery.record(check=False) as rec:
            await assets.mark_cancelled(rec.conn, fact.asset_id, fact.run)

    return cancel_run


def restart(stage: str, resume: Resume) -> Callable[[ProcessingRestarted, Delivery], Awaitable[None]]:
    """On ``processing.restarted``: raise the run, and where it begins at our stage, take up what is there.

    ``resume`` runs inside the transaction: it says our own input again, or leaves a row for a worker.
    """

    async def restart_run(fact: ProcessingRestarted, delivery: Delivery) -> None:
        async with delivery.record() as rec:
            if fact.from_stage == stage:
                await resume(rec, fact)

    return restart_run
