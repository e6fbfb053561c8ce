"""A job's journey in the database: held under the asset's lock, changed by a rule, written back."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from common.db import Connection
from common.errors import Stale
from common.events import ProcessingCancelled, ProcessingRestarted
from common.ids import uuid7
from common.outbox import Transaction

from gateway import metrics
from gateway.domain import journey
from gateway.domain.journey import Journey, StageName
from gateway.queries import assets, edits, jobs, timeline
from gateway.queries.assets import HeldAsset
from gateway.queries.jobs import Job

_OVER = ("ready", "failed", "cancelled")


@dataclass(frozen=True)
class Held:
    """An asset and its current job, locked until the transaction ends."""

    asset: HeldAsset
    job: Job


async def hold(conn: Connection, asset_id: UUID, run: int | None = None) -> Held:
    """Raises Stale when the asset is gone, being deleted, or at another run than ``run``."""
    asset = await assets.hold_asset(conn, asset_id)
    if asset is None or asset.deleted_at is not None:
        raise Stale("the asset is deleted")
    if run is not None and run != asset.run:
        raise Stale(f"run {run} is not the current run {asset.run}")
    job = await jobs.job_of_run(conn, asset_id, asset.run)
    if job is None:
        raise LookupError(f"asset {asset_id} has no job for its run {asset.run}")
    return Held(asset, job)


async def change(conn: Connection, held: Held, changed: Journey, at: datetime) -> None:
    """Write the journey where it differs from what is stored."""
    if changed == held.job.journey:
        return
    finished_at = None
    if changed.status in _OVER:
        # A failed job that a replay completes ends a second time.
        finished_at = held.job.finished_at if held.job.status == changed.status else at
    await jobs.save_job(conn, held.job.id, changed, finished_at)
    await edits.set_status(conn, held.asset.id, held.asset.run, changed.status, changed.stage)
    metrics.observe_change(held.asset.kind, held.job.journey, changed)


NO_SOUND = "There is no sound to listen to: this was added as a subtitle file."


async def retry(
    tx: Transaction, asset_id: UUID, from_stage: StageName | None = None, *, recognise: bool = False
) -> None:
    """Begin the next run. Raises ValueError, in words for a person, when it cannot begin, or not there.

    ``recognise``: listen to the sound though there are captions; by itself from the stage that does so.
    """
    held = await hold(tx.conn, asset_id)
    if held.job.status in ("pending", "processing"):
        raise ValueError("The recording is still being processed.")
    if recognise and await assets.is_without_sound(tx.conn, asset_id):
        raise ValueError(NO_SOUND)
    start = from_stage or ("transcribe" if recognise else held.job.journey.resume_from)
    if start is None:
        raise ValueError("Every stage has finished; name the stage to start again from.")
    run = await begin_run(tx.conn, held, start)
    await timeline.note(
        tx.conn, asset_id, run, "processing.restarted", f"Processing begins again at {start}.", stage=start
    )
    await tx.say(
        ProcessingRestarted(
            asset_id=asset_id,
            run=run,
            collection_id=held.asset.collection_id,
            priority=held.asset.priority,
            from_stage=start,
            recognise=recognise,
        )
    )


async def begin_run(conn: Connection, held: Held, from_stage: StageName) -> int:
    """The next run, with its job. Raises ValueError when it cannot begin there."""
    again = journey.restart(held.job.journey, from_stage)
    run = held.asset.run + 1
    await jobs.add_job(conn, uuid7(), held.asset.id, run, again)
    await edits.set_status(conn, held.asset.id, run, again.status, again.stage)
    return run


async def cancel(tx: Transaction, asset_id: UUID) -> None:
    """Call off the current run. Raises ValueError, in words for a person, when it is over already."""
    held = await hold(tx.conn, asset_id)
    if held.job.status not in ("pending", "processing"):
        raise ValueError(f"There is nothing to cancel: the recording is {held.job.status}.")
    await change(tx.conn, held, journey.cancel(held.job.journey), datetime.now(UTC))
    await timeline.note(tx.conn, asset_id, held.asset.run, "processing.cancelled", "Processing was cancelled.")
    await tx.say(
        ProcessingCancelled(
            asset_id=asset_id,
            run=held.asset.run,
            collection_id=held.asset.collection_id,
            priority=held.asset.priority,
        )
    )
