"""API keys: made, listed and revoked by the user they stand for."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from common.db import Connection
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
from gateway.door import TheDoor
from gateway.queries import keys, people

router = APIRouter(prefix="/api/keys", tags=["people"])


class KeyWish(Asked):
    name: Name
    scopes: Annotated[list[Scope], Field(min_length=1)] = Field(default_factory=lambda: list(SCOPES[:2]))
    expires_at: Moment | None = None
    user_id: UUID | None = Field(default=None, description="For whom; only an administrator names somebody else")


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
    if wish.expires_at is not None and wish.expires_at <= datetime.now(UTC):
        raise invalid("expires_at: this moment has passed.")
    if any(not allows(user.scopes, scope) for scope in wish.scopes):
        raise forbidden("A key cannot be given a scope that you do not have.")
    new = credentials.make_key(door.settings.pepper)
    async with door.service.transaction() as tx:
        owner = await _owner(tx.conn, user, wish)
        row = await keys.add_key(
            tx.conn, uuid7(), owner, wish.name, new.prefix, new.key_hash, list(wish.scopes), wish.expires_at
        )
    response.headers["Cache-Control"] = "no-store"
    return ShownKey(**Key.of(row).model_dump(), key=new.text)


@router.delete("/{key_id}", status_code=204, summary="Revoke a key")
async def revoke_key(key_id: str, user: CurrentUser, door: TheDoor) -> None:
    """It stops working at once."""
    found = as_uuid(key_id)
    async with door.service.transaction() as tx:
        if found is None or not await keys.revoke_key(tx.conn, found, user.user_id):
            raise not_found("There is no such key.")


async def _owner(conn: Connection, user: Principal, wish: KeyWish) -> UUID:
    """Whom the key will stand for. Raises ApiError 403 or 404."""
    if wish.user_id is None or wish.user_id == user.user_id:
        return user.user_id
    if not user.acts_as_admin:
        raise forbidden("Only an administrator makes keys for somebody else.")
    other = await people.user_by_id(conn, wish.user_id)
    if other is None:
        raise not_found("There is no such user.")
    if "admin" in wish.scopes and not other.is_admin:
        raise invalid("scopes: only an administrator's key can have the scope 'admin'.")
    return other.id
