"""HTTP in: whether a collection's unknown voices make profiles by themselves, and who agreed to that."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from common.db import Connection
from common.errors import conflict
from common.identity import CollectionOwner, CollectionViewer
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from asr.api.profiles import ConsentChange, consent_of
from asr.api.transcripts import VIEWER
from asr.editing import Editing
from asr.queries import collection_consents, tasks

_OWNER: dict[str, Any] = {"x-earshot-role": "owner"}
_ALL_SPEAKERS = "the speakers of the collection"


class CreationChange(BaseModel):
    model_config = ConfigDict(extra="forbid")

    create: bool = Field(description="Whether a voice that nobody knows makes a profile")


class CollectionConsent(BaseModel):
    """Who agreed, in the owner's words, that voiceprints of the collection's speakers are kept, and when."""

    by: str
    at: datetime


class CollectionProfiles(BaseModel):
    """``consent`` is null until it is given, and once it is revoked."""

    create: bool
    consent: CollectionConsent | None
    paused: bool = Field(
        description="A profile of the collection is without consent: no voice makes one, for it may be that person's"
    )


@dataclass(frozen=True)
class CollectionProfilesApi:
    """Routes below one collection."""

    editing: Editing

    def routes(self) -> APIRouter:
        router = APIRouter(tags=["Transcripts and speakers"])
        below = "/api/collections/{collection_id}/speaker-profiles"
        routes: tuple[tuple[str, str, Any, str, dict[str, Any]], ...] = (
            ("GET", below, self.read, "Read whether voices make profiles by themselves", VIEWER),
            ("PUT", below, self.change, "Set whether voices make profiles by themselves", _OWNER),
            ("POST", f"{below}/consent", self.consent, "Note or revoke consent of all speakers", _OWNER),
        )
        for method, path, endpoint, summary, extra in routes:
            router.add_api_route(path, endpoint, methods=[method], summary=summary, openapi_extra=extra)
        return router

    async def read(self, collection_id: UUID, caller: CollectionViewer) -> CollectionProfiles:
        """Off unless an owner has set it. The built-in voice encoder never makes one, whatever is set."""
        async with self.editing.db.acquire() as conn:
            return await _shown(conn, collection_id)

    async def change(self, collection_id: UUID, body: CreationChange, caller: CollectionOwner) -> CollectionProfiles:
        """On, every speaker of the collection's recordings who says enough and sounds like no profile makes one,
        called as they are in the transcript. Off, no more are made; those there are stay. 409 without consent."""
        async with self.editing.begin() as tx:
            allowed = await collection_consents.set_creating(tx.conn, collection_id, creating=body.create)
            if body.create and not allowed:
                raise conflict(
                    "Nobody has noted that the collection's speakers agree to voiceprints.",
                    advice="Note who agreed for them, and when: POST …/speaker-profiles/consent with granted true.",
                )
            if body.create:
                await tasks.ask_in_collection(tx.conn, collection_id)
            return await _shown(tx.conn, collection_id)

    async def consent(self, collection_id: UUID, body: ConsentChange, caller: CollectionOwner) -> CollectionProfiles:
        """Revoking stops the making and deletes at once the voiceprints of every profile that stands on this consent
        and on nobody's own; names stay. Given again, those profiles have consent again."""
        async with self.editing.begin() as tx:
            if body.granted:
                consent = consent_of(body.by or _ALL_SPEAKERS, body.at)
                given = await collection_consents.give_consent(tx.conn, collection_id, consent, caller.user_id)
                for profile_id in given:
                    await tasks.ask_to_give(tx.conn, profile_id)
            else:
                await collection_consents.revoke_consent(tx.conn, collection_id, caller.user_id)
            return await _shown(tx.conn, collection_id)


async def _shown(conn: Connection, collection_id: UUID) -> CollectionProfiles:
    standing = await collection_consents.read_standing(conn, collection_id)
    consent = None
    if standing.consent_by is not None and standing.consent_at is not None:
        consent = CollectionConsent(by=standing.consent_by, at=standing.consent_at)
    return CollectionProfiles(create=standing.creating, consent=consent, paused=standing.paused)
