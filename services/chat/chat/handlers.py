"""Facts in: a newer or corrected transcript makes citations stale, a deleted asset takes its answers along."""

from dataclasses import replace
from uuid import UUID

from common import assets
from common.db import Connection
from common.delivery import Delivery
from common.events import TranscriptCompleted, TranscriptRevised

from chat.queries import writing


async def note_revision(fact: TranscriptCompleted, delivery: Delivery) -> None:
    """Revisions only rise: one that arrives late changes nothing."""
    async with delivery.record() as rec:
        await assets.set_revision(rec.conn, fact.asset_id, fact.revision)


async def note_correction(fact: TranscriptRevised, delivery: Delivery) -> None:
    """What somebody corrected is new whatever became of the run it was said in."""
    async with replace(delivery, any_run=True).record() as rec:
        await assets.set_revision(rec.conn, fact.asset_id, fact.revision)


async def erase(conn: Connection, asset_id: UUID) -> None:
    await writing.delete_made_from(conn, asset_id)
