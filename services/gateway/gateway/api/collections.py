"""Collections: made, read, changed and deleted."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from common.errors import conflict, invalid
from common.events import KeepMedia
from common.http import request_id_of
from common.ids import uuid7
from common.once import Once, OnceKey
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field, StringConstraints

from gateway.api import models
from gateway.api.assets import show_page
from gateway.api.fields import Asked, Name, Term
from gateway.api.paging import Page, PageAsked
from gateway.auth.access import OwnedCollection, ViewedCollection, no_collection
from gateway.auth.principal import CurrentUser
from gateway.domain.scopes import Role
from gateway.domain.vocabulary import MOST_TERMS, Vocabulary
from gateway.door import Door, TheDoor
from gateway.exporting.answer import MEDIA_TYPE, ExportAnswer
from gateway.exporting.export import Export
from gateway.queries import collections
from gateway.queries.assets import AssetFilter
from gateway.queries.once import KEYS
from gateway.removing import remove_collection

Description = Annotated[str, StringConstraints(max_length=2000)]
Prompt = Annotated[str, StringConstraints(strip_whitespace=True, max_length=2000)]
# A hundred years.
Days = Annotated[int, Field(ge=1, le=36500)]

_TERMS = "Names and terms as they are spelled, told to the recogniser of every recording that is added"
_PROMPT = "Text in the style that transcripts shall have, for engines that take one"
_RETENTION = "Days after which each of its assets is deleted with everything made of it; null: never"

_ARCHIVE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A ZIP; one that broke off has no directory at its end and cannot be read",
        "content": {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}},
    }
}

router = APIRouter(prefix="/api/collections", tags=["collections"])


class NewCollection(Asked):
    name: Name
    description: Description | None = None
    keep_media: KeepMedia = Field(default="audio", description="What is kept of a recording for playing")
    key_terms: list[Term] = Field(default_factory=list, max_length=MOST_TERMS, description=_TERMS)
    initial_prompt: Prompt = Field(default="", description=_PROMPT)
    retention_days: Days | None = Field(default=None, description=_RETENTION)


class CollectionChange(Asked):
    """What is left out stays as it is; ``retention_days: null`` ends the deleting."""

    name: Name | None = None
    description: Description | None = None
    keep_media: KeepMedia | None = None
    key_terms: list[Term] | None = Field(default=None, max_length=MOST_TERMS, description=_TERMS)
    initial_prompt: Prompt | None = Field(default=None, description=_PROMPT)
    retention_days: Days | None = Field(default=None, description=_RETENTION)


class Collection(BaseModel):
    """A collection as the caller sees it; `role` is the caller's own in it."""

    id: UUID
    name: str
    description: str | None
    keep_media: KeepMedia
    key_terms: list[str]
    initial_prompt: str
    retention_days: int | None = Field(description=_RETENTION)
    is_default: bool
    role: Role
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, collection: collections.Collection) -> "Collection":
        return cls.model_validate(asdict(collection))


@router.get("", summary="List collections")
async def list_collections(page: PageAsked, user: CurrentUser, door: TheDoor) -> Page[Collection]:
    """Those that the caller is a member of, newest first."""
    async with door.service.db.acquire() as conn:
        rows = await collections.collections_before(conn, user.user_id, page.beyond, page.lookahead)
    return page.page(rows, Collection.of, lambda row: row.id)


@router.post("", status_code=201, summary="Make a collection")
async def make_collection(
    new: NewCollection, user: CurrentUser, door: TheDoor, response: Response, key: OnceKey = None
) -> Collection:
    """The caller becomes its owner."""
    creation = Once.of(KEYS, user.user_id, key, "POST /api/collections", new.model_dump_json())
    async with door.service.transaction() as tx:
        collection_id, fresh = await creation.claim(tx.conn, uuid7())
        if fresh:
            vocabulary = Vocabulary(new.key_terms, new.initial_prompt)
            await collections.add_collection(
                tx.conn, collection_id, new.name, new.description, new.keep_media, vocabulary, new.retention_days
            )
            await collections.put_member(tx.conn, collection_id, user.user_id, "owner")
    response.headers["Location"] = f"/api/collections/{collection_id}"
    return await _show(door, user.user_id, collection_id)


@router.get("/{collection_id}", summary="Read one", openapi_extra={"x-earshot-role": "viewer"})
async def get_collection(collection_id: ViewedCollection, user: CurrentUser, door: TheDoor) -> Collection:
    return await _show(door, user.user_id, collection_id)


@router.patch("/{collection_id}", summary="Change one", openapi_extra={"x-earshot-role": "owner"})
async def change_collection(
    collection_id: OwnedCollection, change: CollectionChange, user: CurrentUser, door: TheDoor
) -> Collection:
    """`keep_media`, `key_terms` and `initial_prompt` hold for recordings that are added from now on.

    `retention_days` holds for all that is in it: what is older by then is deleted within minutes.
    """
    if change.name is None and "name" in change.model_fields_set:
        raise invalid("name: a name cannot be removed.")
    async with door.service.transaction() as tx:
        await collections.change_collection(tx.conn, collection_id, **change.model_dump(exclude={"retention_days"}))
        if "retention_days" in change.model_fields_set:
            await collections.set_retention(tx.conn, collection_id, change.retention_days)
    return await _show(door, user.user_id, collection_id)


@router.delete("/{collection_id}", status_code=204, summary="Delete one", openapi_extra={"x-earshot-role": "owner"})
async def delete_collection(collection_id: OwnedCollection, user: CurrentUser, door: TheDoor) -> None:
    """The collection and every asset in it are gone at once."""
    if (await _show(door, user.user_id, collection_id)).is_default:
        raise conflict("The default collection cannot be deleted.", advice="Delete its assets instead.")
    async with door.service.transaction() as tx:
        await remove_collection(tx, collection_id)


@router.get("/{collection_id}/assets", summary="List its assets", openapi_extra={"x-earshot-role": "viewer"})
async def list_assets(
    collection_id: ViewedCollection, page: PageAsked, user: CurrentUser, door: TheDoor
) -> Page[models.Asset]:
    """Newest first."""
    return await show_page(door, user.user_id, AssetFilter(collection_id=collection_id), page)


@router.get(
    "/{collection_id}/export",
    summary="Download all of it",
    response_class=Response,
    responses=_ARCHIVE,
    openapi_extra={"x-earshot-role": "viewer"},
)
async def export_collection(
    collection_id: ViewedCollection,
    user: CurrentUser,
    door: TheDoor,
    request: Request,
    media: Annotated[bool, Query(description="With the sound, as it is played; that takes room")] = False,
) -> Response:
    """Its recordings with transcripts, summaries, titles, dates, tags and links, as `earshot import` takes them in.

    What is being processed is written without what is not there yet. One export of a user at a time: 429 for a second.
    """
    found = await _find(door, user.user_id, collection_id)
    return ExportAnswer(Export(door, user, found, media, request_id_of(request)))


async def _show(door: Door, user_id: UUID, collection_id: UUID) -> Collection:
    return Collection.of(await _find(door, user_id, collection_id))


async def _find(door: Door, user_id: UUID, collection_id: UUID) -> collections.Collection:
    """Raises ApiError 404."""
    async with door.service.db.acquire() as conn:
        found = await collections.collection_for(conn, user_id, collection_id)
    if found is None:
        raise no_collection()
    return found
