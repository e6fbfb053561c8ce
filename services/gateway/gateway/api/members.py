"""Members of a collection: who may enter it, and as what."""

from dataclasses import asdict
from datetime import datetime
from uuid import UUID

from common.errors import conflict, forbidden, not_found
from common.users import no_user
from fastapi import APIRouter
from pydantic import BaseModel

from gateway.api.fields import Asked
from gateway.api.paging import Page, PageAsked
from gateway.auth.access import OwnedCollection, ViewedCollection, as_uuid, resolve_collection
from gateway.auth.principal import CurrentUser
from gateway.domain.scopes import Role
from gateway.door import TheDoor
from gateway.queries import collections, people

router = APIRouter(prefix="/api/collections/{collection_id}/members", tags=["collections"])


class Membership(Asked):
    role: Role


class Member(BaseModel):
    """Someone who may enter a collection."""

    user_id: UUID
    email: str
    name: str
    role: Role
    created_at: datetime

    @classmethod
    def of(cls, member: collections.Member) -> "Member":
        return cls.model_validate(asdict(member))


@router.get("", summary="List its members", openapi_extra={"x-earshot-role": "viewer"})
async def list_members(collection_id: ViewedCollection, page: PageAsked, door: TheDoor) -> Page[Member]:
    async with door.service.db.acquire() as conn:
        rows = await collections.members_after(conn, collection_id, page.beyond, page.lookahead)
    return page.page(rows, Member.of, lambda row: row.user_id)


@router.put("/{user_id}", summary="Let someone in, or change their role", openapi_extra={"x-earshot-role": "owner"})
async def put_member(collection_id: OwnedCollection, user_id: str, membership: Membership, door: TheDoor) -> Member:
    async with door.service.transaction() as tx:
        found = as_uuid(user_id)
        user = await people.hold_user(tx.conn, found) if found else None
        if user is None:
            raise no_user()
        await collections.lock_members(tx.conn, collection_id)
        if membership.role != "owner" and await collections.owners_of(tx.conn, collection_id) == [user.id]:
            raise _last_owner()
        member = await collections.put_member(tx.conn, collection_id, user.id, membership.role)
    return Member(user_id=user.id, email=user.email, name=user.name, role=membership.role, created_at=member)


@router.delete(
    "/{user_id}", status_code=204, summary="Remove someone, or leave", openapi_extra={"x-earshot-role": "viewer"}
)
async def remove_member(collection_id: ViewedCollection, user_id: str, user: CurrentUser, door: TheDoor) -> None:
    """Owners remove anyone, everybody may leave; the last owner stays."""
    gone = as_uuid(user_id)
    async with door.service.transaction() as tx:
        await collections.lock_members(tx.conn, collection_id)
        _, role = await resolve_collection(tx.conn, user.user_id, str(collection_id))
        if role != "owner" and gone != user.user_id:
            raise forbidden("Only an owner removes other members.")
        if await collections.owners_of(tx.conn, collection_id) == [gone]:
            raise _last_owner()
        if gone is None or not await collections.remove_member(tx.conn, collection_id, gone):
            raise not_found("There is no such member.")


def _last_owner() -> Exception:
    return conflict("A collection keeps at least one owner.", advice="Make someone else an owner first.")
