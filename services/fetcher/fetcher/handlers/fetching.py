"""An asset is registered, or its run restarted: bring its file, make the copies, say ``recording.fetched``."""

import errno
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from common import assets, crash, objects
from common.db import Database
from common.delivery import Delivery
from common.errors import AlreadyHandled, CannotProcess, Continue, Stale, TryAgain
from common.events import AssetRegistered, CaptionsFetched, ProcessingRestarted, RecordingFetched
from common.logs import get_logger
from common.objects import Kept
from common.recording import Recording
from common.turns import Leaving

from fetcher import metrics, queries
from fetcher.domain import problems
from fetcher.domain.containers import AUDIO, CAPTIONS, PLAYBACK
from fetcher.domain.estimates import FROM_STORE, FROM_WEB
from fetcher.handlers.captioning import Captioner
from fetcher.handlers.copying import Copier
from fetcher.handlers.retention import release_unkept_audio
from fetcher.handlers.watching import Watcher
from fetcher.providers.checkpoints import Checkpoints
from fetcher.providers.scratch import Scratch, Workspace
from fetcher.providers.sources import Found, Sources
from fetcher.providers.web.partial import Partial

log = get_logger()


@dataclass(frozen=True)
class Fetcher:
    """``hold_seconds``: how long a download may hold its message."""

    db: Database
    sources: Sources
    scratch: Scratch
    checkpoints: Checkpoints
    copier: Copier
    captioner: Captioner
    hold_seconds: float

    async def fetch_recording(self, fact: AssetRegistered, delivery: Delivery) -> None:
        if fact.kind != "recording":
            raise problems.unsupported_kind(fact.kind)
        await self._fetch(fact, delivery)

    async def refetch_recording(self, fact: ProcessingRestarted, delivery: Delivery) -> None:
        """A new run from our stage; for one from a later stage only the run is noted.

        Raises TryAgain when the asset is not known: its registration may wait in a longer queue than the restart's.
        """
        if fact.from_stage != "fetch":
            await self._note_run(fact, delivery)
            return
        async with self.db.transaction() as conn:
            # From here on an older run's work is stale, even if nothing else is known of the asset yet.
            state = await assets.lock_asset(conn, fact.asset_id, fact.collection_id, fact.run)
            known = await queries.registered_as(conn, fact.asset_id)
        state.check(fact.run)
        if known is None:
            raise problems.nothing_known()
        now = {"run": fact.run, "priority": fact.priority, "collection_id": fact.collection_id}
        await self._fetch(known.model_copy(update=now), delivery)

    async def _note_run(self, fact: ProcessingRestarted, delivery: Delivery) -> None:
        async with delivery.record() as rec:
            # The transcript is there, though the fact of it may come later than this one, or have been stale.
            dropped = fact.from_stage == "index" and await release_unkept_audio(rec)
        if dropped:
            await objects.sweep(self.db, self.copier.store)

    async def _fetch(self, wanted: AssetRegistered, delivery: Delivery) -> None:
        await self._claim(wanted)
        crash.point("fetcher.claimed")
        await delivery.still_wanted()
        if await self._say_again(wanted, delivery):
            return
        async with (
            self.scratch.workspace(wanted.asset_id, delivery.still_wanted) as workspace,
            self._tidying(wanted, workspace, delivery),
        ):
            # Another delivery may have finished while this one waited for the folder.
            await delivery.still_wanted()
            await self._fetch_into(workspace, wanted, delivery)

    async def _claim(self, wanted: AssetRegistered) -> None:
        """From here on an older run's work is stale. Raises Stale when this one is.

        What was asked is kept even then: a later run, whose restart may come before this, begins with it.
        """
        async with self.db.transaction() as conn:
            state = await assets.lock_asset(conn, wanted.asset_id, wanted.collection_id, wanted.run)
            if state.deleted_at is None:
                await queries.save_registered(conn, wanted)
        state.check(wanted.run)

    async def _say_again(self, wanted: AssetRegistered, delivery: Delivery) -> bool:
        """A later run takes the copies that an earlier one made; False when there are none (any more)."""
        async with self.db.acquire() as conn:
            row = await queries.recording_of(conn, wanted.asset_id)
            copies = await queries.copies_of(conn, wanted.asset_id)
        if row is not None and row.run >= wanted.run:
            # A parked message that had been handled was replayed.
            raise Stale("this run has its recording already")
        if row is None or _wanted_copy(wanted) not in copies:
            return False
        async with delivery.record() as rec:
            row = queries.RecordingRow(wanted.run, row.duration_seconds, row.media_facts)
            await _record(rec, wanted, copies, row)
        return True

    async def _fetch_into(self, workspace: Workspace, wanted: AssetRegistered, delivery: Delivery) -> None:
        plan = FROM_WEB if wanted.source.type == "url" else FROM_STORE
        watcher = Watcher(delivery, plan, self.hold_seconds)
        try:
            found = await self._bring(workspace, wanted, watcher)
            crash.point("fetcher.brought")
            watcher.check_before_converting()
            if wanted.source.content == "captions":
                copies, row = await self.captioner.make(found.path, wanted, workspace)
            else:
                copies, row = await self.copier.make(found.path, wanted, workspace, watcher, found.page)
            crash.point("fetcher.converted")
        except (Continue, Leaving):
            await self._save_checkpoint(workspace, wanted)
            raise
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise problems.no_room() from error
        try:
            async with delivery.record() as rec:
                await _record(rec, wanted, copies, row)
        except (Stale, AlreadyHandled):
            await self._forget(copies)
            raise
        log.info("recording_fetched", source=wanted.source.type, seconds=round(row.duration_seconds, 1))

    async def _forget(self, copies: dict[str, Kept]) -> None:
        """The asset was deleted while its copies were made."""
        await objects.abandon(self.db, copies.values())
        await objects.sweep(self.db, self.copier.store)

    async def _bring(self, workspace: Workspace, wanted: AssetRegistered, watcher: Watcher) -> Found:
        with metrics.step("bring"):
            if wanted.source.type == "url":
                await self.checkpoints.restore(wanted.asset_id, Partial(workspace.folder))
            watcher.next_step()
            return await self.sources.bring(wanted, workspace, watcher.received)

    async def _save_checkpoint(self, workspace: Workspace, wanted: AssetRegistered) -> None:
        if wanted.source.type == "url":
            partial = Partial(workspace.folder)
            await self.checkpoints.save(wanted.asset_id, wanted.collection_id, wanted.run, partial)

    @asynccontextmanager
    async def _tidying(self, wanted: AssetRegistered, workspace: Workspace, delivery: Delivery) -> AsyncGenerator[None]:
        """Leaves nothing behind when this was the last attempt, and everything that helps when it was not."""
        outcome = "interrupted"
        try:
            with metrics.active.track_inprogress():
                yield
            outcome = "fetched"
        except (Stale, AlreadyHandled):
            outcome = "stale"
            raise
        except CannotProcess as error:
            outcome = "retryable" if error.retryable else "failed"
            metrics.failures.labels(error.category).inc()
            raise
        except TryAgain as error:
            outcome = "retryable" if delivery.attempt >= error.attempts else "interrupted"
            raise
        finally:
            metrics.fetches.labels(wanted.source.type, outcome).inc()
            if outcome != "interrupted":
                workspace.clear()
                await self.checkpoints.drop(wanted.asset_id)
            if outcome in ("fetched", "failed") and wanted.source.upload_id:
                await self.sources.drop_upload(wanted.source.upload_id)


async def _record(rec: Recording, wanted: AssetRegistered, copies: dict[str, Kept], row: queries.RecordingRow) -> None:
    """References, row and fact together."""
    # In the order in which rows of objects are locked everywhere.
    for name, kept in sorted(copies.items()):
        await objects.refer(rec.conn, kept, wanted.asset_id, name)
    await queries.save_recording(rec.conn, wanted.asset_id, row)
    wanted = _as_the_page_tells(wanted, row.media_facts.get("platform") or {})
    if _wanted_copy(wanted) == CAPTIONS:
        await rec.say(_captions_fetched(wanted, copies, row, row.media_facts["cues"]))
    elif (brought := row.media_facts.get("captions")) is None:
        await rec.say(_fetched(wanted, copies, row))
    else:
        # The sound is there to be played, and to be listened to later; the text comes from the captions.
        unheard = wanted.options.model_copy(update={"transcribe": False})
        sound = _fetched(wanted.model_copy(update={"options": unheard}), copies, row)
        await rec.say(sound, _captions_fetched(wanted, copies, row, brought["cues"]))


def _as_the_page_tells(wanted: AssetRegistered, page: Mapping[str, Any]) -> AssetRegistered:
    """Title and date of the platform's page, where nobody gave others."""
    title = wanted.title if wanted.title_given else page.get("title") or wanted.title
    published_at = page.get("published_at")
    dated = datetime.fromisoformat(published_at) if published_at else None
    return wanted.model_copy(update={"title": title, "recorded_at": wanted.recorded_at or dated})


def _wanted_copy(wanted: AssetRegistered) -> str:
    """What the later stages are made from; captions stay when their sound is fetched later."""
    return CAPTIONS if wanted.source.content == "captions" else AUDIO


def _fetched(wanted: AssetRegistered, copies: dict[str, Kept], row: queries.RecordingRow) -> RecordingFetched:
    audio, playback = copies[AUDIO], copies.get(PLAYBACK)
    return RecordingFetched(
        asset_id=wanted.asset_id,
        run=wanted.run,
        collection_id=wanted.collection_id,
        priority=wanted.priority,
        audio_uri=audio.uri,
        audio_sha256=audio.sha256,
        audio_bytes=audio.size_bytes,
        playback_uri=playback.uri if playback else None,
        duration_seconds=row.duration_seconds,
        title=wanted.title,
        media_facts=row.media_facts,
        options=wanted.options,
        recorded_at=wanted.recorded_at,
    )


def _captions_fetched(
    wanted: AssetRegistered, copies: dict[str, Kept], row: queries.RecordingRow, cue_count: int
) -> CaptionsFetched:
    captions = copies[CAPTIONS]
    return CaptionsFetched(
        asset_id=wanted.asset_id,
        run=wanted.run,
        collection_id=wanted.collection_id,
        priority=wanted.priority,
        captions_uri=captions.uri,
        captions_sha256=captions.sha256,
        captions_bytes=captions.size_bytes,
        duration_seconds=row.duration_seconds,
        cue_count=cue_count,
        title=wanted.title,
        media_facts=row.media_facts,
        options=wanted.options,
        recorded_at=wanted.recorded_at,
    )
