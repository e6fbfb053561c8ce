"""HTTP in: people who are known across recordings; what they sound like is kept by consent, and never shown."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Self
from uuid import UUID

from common import users
from common.db import Connection
from common.errors import forbidden, invalid, not_found
from common.identity import Caller, CurrentCaller, at_least
from common.ids import uuid7
from common.once import OnceKey, check_same, fingerprint
from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from asr.api.editing import Name
from asr.editing import Editing
from asr.enrolling import no_profile
from asr.queries import profiles, tasks
from asr.queries.profiles import Consent, NewProfile, Profile

# Clocks differ; more than this is a mistake.
_AHEAD = timedelta(minutes=5)


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ConsentGiven(_Body):
    """Who agreed that a voiceprint of them is kept, and when."""

    by: Name
    at: AwareDatetime


class ProfileNew(_Body):
    name: Name
    consent: ConsentGiven | None = Field(default=None, description="Without it, no voiceprint is kept")
    collection_id: UUID | None = Field(
        default=None, description="Whose members share the profile; null: it is yours alone"
    )
    is_owner: bool = Field(default=False, description="The collection's own voice, recognised from owner_threshold on")


class ProfileEdit(_Body):
    name: Name | None = Field(default=None, description="Speakers that carry the profile are renamed everywhere")
    is_owner: bool | None = None


class ConsentChange(_Body):
    granted: bool
    by: Name | None = Field(default=None, description="Who agreed; by default whoever agreed before, else the person")
    at: AwareDatetime | None = Field(default=None, description="When; by default now")


class ProfileMerge(_Body):
    into: UUID


class ConsentState(BaseModel):
    """``granted`` is false once it is revoked."""

    granted: bool
    by: str
    at: datetime
    revoked_at: datetime | None


class SpeakerProfile(BaseModel):
    """A person who is known across recordings; ``voiceprint_count`` is how many recordings gave something."""

    id: UUID
    name: str
    collection_id: UUID | None
    is_owner: bool
    consent: ConsentState | None
    by_collection: bool = Field(description="Made without asking, by the consent of the collection's speakers")
    voiceprint_count: int
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, profile: Profile) -> Self:
        consent = None
        if profile.consent_by is not None and profile.consent_at is not None:
            consent = ConsentState(
                granted=profile.consented,
                by=profile.consent_by,
                at=profile.consent_at,
                revoked_at=profile.consent_revoked_at,
            )
        return cls(
            id=profile.id,
            name=profile.name,
            collection_id=profile.collection_id,
            is_owner=profile.is_owner,
            consent=consent,
            by_collection=profile.by_collection,
            voiceprint_count=profile.voiceprint_count,
            created_at=profile.created_at,
            updated_at=profile.updated_at,
        )


class SpeakerProfileList(BaseModel):
    items: list[SpeakerProfile]
    next_cursor: str | None


@dataclass(frozen=True)
class ProfilesApi:
    """Everybody sees their own profiles and those of collections that are open to them; nobody learns of others."""

    editing: Editing

    def routes(self) -> APIRouter:
        router = APIRouter(prefix="/api/speaker-profiles", tags=["Transcripts and speakers"])
        routes: tuple[tuple[str, str, Any, str, int], ...] = (
            ("GET", "", self.list_profiles, "List the speaker profiles", 200),
            ("POST", "", self.create, "Create a speaker profile", 201),
            ("GET", "/{profile_id}", self.read, "Read a speaker profile", 200),
            ("PATCH", "/{profile_id}", self.change, "Rename a speaker profile", 200),
            ("DELETE", "/{profile_id}", self.delete, "Delete a speaker profile", 204),
            ("POST", "/{profile_id}/consent", self.consent, "Give or revoke consent to voiceprints", 200),
            ("POST", "/{profile_id}/merge", self.merge, "Merge a speaker profile into another", 200),
        )
        for method, path, endpoint, summary, status in routes:
            router.add_api_route(path, endpoint, methods=[method], summary=summary, status_code=status)
        return router

    async def list_profiles(
        self,
        caller: CurrentCaller,
        collection_id: Annotated[UUID | None, Query(description="Only those of this collection")] = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
        cursor: Annotated[UUID | None, Query(description="`next_cursor` of the page before")] = None,
    ) -> SpeakerProfileList:
        """Newest first: yours, and those of collections that are open to you."""
        async with self.editing.db.acquire() as conn:
            if collection_id is not None and await profiles.role_in(conn, caller.user_id, collection_id) is None:
                raise _no_collection()
            rows = await profiles.list_profiles(conn, caller.user_id, collection_id, cursor, limit + 1)
        items = [SpeakerProfile.of(row) for row in rows[:limit]]
        return SpeakerProfileList(items=items, next_cursor=str(items[-1].id) if len(rows) > limit else None)

    async def create(
        self, body: ProfileNew, caller: CurrentCaller, response: Response, once: OnceKey = None
    ) -> SpeakerProfile:
        """A collection's profile needs the role editor there; without a collection it is yours alone."""
        consent = consent_of(body.consent.by, body.consent.at) if body.consent else None
        async with self.editing.begin() as tx:
            await users.admit(tx.conn, caller.user_id)
            if body.collection_id is not None:
                await _may_edit_in(tx.conn, caller, body.collection_id)
            asked = fingerprint(body.model_dump_json())
            new = NewProfile(
                uuid7(), body.collection_id, caller.user_id, body.name, body.is_owner, consent, once, asked
            )
            made = await profiles.add_profile(tx.conn, new)
            check_same(asked, made.fingerprint)
            found = await _find(tx.conn, caller, made.id)
        response.headers["Location"] = f"/api/speaker-profiles/{found.id}"
        return SpeakerProfile.of(found)

    async def read(self, profile_id: UUID, caller: CurrentCaller) -> SpeakerProfile:
        """404 for one that you may not see."""
        async with self.editing.db.acquire() as conn:
            return SpeakerProfile.of(await _find(conn, caller, profile_id))

    async def change(self, profile_id: UUID, body: ProfileEdit, caller: CurrentCaller) -> SpeakerProfile:
        """Under another name, speakers that carry the profile are renamed in all recordings, in the background."""
        if body.name is None and body.is_owner is None:
            raise invalid("There is nothing to change.", advice="Give name, is_owner or both.")
        async with self.editing.begin() as tx:
            await _lock(tx.conn, caller, profile_id)
            if await profiles.change_profile(tx.conn, profile_id, body.name, body.is_owner):
                await tasks.ask_to_follow(tx.conn, profile_id, caller.user_id)
            return SpeakerProfile.of(await _find(tx.conn, caller, profile_id))

    async def delete(self, profile_id: UUID, caller: CurrentCaller) -> None:
        """With its voiceprints and suggestions; names that were given stay."""
        async with self.editing.begin() as tx:
            await _lock(tx.conn, caller, profile_id)
            await profiles.delete_profile(tx.conn, profile_id)

    async def consent(self, profile_id: UUID, body: ConsentChange, caller: CurrentCaller) -> SpeakerProfile:
        """Revoking deletes the voiceprints and what was suggested because of them at once; names stay.

        Once it is given, recordings whose speakers people have put down to the profile give their voiceprints.
        """
        async with self.editing.begin() as tx:
            profile = await _lock(tx.conn, caller, profile_id)
            if body.granted:
                by = body.by or profile.consent_by or profile.name
                await profiles.give_consent(tx.conn, profile_id, consent_of(by, body.at), caller.user_id)
                await tasks.ask_to_give(tx.conn, profile_id)
            else:
                await profiles.revoke_consent(tx.conn, profile_id, caller.user_id)
            return SpeakerProfile.of(await _find(tx.conn, caller, profile_id))

    async def merge(self, profile_id: UUID, body: ProfileMerge, caller: CurrentCaller) -> SpeakerProfile:
        """Both are one person: recordings, voiceprints and decisions become those of `into`, under its name.

        Voiceprints are kept only if `into` has consent.
        """
        async with self.editing.begin() as tx:
            await profiles.lock_profiles(tx.conn, [profile_id, body.into])
            gone, into = [await _find(tx.conn, caller, each) for each in (profile_id, body.into)]
            for each in (gone, into):
                _check_editor(each)
            if body.into == profile_id:
                raise invalid("A profile cannot be merged into itself.", advice="Name another profile with `into`.")
            if gone.collection_id != into.collection_id:
                raise invalid(
                    "The profiles belong to different places.",
                    advice="Merge profiles of the same collection, or two that are yours alone.",
                )
            await tasks.ask_to_follow(tx.conn, profile_id, caller.user_id)
            await profiles.merge_profile(tx.conn, profile_id, body.into)
            await tasks.ask_to_match(tx.conn, [body.into])
            return SpeakerProfile.of(await _find(tx.conn, caller, body.into))


def consent_of(by: str, at: datetime | None) -> Consent:
    """Given now where no time is said. Raises ApiError 422 for one in the future."""
    now = datetime.now(UTC)
    if at is not None and at > now + _AHEAD:
        raise invalid("at: consent cannot be given in the future.", advice="Give the time at which they agreed.")
    return Consent(by, at or now)


async def _find(conn: Connection, caller: Caller, profile_id: UUID) -> Profile:
    found = await profiles.read_profile(conn, caller.user_id, profile_id)
    if found is None:
        raise no_profile()
    return found


async def _lock(conn: Connection, caller: Caller, profile_id: UUID) -> Profile:
    """For a change; nobody else changes it until the transaction ends."""
    await profiles.lock_profiles(conn, [profile_id])
    found = await _find(conn, caller, profile_id)
    _check_editor(found)
    return found


def _check_editor(profile: Profile) -> None:
    if not at_least(profile.role, "editor"):
        raise forbidden("This needs the role editor in the profile's collection.")


async def _may_edit_in(conn: Connection, caller: Caller, collection_id: UUID) -> None:
    role = await profiles.role_in(conn, caller.user_id, collection_id)
    if role is None:
        raise _no_collection()
    if not at_least(role, "editor"):
        raise forbidden("This needs the role editor in the collection.")


def _no_collection() -> Exception:
    return not_found("There is no such collection.", advice="See GET /api/collections.")
