"""Facts in: a newer transcript makes citations stale, a deleted asset takes its answers along."""

from uuid import UUID

from common import assets
from common.db import Connection
from common.delivery import Delivery
from common.events import TranscriptCompleted

from chat.queries import writing


async def note_revision(fact: TranscriptCompleted, delivery: Delivery) -> None:
    """Revisions only rise: one that arrives late changes nothing."""
    async with delivery.record() as rec:
        await assets.set_revision(rec.conn, fact.asset_id, fact.revision)


async def erase(conn: Connection, asset_id: UUID) -> None:
    await writing.delete_made_from(conn, asset_id)
