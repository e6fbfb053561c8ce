"""Facts in: what can be played; newer transcripts make citations stale; deleted assets take answers along,
collections their sessions."""

from dataclasses import replace
from uuid import UUID

from common import assets, crash
from common.db import Connection
from common.delivery import Delivery
from common.errors import Stale
from common.events import (
    CaptionsFetched,
    CollectionDeleted,
    RecordingFetched,
    TranscriptCompleted,
    TranscriptRevised,
)

from chat.queries import caching, sessions, writing


async def note_media(fact: RecordingFetched | CaptionsFetched, delivery: Delivery) -> None:
    """Captions have no sound, and a recording may be kept without one; the newest run's fetching counts."""
    # No check of the run: what was fetched is there whatever became of it.
    async with delivery.record(check=False) as rec:
        if rec.asset.deleted_at is not None:
            raise Stale("the asset is deleted")
        playable = isinstance(fact, RecordingFetched) and fact.playback_uri is not None
        await writing.save_media(rec.conn, fact.asset_id, fact.run, playable=playable)


async def note_revision(fact: TranscriptCompleted, delivery: Delivery) -> None:
    """Revisions only rise: one that arrives late changes nothing."""
    async with delivery.record() as rec:
        await assets.set_revision(rec.conn, fact.asset_id, fact.revision)
        await caching.forget_asset(rec.conn, fact.asset_id)


async def note_correction(fact: TranscriptRevised, delivery: Delivery) -> None:
    """What somebody corrected is new whatever became of the run it was said in."""
    async with replace(delivery, any_run=True).record() as rec:
        await assets.set_revision(rec.conn, fact.asset_id, fact.revision)
        await caching.forget_asset(rec.conn, fact.asset_id)
        crash.point("chat.correction_noted")


async def forget_collection(fact: CollectionDeleted, delivery: Delivery) -> None:
    """Sessions whose questions were asked of the collection go, with those questions."""
    async with delivery.record() as rec:
        await sessions.delete_of_collection(rec.conn, fact.collection_id)


async def erase(conn: Connection, asset_id: UUID) -> None:
    await writing.delete_made_from(conn, asset_id)
    await writing.delete_media(conn, asset_id)
