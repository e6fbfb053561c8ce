"""Taking recordings in: by URL, or by an upload that is already stored."""

from typing import Annotated
from uuid import UUID

from common import crash
from common.db import Connection
from common.errors import ApiError, Stale, conflict, invalid
from common.events import CaptionsChoice, KeepMedia, Priority, RecordingOptions, Source
from common.ids import uuid7
from common.once import Once, OnceKey
from common.outbox import Transaction
from fastapi import APIRouter, Response
from pydantic import Field, StringConstraints, model_validator

from gateway.api import models
from gateway.api.fields import Asked, Moment, Term, Title
from gateway.api.processing import show_accepted
from gateway.auth.access import check_role, no_asset, no_collection, resolve_asset, resolve_collection
from gateway.auth.principal import CurrentUser, Principal
from gateway.domain.places import BadPlace, check_url
from gateway.door import Door, TheDoor
from gateway.queries import access, collections
from gateway.queries.once import KEYS
from gateway.registration import Wish, add_sound, register

router = APIRouter(prefix="/api/recordings", tags=["recordings"])


class PlacedFields(Asked):
    """What may be said of whatever becomes a recording; what is left out is the server's choice."""

    collection_id: UUID | None = Field(default=None, description="The caller's default collection when left out")
    title: Title | None = None
    recorded_at: Moment | None = None
    language: Annotated[str, StringConstraints(min_length=2, max_length=20)] | None = None
    keep_media: KeepMedia | None = Field(default=None, description="The collection's choice when left out")
    priority: Priority = "interactive"

    def options(self) -> RecordingOptions:
        return RecordingOptions.model_validate(
            self.model_dump(include=set(RecordingOptions.model_fields), exclude_none=True)
        )


class RecordingFields(PlacedFields):
    """What may be said of a recording when it is added."""

    min_speakers: int | None = Field(default=None, ge=1, le=100)
    max_speakers: int | None = Field(default=None, ge=1, le=100)
    transcribe: bool = True
    diarize: bool = True
    engine: Annotated[str, StringConstraints(min_length=1, max_length=50)] | None = None
    key_terms: list[Term] = Field(
        default_factory=list, max_length=100, description="As they are spelled; the collection's are added behind them"
    )
    captions: CaptionsChoice | None = Field(
        default=None,
        description="Captions within the recording instead of recognition: `prefer` those that are good enough, `only` "
        "them and fail without, or `ignore` them (the default)",
    )
    asset_id: UUID | None = Field(
        default=None,
        description="A recording that was added as a subtitle file: this is its sound, and its text stays",
    )

    @model_validator(mode="after")
    def _nothing_that_is_known(self) -> "RecordingFields":
        known = {"collection_id", "title", "recorded_at"} & self.model_fields_set
        if self.asset_id is not None and known:
            raise ValueError(f"the recording of asset_id has its own {', '.join(sorted(known))}; leave it out")
        if self.asset_id is not None and not self.transcribe:
            raise ValueError("the sound of a subtitle file is added to be listened to; leave transcribe out")
        return self

    @model_validator(mode="after")
    def _one_text(self) -> "RecordingFields":
        if self.captions in (None, "ignore"):
            return self
        if self.asset_id is not None:
            raise ValueError("the recording of asset_id has its captions, and they stay; leave captions out")
        if not self.transcribe:
            raise ValueError(f"captions={self.captions} asks for a transcript; leave transcribe out")
        return self

    @model_validator(mode="after")
    def _speakers_in_order(self) -> "RecordingFields":
        if self.min_speakers and self.max_speakers and self.min_speakers > self.max_speakers:
            raise ValueError("min_speakers is larger than max_speakers")
        return self


class RecordingRequest(RecordingFields):
    """A recording to fetch; a file goes to `/api/recordings/upload`."""

    url: str = Field(max_length=4000)

    def source(self) -> Source:
        return Source(type="url", url=self.url)


@router.post("", status_code=202, summary="Add a recording by URL")
async def add_recording(
    wish: RecordingRequest, user: CurrentUser, door: TheDoor, response: Response, key: OnceKey = None
) -> models.Accepted:
    """Answers as soon as it is noted; follow it at its status."""
    check_place(wish.url, door)
    creation = Once.of(KEYS, user.user_id, key, "POST /api/recordings", wish.model_dump_json())
    asset_id, _ = await take_in(door, user, wish, wish.source(), creation)
    response.headers["Location"] = f"/api/recordings/{asset_id}"
    return await show_accepted(door, asset_id)


def check_place(url: str, door: Door) -> None:
    """Raises ApiError 422 for a URL that can never be fetched."""
    try:
        check_url(url, door.settings.address_policy)
    except BadPlace as bad:
        raise ApiError(422, bad.category, bad.message, advice=bad.advice) from bad


async def take_in(
    door: Door, user: Principal, fields: RecordingFields, source: Source, creation: Once
) -> tuple[UUID, bool]:
    """Register the asset, or the sound of one, once per Idempotency-Key: its id, and whether that is new."""
    async with door.service.transaction() as tx:
        asset_id, fresh = await creation.claim(tx.conn, fields.asset_id or uuid7())
        if fresh and fields.asset_id is not None:
            await _add_sound(tx, user, fields, source, asset_id)
        elif fresh:
            await register_wish(tx, user, fields, source, asset_id)
        elif await access.asset_access(tx.conn, user.user_id, asset_id) is None:
            raise no_asset()
    crash.point("gateway.registered")
    return asset_id, fresh


async def register_wish(tx: Transaction, user: Principal, fields: PlacedFields, source: Source, asset_id: UUID) -> None:
    """Raises ApiError 403 or 404 for a collection that is not the user's to add to."""
    collection_id = await target_collection(tx.conn, user.user_id, fields.collection_id)
    keep_media = await collections.keep_media_of(tx.conn, collection_id)
    if keep_media is None:
        raise no_collection()
    await register(
        tx,
        asset_id,
        Wish(
            collection_id=collection_id,
            source=source,
            keep_media=fields.keep_media or keep_media,
            options=fields.options(),
            title=fields.title,
            recorded_at=fields.recorded_at,
            priority=fields.priority,
            created_by=user.user_id,
        ),
    )


async def _add_sound(tx: Transaction, user: Principal, fields: RecordingFields, source: Source, asset_id: UUID) -> None:
    """Raises ApiError 404 or 403 for an asset that is not the user's to edit, 409 for one that needs no sound."""
    await check_target(tx.conn, user.user_id, fields)
    try:
        await add_sound(tx, asset_id, source, fields.options(), fields.keep_media)
    except ValueError as error:
        raise conflict(str(error), advice="See its status; other recordings are added without asset_id.") from error
    except Stale:
        raise no_asset() from None


async def check_target(conn: Connection, user_id: UUID, fields: PlacedFields) -> None:
    """Whether the user may add there. Raises ApiError 403, 404 or 422."""
    if isinstance(fields, RecordingFields) and fields.asset_id is not None:
        check_role((await resolve_asset(conn, user_id, str(fields.asset_id))).role, "editor")
    else:
        await target_collection(conn, user_id, fields.collection_id)


async def target_collection(conn: Connection, user_id: UUID, named: UUID | None) -> UUID:
    """The collection that a new asset goes to. Raises ApiError 404, or 403 when the user only reads there."""
    if named is None:
        default = await collections.default_collection(conn, user_id)
        if default is None:
            raise invalid("collection_id: you have no default collection; name one.")
        return default.id
    collection_id, role = await resolve_collection(conn, user_id, str(named))
    check_role(role, "editor")
    return collection_id
