"""Decides when a summary is written: when somebody asks, when a collection wants it, and when its text has changed."""

from typing import Literal
from uuid import UUID

from common import assets
from common.assets import AssetState
from common.db import Connection, Database
from common.errors import ApiError, conflict, not_found
from common.events import SummaryPlanned, TranscriptCompleted, TranscriptFact
from common.ids import uuid7
from common.once import Once
from common.outbox import Relay, saying
from common.recording import Recording

from chat.choosing import Choosing
from chat.domain.summary import Template
from chat.queries import summaries
from chat.queries.summary_rows import NewWork, TranscriptRow, WorkRow

_SWEPT_AT_ONCE = 50
# Longer than any retry waits.
_SILENT_SECONDS = 3600.0
_MOST_TOLD = 3
_BROKE_OFF = {
    "message": "The work on the summary broke off several times.",
    "advice": "Ask for it again; an administrator finds the reason by: earshot parked list.",
}
_NO_ASSET = "There is no such asset."


class Planning:
    """``quiet_seconds``: after a correction others are waited for, so that a row of them is summarised once."""

    def __init__(self, db: Database, relay: Relay | None, choosing: Choosing, quiet_seconds: float) -> None:
        self._db = db
        self._relay = relay
        self._choosing = choosing
        self._quiet_seconds = quiet_seconds

    async def ask(
        self, asset_id: UUID, user_id: UUID, model: str | None, template: Template | None, creation: Once
    ) -> None:
        """A summary is being written from now on; one that is being written as it is asked for goes on.

        Raises ApiError: no such asset or model, or no transcript yet.
        """
        # Written by any worker, later, and at the expense of the installation: keys of users are for what they ask.
        chosen = await self._choosing.model_for_all("summary", model)
        async with saying(self._db, "chat", self._relay) as tx:
            work_id, fresh = await creation.claim(tx.conn, uuid7())
            if not fresh:
                return
            state = await lock_living(tx.conn, asset_id)
            transcript = await summaries.read_transcript(tx.conn, asset_id)
            if transcript is None:
                raise no_transcript()
            wanted = template or await self._template(tx.conn, asset_id, state)
            work = await summaries.read_work(tx.conn, asset_id)
            if work and _is_same(work, transcript, chosen, wanted):
                return
            newest = await summaries.read_summary(tx.conn, asset_id)
            if newest and newest.revision == transcript.revision and not newest.edited:
                # Another one of the same text is wanted: what was answered for this one does not count.
                await summaries.forget_nodes(tx.conn, asset_id)
            new = _work(work_id, state, transcript, chosen, wanted, newest.version if newest else 0, user_id)
            await summaries.put_work(tx.conn, new)
            await tx.say(_planned(new))

    async def follow(self, rec: Recording, fact: TranscriptFact) -> None:
        """What a newer transcript asks for; part of the transaction that takes the fact in."""
        if not await summaries.remember_transcript(rec.conn, fact):
            return
        transcript = await summaries.read_transcript(rec.conn, fact.asset_id)
        newest = await summaries.read_summary(rec.conn, fact.asset_id)
        work = await summaries.read_work(rec.conn, fact.asset_id)
        assert transcript is not None
        model, template, wait = await self._choosing.model_for_all("summary", conn=rec.conn), None, self._quiet_seconds
        if work is not None and work.pending:
            model, template = work.model, Template.model_validate(work.template)
        elif newest is not None:
            if newest.edited:
                # A person's words are not written over; the summary shows as stale.
                return
            model = newest.model if newest.model in self._choosing.writers.offered else model
        elif not await self._is_automatic(rec.conn, fact):
            return
        else:
            wait = 0.0
        template = template or await self._template(rec.conn, fact.asset_id, rec.asset)
        version = newest.version if newest else 0
        new = _work(uuid7(), rec.asset, transcript, model, template, version, None, wait, fact.priority)
        await summaries.put_work(rec.conn, new)
        if not wait:
            await rec.say(_planned(new))

    async def begin_due(self) -> None:
        """Say the work whose time to wait is over."""
        async with saying(self._db, "chat", self._relay) as tx:
            for work in await summaries.begin_due(tx.conn, _SWEPT_AT_ONCE):
                await tx.say(_planned(work))

    async def begin_silent(self) -> None:
        """Say again what nobody is at: its message was parked, or is not in the broker that a backup came back to."""
        async with saying(self._db, "chat", self._relay) as tx:
            for work in await summaries.begin_silent(tx.conn, _SILENT_SECONDS, _MOST_TOLD):
                await tx.say(_planned(work))
            await summaries.fail_silent(tx.conn, _SILENT_SECONDS, _BROKE_OFF)

    async def _is_automatic(self, conn: Connection, fact: TranscriptFact) -> bool:
        """Only what a run has just transcribed: a correction is no reason for a first summary."""
        if not isinstance(fact, TranscriptCompleted):
            return False
        collection_id = await summaries.current_collection(conn, fact.asset_id)
        wish = await summaries.read_wish(conn, collection_id) if collection_id else None
        return wish is not None and wish.automatic

    async def _template(self, conn: Connection, asset_id: UUID, state: AssetState) -> Template:
        collection_id = await summaries.current_collection(conn, asset_id) or state.collection_id
        wish = await summaries.read_wish(conn, collection_id)
        return Template.model_validate(wish.template) if wish else Template()


async def lock_living(conn: Connection, asset_id: UUID) -> AssetState:
    """The asset's row, locked. Raises ApiError 404 for one that chat has not heard of, or that is deleted."""
    known = await assets.read_asset(conn, asset_id)
    if known is None:
        raise no_transcript()
    state = await assets.lock_asset(conn, asset_id, known.collection_id, known.run)
    if state.deleted_at is not None:
        raise not_found(_NO_ASSET)
    return state


def no_transcript() -> ApiError:
    return conflict(
        "There is no finished transcript to summarise.",
        advice="Wait until the recording is ready. One that was transcribed before Earshot had summaries: "
        "earshot retry ID --from-stage transcribe.",
    )


def _is_same(work: WorkRow, transcript: TranscriptRow, model: str, template: Template) -> bool:
    """Work that was asked for by a correction and still waits is done at once instead."""
    asked = (work.revision, work.model, work.template) == (transcript.revision, model, template.model_dump())
    return work.state == "running" and asked


def _work(
    work_id: UUID,
    state: AssetState,
    transcript: TranscriptRow,
    model: str,
    template: Template,
    base_version: int,
    user_id: UUID | None,
    wait_seconds: float = 0.0,
    priority: Literal["interactive", "bulk"] = "interactive",
) -> NewWork:
    return NewWork(
        id=work_id,
        asset_id=transcript.asset_id,
        run=transcript.run,
        collection_id=state.collection_id,
        priority=priority,
        revision=transcript.revision,
        model=model,
        template=template.model_dump(),
        base_version=base_version,
        user_id=user_id,
        wait_seconds=wait_seconds,
    )


def _planned(work: NewWork | WorkRow) -> SummaryPlanned:
    return SummaryPlanned(
        asset_id=work.asset_id,
        run=work.run,
        collection_id=work.collection_id,
        priority=work.priority,
        work_id=work.id,
    )
