"""HTTP in: who speakers might be, what people decide about it, and how sure one must be not to ask."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from common.identity import AssetEditor, AssetViewer, CollectionOwner, CollectionViewer
from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from asr.api.editing import IfMatch, correct, expected_revision
from asr.api.transcripts import VIEWER
from asr.domain.matching import GUEST_THRESHOLD, OWNER_THRESHOLD, Rules
from asr.enrolling import Enrolling, no_suggestion
from asr.queries import speaker_settings, suggestions

_EDITOR: dict[str, Any] = {"x-earshot-role": "editor"}
_OWNER: dict[str, Any] = {"x-earshot-role": "owner"}


class SpeakerSuggestion(BaseModel):
    """A name for a speaker: of the profile that they sound like, or one that is said in the segment `segment_id`."""

    id: UUID
    speaker_id: str
    source: Literal["voice", "said"]
    profile_id: UUID | None
    name: str
    segment_id: str | None
    confidence: float = Field(description="By voice: likeness to the profile's voice, a cosine, 0 to 1")
    made_at: datetime


class SuggestionList(BaseModel):
    items: list[SpeakerSuggestion]
    next_cursor: str | None = None


class Decision(BaseModel):
    model_config = ConfigDict(extra="forbid")

    accept: bool


class DecidedSuggestion(SpeakerSuggestion):
    """With what became of it, and the newest revision of the transcript."""

    state: Literal["accepted", "rejected"]
    revision: int


class SpeakerSettings(BaseModel):
    """How sure one must be to name speakers of a collection's recordings without asking."""

    model_config = ConfigDict(extra="forbid")

    automatic: bool = Field(default=True, description="False: people are always asked")
    owner_threshold: float = Field(
        default=OWNER_THRESHOLD, ge=0, le=1, description="Likeness from which profiles marked is_owner name a speaker"
    )
    guest_threshold: float = Field(default=GUEST_THRESHOLD, ge=0, le=1, description="Likeness from which all others do")


@dataclass(frozen=True)
class SuggestionsApi:
    """Routes below one recording, and one below a collection."""

    enrolling: Enrolling

    def routes(self) -> APIRouter:
        router = APIRouter(tags=["Transcripts and speakers"])
        below = "/api/recordings/{asset_id}/speaker-suggestions"
        settings = "/api/collections/{collection_id}/speaker-settings"
        routes: tuple[tuple[str, str, Any, str, dict[str, Any]], ...] = (
            ("GET", below, self.list_suggestions, "List who the speakers might be", VIEWER),
            ("POST", f"{below}/{{suggestion_id}}", self.decide, "Accept or reject a suggestion", _EDITOR),
            ("GET", settings, self.read_settings, "Read how speakers are named by themselves", VIEWER),
            ("PUT", settings, self.change_settings, "Set how speakers are named by themselves", _OWNER),
        )
        for method, path, endpoint, summary, extra in routes:
            router.add_api_route(path, endpoint, methods=[method], summary=summary, openapi_extra=extra)
        return router

    async def list_suggestions(self, asset_id: UUID, caller: AssetViewer) -> SuggestionList:
        """Of speakers whom nobody has identified, the likeliest first; at most three by voice for each of them.

        Suggestions of your own profiles are seen by you alone.
        """
        async with self.enrolling.db.acquire() as conn:
            rows = await suggestions.list_suggestions(conn, asset_id, caller.user_id)
        return SuggestionList(items=[SpeakerSuggestion.model_validate(row, from_attributes=True) for row in rows])

    async def decide(
        self,
        asset_id: UUID,
        suggestion_id: UUID,
        body: Decision,
        caller: AssetEditor,
        response: Response,
        if_match: IfMatch = None,
    ) -> DecidedSuggestion:
        """Accepted, it is a correction of the transcript like any other. Rejected, it is not suggested again, also
        when the recording is recognised anew."""
        async with self.enrolling.db.acquire() as conn:
            found = await suggestions.read_suggestion(conn, asset_id, caller.user_id, suggestion_id)
        if found is None:
            raise no_suggestion()
        if body.accept:
            expected = expected_revision(if_match)
            correction = await self.enrolling.by_suggestion(asset_id, found, caller.user_id, expected)
            outcome = await correct(self.enrolling.editing, correction)
            revision = outcome.held.revision.revision
        else:
            found = await self.enrolling.reject(asset_id, suggestion_id, caller.user_id)
            revision = await self._newest(asset_id)
        response.headers["ETag"] = f'"{revision}"'
        shown = SpeakerSuggestion.model_validate(found, from_attributes=True)
        return DecidedSuggestion(**dict(shown), state="accepted" if body.accept else "rejected", revision=revision)

    async def _newest(self, asset_id: UUID) -> int:
        async with self.enrolling.db.acquire() as conn:
            return await suggestions.newest_revision(conn, asset_id)

    async def read_settings(self, collection_id: UUID, caller: CollectionViewer) -> SpeakerSettings:
        """The built-in voice encoder never names anybody by itself, whatever is set."""
        async with self.enrolling.db.acquire() as conn:
            rules = await speaker_settings.read_rules(conn, collection_id, 0.0)
        return SpeakerSettings(automatic=rules.automatic, owner_threshold=rules.owner, guest_threshold=rules.guest)

    async def change_settings(
        self, collection_id: UUID, body: SpeakerSettings, caller: CollectionOwner
    ) -> SpeakerSettings:
        """For what is recognised from now on; names that were given stay. What is left out is as by default."""
        rules = Rules(automatic=body.automatic, owner=body.owner_threshold, guest=body.guest_threshold)
        async with self.enrolling.editing.begin() as tx:
            await speaker_settings.save_rules(tx.conn, collection_id, rules)
        return body
