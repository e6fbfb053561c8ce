"""An asset is registered, or its run restarted: bring its file, make the copies, say ``recording.fetched``."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from common import assets, objects
from common.db import Database
from common.delivery import Delivery, Recording
from common.errors import CannotProcess, Continue, Stale, TryAgain
from common.events import AssetRegistered, ProcessingRestarted, RecordingFetched, Source
from common.logs import get_logger
from common.objects import Kept
from common.store import ObjectStore

from fetcher import metrics, queries
from fetcher.domain import problems
from fetcher.domain.estimates import FROM_STORE, FROM_WEB
from fetcher.handlers.watching import Watcher
from fetcher.providers.checkpoints import Checkpoints
from fetcher.providers.media.convert import PLAYBACK_SUFFIX, Copies, convert
from fetcher.providers.media.probe import probe
from fetcher.providers.scratch import Scratch, Workspace
from fetcher.providers.sources import Sources
from fetcher.providers.web.partial import Partial

log = get_logger()

AUDIO, PLAYBACK, ORIGINAL = "audio", "playback", "original"


@dataclass(frozen=True)
class Limits:
    """``hold_seconds``: how long a download may hold its message."""

    max_duration_seconds: float
    hold_seconds: float


@dataclass(frozen=True)
class Fetcher:
    """``converting`` bounds how many ffmpegs run at once in this process."""

    db: Database
    store: ObjectStore
    sources: Sources
    scratch: Scratch
    checkpoints: Checkpoints
    converting: asyncio.Semaphore
    limits: Limits

    async def fetch_recording(self, fact: AssetRegistered, delivery: Delivery) -> None:
        if fact.kind != "recording":
            raise problems.unsupported_kind(fact.kind)
        await self._fetch(fact, delivery)

    async def refetch_recording(self, fact: ProcessingRestarted, delivery: Delivery) -> None:
        """A new run from our stage; for one from a later stage only the run is noted."""
        if fact.from_stage != "fetch":
            async with delivery.record():
                return
        async with self.db.acquire() as conn:
            known = await queries.registered_as(conn, fact.asset_id)
        if known is None:
            raise problems.nothing_known()
        now = {"run": fact.run, "priority": fact.priority, "collection_id": fact.collection_id}
        await self._fetch(known.model_copy(update=now), delivery)

    async def _fetch(self, wanted: AssetRegistered, delivery: Delivery) -> None:
        await self._claim(wanted)
        if await self._say_again(wanted, delivery):
            return
        async with self.scratch.workspace(wanted.asset_id, delivery.still_wanted) as workspace:
            # Another delivery of the same fact may have finished while this one waited for the folder.
            await delivery.still_wanted()
            async with self._tidy(wanted, workspace, delivery):
                await self._fetch_into(workspace, wanted, delivery)

    async def _claim(self, wanted: AssetRegistered) -> None:
        """From here on an older run's work is stale. Raises Stale when this one is."""
        async with self.db.transaction() as conn:
            state = await assets.lock_asset(conn, wanted.asset_id, wanted.collection_id, wanted.run)
            state.check(wanted.run)
            await queries.save_registered(conn, wanted)

    async def _say_again(self, wanted: AssetRegistered, delivery: Delivery) -> bool:
        """A later run takes the copies that an earlier one made, as long as nothing of them was dropped."""
        async with delivery.record() as rec:
            row = await queries.recording_of(rec.conn, wanted.asset_id)
            copies = await queries.copies_of(rec.conn, wanted.asset_id)
            if row is None or AUDIO not in copies:
                raise _NothingYet
            await self._record(rec, wanted, copies, row)
        return True
