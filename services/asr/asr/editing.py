"""Corrections: a change of the newest revision becomes the next one, in one transaction with the fact of it."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from uuid import UUID

from common import assets, crash, objects
from common.assets import set_revision
from common.db import Connection, Database
from common.errors import ApiError, conflict, not_found
from common.events import TimeSpan, TranscriptRevised
from common.objects import Kept
from common.outbox import Transaction
from common.spacing import split_words
from common.transcript import Transcript

from asr import metrics
from asr.domain.corrections import same_text
from asr.domain.revising import Changes, Placed, changes, exchange, place
from asr.providers.documents import Documents
from asr.queries import profiles, suggestions, tasks, transcripts, voiceprints
from asr.queries.transcripts import Making, Revision
from asr.reading import About, Held, read_about, read_held


@dataclass(frozen=True)
class Corrected:
    """What a correction makes of a transcript; ``base_revision`` is None where it stays the same machine's text."""

    transcript: Transcript
    base_revision: int | None = None


# What else changes with a correction, in its transaction: given the connection and what the transcript then is.
Beside = Callable[[Connection, Transcript], Awaitable[None]]
# Changes by which a person says that a speaker is not the one of the profile they carried.
_DENYING = frozenset({"renamed", "identified", "released"})


@dataclass(frozen=True)
class Correction:
    """``apply`` is pure; ``change`` names its kind. ``expected`` is the revision it is meant for, None for any.

    ``made_by``: None where nobody was asked. ``beside`` is done even if the transcript stays as it is.
    """

    asset_id: UUID
    made_by: UUID | None
    expected: int | None
    change: str
    apply: Callable[[Transcript], Corrected]
    beside: Beside | None = None


@dataclass(frozen=True)
class Outcome:
    """The newest revision, and what the correction changed in the one before; nothing where both are one."""

    held: Held
    changes: Changes


class _Overtaken(Exception):
    """Another revision appeared since the correction was begun."""


@dataclass(frozen=True)
class Editing:
    """``begin`` opens a transaction that can say facts."""

    db: Database
    documents: Documents
    begin: Callable[[], AbstractAsyncContextManager[Transaction]]

    async def correct(self, correction: Correction) -> Outcome:
        """Raises ApiError 404, 409 while there is no complete transcript, 412 when ``expected`` is not the newest."""
        while True:
            before, about = await self._read(correction.asset_id)
            _check_expected(correction, before.revision)
            corrected = await asyncio.to_thread(correction.apply, before.transcript)
            if same_text(corrected.transcript, before.transcript):
                if correction.beside is not None and not await self._do_beside(correction, before):
                    continue
                return Outcome(before, Changes([], [], speakers=False))
            after = corrected.transcript.model_copy(update={"revision": before.revision.revision + 1})
            kept = await self.documents.keep(after)
            crash.point("asr.correction_stored")
            try:
                return await self._record(_Revising(correction, before, after, corrected.base_revision, kept, about))
            except (_Overtaken, ApiError) as error:
                await self.documents.discard([kept])
                if isinstance(error, ApiError):
                    raise

    async def _read(self, asset_id: UUID) -> tuple[Held, About]:
        async with self.db.acquire() as conn:
            held = await read_held(conn, asset_id)
            about = await read_about(conn, asset_id)
        if about is None:
            raise not_found("There is no transcript yet.", advice="Look at the recording's status.")
        if held is None:
            raise conflict("The transcript is not complete yet.", advice="Wait until the recording is ready.")
        return held, about

    async def _do_beside(self, correction: Correction, before: Held) -> bool:
        """False when the transcript is no longer the one that was looked at."""
        async with self.begin() as tx:
            state = await lock_known(tx.conn, correction.asset_id)
            if state.revision != before.revision.revision:
                return False
            await _settle(tx.conn, correction, before.transcript, before.transcript)
        return True

    async def _record(self, revising: "_Revising") -> Outcome:
        before, after = revising.before, revising.after
        async with self.begin() as tx:
            state = await lock_known(tx.conn, after.asset_id)
            if state.revision != before.revision.revision:
                raise _Overtaken
            placed = await self._save(tx.conn, revising, state.run)
            await objects.refer(tx.conn, revising.kept, after.asset_id, f"transcript-{after.revision}")
            await set_revision(tx.conn, after.asset_id, after.revision)
            revision = await transcripts.read_revision(tx.conn, after.asset_id, after.revision)
            assert revision is not None
            differing = changes(before.transcript, after)
            if differing.speakers:
                await _settle(tx.conn, revising.correction, before.transcript, after)
            await tx.say(_revised(revising, revision, differing, state.run, state.collection_id))
            crash.point("asr.correction_saved")
        metrics.corrections.labels(revising.correction.change).inc()
        return Outcome(Held(revision, after, placed), differing)

    async def _save(self, conn: Connection, revising: "_Revising", run: int) -> list[Placed]:
        before, after = revising.before, revising.after
        base = revising.base_revision or before.revision.base_revision
        making = Making(revising.correction.change, revising.correction.made_by, base)
        word_count = sum(len(split_words(segment.text)) for segment in after.segments)
        await transcripts.save_transcript(conn, after, run, word_count, revising.kept.uri, making)
        placed = place(after.segments, await transcripts.read_positions(conn, after.asset_id, base))
        await transcripts.exchange_segments(conn, after.asset_id, after.revision, exchange(before.placed, placed))
        return placed


@dataclass(frozen=True)
class _Revising:
    """A correction with everything that is recorded of it."""

    correction: Correction
    before: Held
    after: Transcript
    base_revision: int | None
    kept: Kept
    about: About


async def _settle(conn: Connection, correction: Correction, before: Transcript, after: Transcript) -> None:
    """Profiles hold what the newest revision gives them, and what a person denied is not suggested again."""
    if correction.beside is not None:
        await correction.beside(conn, after)
    if correction.change in _DENYING and correction.made_by is not None:
        for pair in _denied(before, after):
            await suggestions.decide_pair(conn, after.asset_id, pair, "rejected", by=correction.made_by)
    settled = await voiceprints.settle_voiceprints(conn, after.asset_id)
    await tasks.ask_to_match(conn, settled.gained, settled.lost)
    if await _behind(conn, after):
        await tasks.ask(conn, "follow", after.asset_id)


async def _behind(conn: Connection, after: Transcript) -> bool:
    """Whether a speaker is not called as their profile is: it was renamed meanwhile, or an earlier revision is back."""
    carried = {who.profile_id: who.name for who in after.speakers if who.profile_id is not None}
    people = await profiles.people_of(conn, after.asset_id, sorted(carried)) if carried else {}
    return any(person != (profile_id, carried[profile_id]) for profile_id, person in people.items())


def _denied(before: Transcript, after: Transcript) -> list[tuple[str, UUID]]:
    """Speakers that carry another profile than before, or none, with the one that they carried."""
    now = {speaker.id: speaker.profile_id for speaker in after.speakers}
    return [
        (speaker.id, speaker.profile_id)
        for speaker in before.speakers
        if speaker.profile_id is not None and speaker.id in now and now[speaker.id] != speaker.profile_id
    ]


async def lock_known(conn: Connection, asset_id: UUID) -> assets.AssetState:
    """The asset's row until the transaction ends. Raises ApiError 404 when the asset is deleted."""
    known = await assets.read_asset(conn, asset_id)
    if known is None:
        raise not_found("There is no such asset.")
    state = await assets.lock_asset(conn, asset_id, known.collection_id, known.run)
    if state.deleted_at is not None:
        raise not_found("There is no such asset.")
    return state


def _check_expected(correction: Correction, newest: Revision) -> None:
    if correction.expected is not None and correction.expected != newest.revision:
        raise ApiError(
            412,
            "precondition_failed",
            f"The transcript is at revision {newest.revision}, not {correction.expected}.",
            advice="Read it again, look at what has changed, and send the correction with its new ETag.",
        )


def _revised(
    revising: _Revising, revision: Revision, differing: Changes, run: int, collection_id: UUID
) -> TranscriptRevised:
    after, about = revising.after, revising.about
    return TranscriptRevised(
        asset_id=after.asset_id,
        run=run,
        collection_id=collection_id,
        revision=after.revision,
        transcript_uri=revising.kept.uri,
        transcript_sha256=revising.kept.sha256,
        title=about.title,
        language=after.language,
        engine=after.engine,
        duration_seconds=after.duration_seconds,
        segment_count=revision.segment_count,
        word_count=revision.word_count,
        warnings=after.warnings,
        recorded_at=about.recorded_at,
        change=revision.change,
        spans=[TimeSpan(start_seconds=start, end_seconds=end) for start, end in differing.spans],
        segment_ids=differing.segment_ids,
        speakers_changed=differing.speakers,
    )
