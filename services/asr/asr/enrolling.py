"""Enrolling: a person says whose voice a speaker of a recording is, or that it is not theirs."""

from dataclasses import dataclass
from uuid import UUID

from common.db import Connection, Database
from common.errors import conflict, invalid, not_found
from common.transcript import Transcript

from asr.domain import corrections
from asr.editing import Corrected, Correction, Editing, lock_known
from asr.queries import profiles, suggestions
from asr.queries.suggestions import Suggestion


@dataclass(frozen=True)
class Enrolling:
    """Makes the corrections that profiles and suggestions amount to."""

    db: Database
    editing: Editing

    async def by_profile(
        self, asset_id: UUID, speaker_id: str, profile_id: UUID, user_id: UUID, expected: int | None
    ) -> Correction:
        """The speaker is the person of this profile, which gets the voiceprint if there is consent.

        Raises ApiError 404 for a profile that the user may not see, 422 for one of another collection.
        """
        async with self.db.acquire() as conn:
            profile = await profiles.read_profile(conn, user_id, profile_id)
            here = await profiles.people_of(conn, asset_id, [profile_id])
        if profile is None:
            raise no_profile()
        if profile_id not in here:
            raise invalid(
                "The profile belongs to another collection than the recording.",
                advice="Take a profile of the recording's collection, or one that belongs to no collection.",
            )

        async def beside(conn: Connection, _now: Transcript) -> None:
            if profile_id not in await profiles.hold_profiles(conn, asset_id, [profile_id]):
                raise no_profile()
            await suggestions.decide_pair(conn, asset_id, (speaker_id, profile_id), "accepted", by=user_id)

        return Correction(
            asset_id,
            user_id,
            expected,
            "identified",
            lambda now: Corrected(corrections.identify_speaker(now, speaker_id, profile_id, profile.name)),
            beside,
        )

    async def by_suggestion(
        self, asset_id: UUID, suggestion: Suggestion, user_id: UUID, expected: int | None
    ) -> Correction:
        """What accepting it amounts to."""
        if suggestion.profile_id is not None:
            return await self.by_profile(asset_id, suggestion.speaker_id, suggestion.profile_id, user_id, expected)

        async def beside(conn: Connection, _now: Transcript) -> None:
            await suggestions.decide(conn, suggestion.id, "accepted", user_id)

        return Correction(
            asset_id,
            user_id,
            expected,
            "renamed",
            lambda now: Corrected(corrections.name_speaker(now, suggestion.speaker_id, suggestion.name)),
            beside,
        )

    async def reject(self, asset_id: UUID, suggestion_id: UUID, user_id: UUID) -> Suggestion:
        """Remembered also over later recognitions. Raises ApiError 404, 409 when the speaker carries the profile."""
        async with self.editing.begin() as tx:
            await lock_known(tx.conn, asset_id)
            found = await suggestions.read_suggestion(tx.conn, asset_id, user_id, suggestion_id)
            if found is None:
                raise no_suggestion()
            offered = await suggestions.list_suggestions(tx.conn, asset_id, user_id)
            if found.state != "rejected" and found.id not in {one.id for one in offered}:
                raise conflict(
                    "The speaker has been named by then.",
                    advice="Take the name away instead: PATCH …/speakers/{speaker_id} with profile_id or name null.",
                )
            await suggestions.decide(tx.conn, suggestion_id, "rejected", user_id)
            again = await suggestions.read_suggestion(tx.conn, asset_id, user_id, suggestion_id)
        assert again is not None
        return again


def no_profile() -> Exception:
    return not_found("There is no such profile.", advice="See GET /api/speaker-profiles.")


def no_suggestion() -> Exception:
    return not_found("There is no such suggestion.", advice="List them again: a later recognition makes new ones.")
