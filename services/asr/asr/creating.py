"""Creating: a voice that nobody knows makes a profile, where the collection asks for it and its speakers agreed."""

from dataclasses import dataclass
from uuid import UUID

import structlog
from common.db import Connection, Database
from common.errors import ApiError, conflict
from common.ids import uuid7
from common.transcript import Transcript

from asr import metrics
from asr.domain import corrections
from asr.domain.matching import match_voices, strangers
from asr.editing import Corrected, Correction, Editing
from asr.queries import collection_consents, profiles, speaker_settings, suggestions, transcripts, voiceprints
from asr.queries.profiles import NewProfile

log = structlog.get_logger()


@dataclass(frozen=True)
class Creating:
    """``least``: the likeness from which a voice is taken for one that may be known."""

    db: Database
    editing: Editing
    least: float

    async def make_profile(self, asset_id: UUID, speaker_id: str) -> None:
        """Of the speaker, called as they are, as a correction; nothing when somebody else did, or revoked, meanwhile.

        Of two recordings of one voice at once the second waits for the first, and finds its profile.
        """
        profile_id = uuid7()

        async def beside(conn: Connection, now: Transcript) -> None:
            name = next((who.name for who in now.speakers if who.profile_id == profile_id), None)
            creation = await collection_consents.lock_creation(conn, asset_id)
            if creation is None or name is None or not await self._is_stranger(conn, asset_id, speaker_id):
                raise conflict("The voice is known by now, or no profile is to be made.")
            # After the comparison, for a voiceprint that was missed in it may have been revoked just then.
            if await collection_consents.is_paused(conn, creation.collection_id):
                raise conflict("A profile of the collection is without consent.")
            new = NewProfile(
                profile_id,
                creation.collection_id,
                creation.noted_by,
                name,
                is_owner=False,
                consent=creation.consent,
                request_key=None,
                fingerprint=b"",
                by_collection=True,
            )
            await profiles.add_profile(conn, new)
            await suggestions.decide_pair(conn, asset_id, (speaker_id, profile_id), "accepted", by=creation.noted_by)

        def apply(now: Transcript) -> Corrected:
            who = next((one for one in now.speakers if one.id == speaker_id and one.profile_id is None), None)
            if who is None:
                return Corrected(now)
            return Corrected(corrections.identify_speaker(now, speaker_id, profile_id, who.name or who.label))

        try:
            await self.editing.correct(Correction(asset_id, None, None, "identified", apply, beside))
        except ApiError as error:
            log.info("profile_not_made", asset_id=str(asset_id), reason=error.detail)
            return
        metrics.identifications.labels("created").inc()

    async def _is_stranger(self, conn: Connection, asset_id: UUID, speaker_id: str) -> bool:
        newest = await transcripts.read_revision(conn, asset_id, None)
        assert newest is not None
        own = await voiceprints.own_voiceprints(conn, asset_id, newest.base_revision)
        own = [one for one in own if one.speaker_id == speaker_id]
        known = await voiceprints.known_where(conn, asset_id, sorted({one.model for one in own}))
        rules = await speaker_settings.rules_where(conn, asset_id, self.least)
        decided = await suggestions.decided_pairs(conn, asset_id, newest.base_revision)
        # Who said who the speaker is, or is not, wants no machine to go on.
        return not any(who == speaker_id for who, _ in decided) and bool(
            strangers(own, match_voices(own, known, rules))
        )
