"""Identifying: behind a transcript it is found out who its speakers might be, by voice and by what is said.

What is to be done are rows (`asr.queries.tasks`); whichever worker takes one has it for a while, and one that dies
leaves it to another. Everything here can be done twice.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

import structlog
from common.away import OUTSIDE_AWAY
from common.db import Connection, Database
from common.errors import ApiError, conflict
from common.transcript import Speaker, Transcript

from asr import metrics
from asr.creating import Creating
from asr.domain import corrections
from asr.domain.matching import Match, match_voices, strangers
from asr.domain.said import Unusable, as_document, believed, lines_for
from asr.editing import Corrected, Correction, Editing, lock_known
from asr.providers.names import Reader, ReaderFailed
from asr.queries import collection_consents, profiles, speaker_settings, suggestions, tasks, transcripts, voiceprints
from asr.queries.suggestions import State
from asr.queries.tasks import Task
from asr.queries.transcripts import Revision
from asr.reading import read_held

log = structlog.get_logger()

_LONGEST_PAUSE_SECONDS = 3600.0
# A model that cannot be had, or does not answer as asked, is not needed: speakers keep their labels.
_MOST_READINGS = 6


class _Moved(Exception):
    """The transcript is another than the one that was looked at."""


@dataclass(frozen=True)
class Identifying:
    """``least``: the likeness from which a profile is suggested. ``characters``: most that a reader is shown."""

    db: Database
    editing: Editing
    reader: Reader | None
    least: float
    characters: int

    async def work(self) -> None:
        """Everything that is due."""
        while True:
            async with self.db.transaction() as conn:
                task = await tasks.take(conn)
            if task is None:
                return
            await self.do(task)

    async def do(self, task: Task) -> None:
        """A task that fails is put off, longer each time, and the others go on."""
        kinds = {"match": self._match, "follow": self._follow, "names": self._read_names}
        try:
            await kinds[task.kind](task)
        except OUTSIDE_AWAY:
            raise
        except ApiError as error:
            # The recording, or the profile, is gone or not ready any more: whatever comes next asks anew.
            log.info("speaker_task_void", kind=task.kind, asset_id=str(task.asset_id), reason=error.detail)
        except _Moved:
            return await self._put_off(task, 0.0)
        except (ReaderFailed, Unusable) as error:
            log.warning("names_wait", asset_id=str(task.asset_id), reason=str(error))
            return await self._put_off(task, _pause(task))
        except Exception:
            log.exception("speaker_task_failed", kind=task.kind, asset_id=str(task.asset_id))
            return await self._put_off(task, _pause(task))
        async with self.db.transaction() as conn:
            await tasks.finish(conn, task)
        return None

    async def _put_off(self, task: Task, seconds: float) -> None:
        async with self.db.transaction() as conn:
            await tasks.put_off(conn, task, seconds)

    async def _match(self, task: Task) -> None:
        """Suggest profiles by voice, and name those that nobody need be asked about."""
        asset_id = task.asset_id
        async with self.editing.begin() as tx:
            await lock_known(tx.conn, asset_id)
            settled = await voiceprints.settle_voiceprints(tx.conn, asset_id)
            await tasks.ask_to_match(tx.conn, settled.gained, settled.lost)
        async with self.db.acquire() as conn:
            newest = await transcripts.read_revision(conn, asset_id, None)
            if newest is None:
                return
            open_speakers = {speaker.id: speaker for speaker in newest.speakers if speaker.profile_id is None}
            own = await voiceprints.own_voiceprints(conn, asset_id, newest.base_revision)
            own = [one for one in own if one.speaker_id in open_speakers]
            known = await voiceprints.known_where(conn, asset_id, sorted({one.model for one in own}))
            rules = await speaker_settings.rules_where(conn, asset_id, self.least)
            decided = await suggestions.decided_pairs(conn, asset_id, newest.base_revision)
            creating = await collection_consents.is_creating(conn, asset_id)
        taken = frozenset(speaker.profile_id for speaker in newest.speakers if speaker.profile_id is not None)
        found = await asyncio.to_thread(match_voices, own, known, rules, taken)
        found = [match for match in found if decided.get((match.speaker_id, match.profile_id)) != "rejected"]
        await self._suggest(newest, task, found)
        sure = [match for match in found if match.sure and _is_new(match, open_speakers[match.speaker_id], decided)]
        named = [await self._name(task, match) for match in sure]
        if not all(named):
            raise _Moved
        unheard_of = [one for one in own if one.speaker_id not in {speaker_id for speaker_id, _ in decided}]
        for speaker_id in strangers(unheard_of, found) if creating else ():
            await Creating(self.db, self.editing, self.least).make_profile(asset_id, speaker_id)

    async def _suggest(self, newest: Revision, task: Task, found: list[Match]) -> None:
        """Only of profiles that still have consent, and in the transaction in which nobody can revoke it."""
        async with self.db.transaction() as conn:
            await lock_known(conn, task.asset_id)
            now = await transcripts.read_revision(conn, task.asset_id, None)
            if now is None or now.base_revision != newest.base_revision:
                raise _Moved
            held = await profiles.hold_profiles(conn, task.asset_id, sorted({match.profile_id for match in found}))
            good = [match for match in found if held.get(match.profile_id, ("", False))[1]]
            await suggestions.suggest_voices(conn, task.asset_id, newest.base_revision, good)
        metrics.identifications.labels("suggested").inc(len(good))

    async def _name(self, task: Task, match: Match) -> bool:
        """As a correction that nobody made. False when somebody decided, or revoked, or renamed meanwhile."""
        pair = (match.speaker_id, match.profile_id)
        async with self.db.acquire() as conn:
            people = await profiles.people_of(conn, task.asset_id, [match.profile_id])
        if match.profile_id not in people:
            return False
        _, name = people[match.profile_id]

        async def beside(conn: Connection, now: Transcript) -> None:
            held = await profiles.hold_profiles(conn, task.asset_id, [match.profile_id])
            if held.get(match.profile_id) != (name, True):
                raise conflict("The profile has changed, or has no consent any more.")
            if not any(who.id == match.speaker_id and who.profile_id == match.profile_id for who in now.speakers):
                return
            await suggestions.decide_pair(conn, task.asset_id, pair, "automatic", by=None, confidence=match.confidence)
            decided = await suggestions.decided_pairs(conn, task.asset_id, await _base(conn, task) or 0)
            if decided.get(pair) != "automatic":
                raise conflict("Somebody has decided about this meanwhile.")

        def apply(now: Transcript) -> Corrected:
            free = any(who.id == match.speaker_id and who.name is None and not who.profile_id for who in now.speakers)
            named = corrections.identify_speaker(now, match.speaker_id, match.profile_id, name) if free else now
            return Corrected(named)

        try:
            outcome = await self.editing.correct(Correction(task.asset_id, None, None, "identified", apply, beside))
        except ApiError as error:
            log.info("speaker_not_named", asset_id=str(task.asset_id), reason=error.detail)
            return False
        metrics.identifications.labels("automatic").inc(outcome.changes.speakers)
        return True

    async def _follow(self, task: Task) -> None:
        """Speakers are called as their profiles are now, or carry the one that took their profile's place."""
        async with self.db.acquire() as conn:
            newest = await transcripts.read_revision(conn, task.asset_id, None)
            if newest is None:
                return
            carried = {speaker.profile_id for speaker in newest.speakers if speaker.profile_id is not None}
            people = await profiles.people_of(conn, task.asset_id, sorted(carried))
        correction = Correction(
            task.asset_id,
            task.made_by,
            None,
            "followed",
            lambda now: Corrected(corrections.follow_profiles(now, people)),
        )
        await self.editing.correct(correction)
        metrics.identifications.labels("followed").inc()

    async def _read_names(self, task: Task) -> None:
        """Suggest the names by which speakers are called in what is said."""
        async with self.db.acquire() as conn:
            held = await read_held(conn, task.asset_id)
        if self.reader is None or held is None or all(speaker.name for speaker in held.transcript.speakers):
            return
        shown = lines_for(held.transcript, self.characters)
        try:
            said = believed(await self.reader.read(as_document(shown)), held.transcript, shown)
        except (ReaderFailed, Unusable) as error:
            metrics.identifications.labels("reading_failed").inc()
            passing = isinstance(error, Unusable) or error.passing
            if passing and task.attempts < _MOST_READINGS:
                raise
            log.warning("names_not_read", asset_id=str(task.asset_id), reason=str(error))
            return
        async with self.db.transaction() as conn:
            await lock_known(conn, task.asset_id)
            if await _base(conn, task) != held.revision.base_revision:
                raise _Moved
            await suggestions.suggest_names(conn, task.asset_id, held.revision.base_revision, said)
        metrics.identifications.labels("said").inc(len(said))

    async def close(self) -> None:
        if self.reader is not None:
            await self.reader.close()


def _pause(task: Task) -> float:
    """Seconds until it is tried again, longer each time."""
    return min(5.0 * 2**task.attempts, _LONGEST_PAUSE_SECONDS)


def _is_new(match: Match, speaker: Speaker, decided: Mapping[tuple[str, UUID], State]) -> bool:
    """Nobody, and no machine, has said who the speaker is."""
    return speaker.name is None and (match.speaker_id, match.profile_id) not in decided


async def _base(conn: Connection, task: Task) -> int | None:
    newest = await transcripts.read_revision(conn, task.asset_id, None)
    return newest.base_revision if newest else None
