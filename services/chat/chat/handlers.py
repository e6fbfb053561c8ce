"""Facts in: what can be played; newer transcripts make citations stale and summaries follow; deleted assets take
answers and summaries along, collections their sessions and instructions."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
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
    TranscriptFact,
    TranscriptRevised,
)

from chat.planning import Planning
from chat.queries import caching, instructions, sessions, summaries, writing


async def note_media(fact: RecordingFetched | CaptionsFetched, delivery: Delivery) -> None:
    """Captions have no sound, and a recording may be kept without one; the newest run's fetching counts."""
    # No check of the run: what was fetched is there whatever became of it.
    async with delivery.record(check=False) as rec:
        if rec.asset.deleted_at is not None:
            raise Stale("the asset is deleted")
        playable = isinstance(fact, RecordingFetched) and fact.playback_uri is not None
        await writing.save_media(rec.conn, fact.asset_id, fact.run, playable=playable)


@dataclass(frozen=True)
class Revisions:
    """What newer transcripts do: citations become stale, and summaries follow as far as they are wanted."""

    planning: Planning

    async def note_revision(self, fact: TranscriptCompleted, delivery: Delivery) -> None:
        """Revisions only rise: one that arrives late changes nothing. It is there whatever became of its run since."""
        async with self._follow(fact, delivery):
            pass

    async def note_correction(self, fact: TranscriptRevised, delivery: Delivery) -> None:
        """What somebody corrected is new whatever became of the run it was said in."""
        async with self._follow(fact, delivery):
            crash.point("chat.correction_noted")

    @asynccontextmanager
    async def _follow(self, fact: TranscriptFact, delivery: Delivery) -> AsyncGenerator[None]:
        async with replace(delivery, any_run=True).record() as rec:
            await assets.set_revision(rec.conn, fact.asset_id, fact.revision)
            await caching.forget_asset(rec.conn, fact.asset_id)
            await self.planning.follow(rec, fact)
            yield


async def forget_collection(fact: CollectionDeleted, delivery: Delivery) -> None:
    """Sessions whose questions were asked of the collection go, with those questions; so do instructions for it, and
    what it wants of its summaries."""
    async with delivery.record() as rec:
        await summaries.delete_wish(rec.conn, fact.collection_id)
        await sessions.delete_of_collection(rec.conn, fact.collection_id)
        await instructions.delete_of_collection(rec.conn, fact.collection_id)


async def erase(conn: Connection, asset_id: UUID) -> None:
    await writing.delete_made_from(conn, asset_id)
    await writing.delete_media(conn, asset_id)
    await summaries.delete_of_asset(conn, asset_id)
