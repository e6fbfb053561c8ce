"""After a restore: what was under way in the broker that is gone is said again, from what the tables know.

Each function is one transaction's work and may run again: the next run takes the place of the one before.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from uuid import UUID

from common.errors import Stale
from common.events import (
    AssetDeleted,
    AssetRegistered,
    AssetUpdated,
    CollectionDeleted,
    ProcessingRestarted,
    Source,
    UserDeleted,
)
from common.outbox import Transaction

from gateway.domain import journey
from gateway.domain.journey import StageName
from gateway.processing import begin_run, change, hold
from gateway.queries import assets, resuming, timeline

Start = Literal["register", "fetch", "transcribe", "index"]


@dataclass(frozen=True)
class Unfinished:
    """An asset whose job was under way, and where its next run has to begin.

    ``register``: the fetcher has never heard of it, so that it is registered anew.
    """

    asset_id: UUID
    start: Start


async def go_on(tx: Transaction, unfinished: Unfinished) -> bool:
    """End the run whose messages are lost and begin the next; False when the job is over or the asset gone."""
    try:
        held = await hold(tx.conn, unfinished.asset_id)
    except Stale:
        return False
    if held.job.status not in ("pending", "processing"):
        return False
    stage: StageName = "fetch" if unfinished.start == "register" else unfinished.start
    await change(tx.conn, held, journey.cancel(held.job.journey), datetime.now(UTC))
    run = await begin_run(tx.conn, held, stage)
    note = f"Restored from a backup; processing goes on at {stage}."
    await timeline.note(tx.conn, held.asset.id, run, "processing.restarted", note, stage=stage)
    if unfinished.start == "register":
        await tx.say(await _registered(tx, held.asset, run))
        return True
    await tx.say(
        ProcessingRestarted(
            asset_id=held.asset.id,
            run=run,
            collection_id=held.asset.collection_id,
            priority=held.asset.priority,
            from_stage=stage,
        )
    )
    return True


async def _registered(tx: Transaction, held: assets.HeldAsset, run: int) -> AssetRegistered:
    asked = await resuming.asked(tx.conn, held.id)
    return AssetRegistered(
        asset_id=held.id,
        run=run,
        collection_id=held.collection_id,
        priority=held.priority,
        kind=asked.kind,
        title=held.title,
        source=Source.model_validate(asked.source),
        options=asked.options,
        keep_media=asked.keep_media,
        recorded_at=held.recorded_at,
    )


async def delete_again(tx: Transaction) -> int:
    """Say every deletion that has not finished. Returns how many assets are being deleted."""
    doomed = await resuming.being_deleted(tx.conn)
    await tx.say(
        *(
            AssetDeleted(asset_id=one.id, run=one.run, collection_id=one.collection_id, priority=one.priority)
            for one in doomed
        )
    )
    await tx.say(*(CollectionDeleted(collection_id=each) for each in await resuming.deleted_collections(tx.conn)))
    return len(doomed)


async def forget_collections(tx: Transaction, collection_ids: list[UUID]) -> None:
    """Say that collections are gone of which not even a row is left here."""
    await tx.say(*(CollectionDeleted(collection_id=each) for each in collection_ids))


async def forget_users(tx: Transaction, user_ids: list[UUID]) -> None:
    """Say that users are gone of whom others still hold something."""
    await tx.say(*(UserDeleted(user_id=each) for each in user_ids))


async def tell_again(tx: Transaction, asset_ids: list[UUID]) -> None:
    """Say title, date and collection of assets whose edits others have not heard of."""
    for asset_id in asset_ids:
        held = await assets.hold_asset(tx.conn, asset_id)
        if held is None or held.deleted_at is not None:
            continue
        await tx.say(
            AssetUpdated(
                asset_id=held.id,
                run=held.run,
                collection_id=held.collection_id,
                priority=held.priority,
                version=held.version,
                title=held.title,
                recorded_at=held.recorded_at.astimezone(UTC) if held.recorded_at else None,
            )
        )
