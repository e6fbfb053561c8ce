"""API keys: made, listed and revoked by the user they stand for."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from common.errors import forbidden, invalid, not_found
from common.ids import uuid7
from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from gateway.api.fields import Asked, Moment, Name
from gateway.api.paging import Page, PageAsked
from gateway.auth.access import as_uuid
from gateway.auth.principal import CurrentUser, Principal
from gateway.domain import credentials
from gateway.domain.scopes import SCOPES, Scope, allows
from gateway.door import Door, TheDoor
from gateway.queries import keys

router = APIRouter(prefix="/api/keys", tags=["people"])


class KeyWish(Asked):
    name: Name
    scopes: Annotated[list[Scope], Field(min_length=1)] = Field(default_factory=lambda: list(SCOPES[:2]))
    expires_at: Moment | None = None


class Key(BaseModel):
    """A key without its secret; `prefix` is the part that names it."""

    id: UUID
    user_id: UUID
    name: str
    prefix: str
    scopes: list[Scope]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None

    @classmethod
    def of(cls, key: keys.ApiKey) -> "Key":
        return cls.model_validate(asdict(key))


class ShownKey(Key):
    """`key` is in this answer and never again."""

    key: str


@router.get("", summary="List my keys")
async def list_keys(page: PageAsked, user: CurrentUser, door: TheDoor) -> Page[Key]:
    async with door.service.db.acquire() as conn:
        rows = await keys.keys_of(conn, user.user_id, page.beyond, page.lookahead)
    return page.page(rows, Key.of, lambda row: row.id)


@router.post("", status_code=201, summary="Make a key")
async def make_key(wish: KeyWish, user: CurrentUser, door: TheDoor, response: Response) -> ShownKey:
    """The key is shown once. It can do no more than what asked for it."""
    response.headers["Cache-Control"] = "no-store"
    return await show_new_key(door, user, user.user_id, wish)


async def show_new_key(door: Door, by: Principal, owner: UUID, wish: KeyWish) -> ShownKey:
    """Make a key that stands for ``owner``. Raises ApiError 403 for a scope that the maker lacks."""
    if wish.expires_at is not None and wish.expires_at <= datetime.now(UTC):
        raise invalid("expires_at: this moment has passed.")
    if any(not allows(by.scopes, scope) for scope in wish.scopes):
        raise forbidden("A key cannot be given a scope that you do not have.")
    new = credentials.make_key(door.settings.pepper)
    async with door.service.transaction() as tx:
        row = await keys.add_key(
            tx.conn, uuid7(), owner, wish.name, new.prefix, new.key_hash, list(wish.scopes), wish.expires_at
        )
    return ShownKey(**Key.of(row).model_dump(), key=new.text)


@router.delete("/{key_id}", status_code=204, summary="Revoke a key")
async def revoke_key(key_id: str, user: CurrentUser, door: TheDoor) -> None:
    """It stops working at once."""
    found = as_uuid(key_id)
    async with door.service.transaction() as tx:
        if found is None or not await keys.revoke_key(tx.conn, found, user.user_id):
            raise not_found("There is no such key.")
