"""Parked messages, for administrators: what could not be handled, looked at, replayed or dropped."""

from base64 import b64decode
from typing import Annotated, Any

from common import topology
from common.errors import invalid
from common.parked import Which
from common.parked_api import ParkedContent, ParkedItem, Replayed
from fastapi import APIRouter, Path, Query
from pydantic import Field

from gateway.api.paging import Page, PageAsked
from gateway.auth.principal import ADMIN_SCOPE, AdminUser
from gateway.domain.bodies import Encoding, showable
from gateway.door import TheDoor
from gateway.parked import ask_each, locate, newest, shelves


def _refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    said = {
        403: "Only administrators see parked messages.",
        404: "There is no such parked message, or no more: it was replayed or dropped.",
        409: "The short id is ambiguous, or the queue that the message came from exists no longer.",
        503: "The service that may hold the message does not answer.",
    }
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorBody"}}}
    return {status: {"description": said[status], "content": content} for status in (403, *statuses)}


router = APIRouter(prefix="/api/admin/parked", tags=["operations"])

Name = Annotated[str, Path(description="The id, or the short id where it is unique")]
OfService = Annotated[topology.Service | None, Query(description="Only this service's")]
OfType = Annotated[
    str | None, Query(alias="type", max_length=500, description="Only this type, for example `part.planned.v1`")
]


class ParkedPage(Page[ParkedItem]):
    """One page of the parked messages of all services."""

    unavailable: list[str] = Field(description="Services that could not be asked; theirs are missing here")


class ParkedMessage(ParkedItem):
    """A parked message with all that is kept of it."""

    headers: dict[str, Any] = Field(description="As they arrived, without the broker's own")
    history: list[str] = Field(description="Earlier errors, oldest first, also those before earlier replays")
    encoding: Encoding = Field(description="How `body` is shown: parsed JSON, text, or base64 of what is neither")
    body: Any
    body_complete: bool = Field(description="False when only the first mebibyte of the body is shown")

    @classmethod
    def of(cls, content: ParkedContent) -> "ParkedMessage":
        body = b64decode(content.body_base64)
        encoding, shown = showable(body)
        known = content.model_dump(exclude={"body_base64"})
        return cls(**known, encoding=encoding, body=shown, body_complete=len(body) == content.size_bytes)


class ReplayedAll(Replayed):
    """What became of a request to replay many."""

    unavailable: list[str] = Field(description="Services that could not be asked, or not to the end; ask again")


@router.get("", summary="List parked messages", responses=_refusals(), openapi_extra=ADMIN_SCOPE)
async def list_parked(
    admin: AdminUser, page: PageAsked, door: TheDoor, service: OfService = None, of_type: OfType = None
) -> ParkedPage:
    """Newest first, over all services. A service that is away is named, and its messages are missing.

    A message is parked when no retry could help: it cannot be read, its handler has a fault, or it ends its worker.
    """
    asked = shelves(door, admin, service)
    found, absent = await newest(asked, Which(type=of_type), page.beyond, page.lookahead)
    shown = page.page(found, lambda item: item, lambda item: item.id)
    return ParkedPage(items=shown.items, next_cursor=shown.next_cursor, unavailable=absent)


@router.post("/replay", status_code=202, summary="Replay many", responses=_refusals(), openapi_extra=ADMIN_SCOPE)
async def replay_many(
    admin: AdminUser,
    door: TheDoor,
    service: OfService = None,
    of_type: OfType = None,
    everything: Annotated[bool, Query(alias="all", description="Whatever their type")] = False,
) -> ReplayedAll:
    """Replay all of a type, oldest first; or simply all, when `all=true` says so.

    Messages that are parked while this runs stay, and so do those whose queue exists no longer (`stranded`).
    """
    if of_type is None and not everything:
        raise invalid("type: name the type to replay.", advice="Or say all=true to replay every parked message.")
    results, absent = await ask_each(
        shelves(door, admin, service), lambda shelf: shelf.replay_all(of_type, admin.user_id)
    )
    return ReplayedAll(
        replayed=sum(result.replayed for result in results.values()),
        stranded=sum(result.stranded for result in results.values()),
        unavailable=absent,
    )


@router.get("/{parked_id}", summary="Read one", responses=_refusals(404, 409, 503), openapi_extra=ADMIN_SCOPE)
async def read_parked(admin: AdminUser, door: TheDoor, parked_id: Name) -> ParkedMessage:
    """With headers, body and history."""
    shelf, found = await locate(shelves(door, admin), parked_id)
    return ParkedMessage.of(await shelf.read(found))


@router.delete(
    "/{parked_id}", status_code=204, summary="Drop one", responses=_refusals(404, 409, 503), openapi_extra=ADMIN_SCOPE
)
async def drop_parked(admin: AdminUser, door: TheDoor, parked_id: Name) -> None:
    """For good. A job that failed with it stays failed, and can be retried."""
    shelf, found = await locate(shelves(door, admin), parked_id)
    await shelf.drop(found, admin.user_id)


@router.post(
    "/{parked_id}/replay",
    status_code=202,
    summary="Replay one",
    responses=_refusals(404, 409, 503),
    openapi_extra=ADMIN_SCOPE,
)
async def replay_parked(admin: AdminUser, door: TheDoor, parked_id: Name) -> Replayed:
    """Hand it back to the queue it came from, as if it were new. Asking twice sends it once: then it is gone (404)."""
    shelf, found = await locate(shelves(door, admin), parked_id)
    return await shelf.replay(found, admin.user_id)
