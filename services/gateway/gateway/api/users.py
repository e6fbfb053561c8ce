"""Users, for administrators."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated
from uuid import UUID

import asyncpg
from common.errors import conflict, invalid
from common.http import api_error
from common.users import no_user
from fastapi import APIRouter, FastAPI, Request, Response
from pydantic import BaseModel, Field, StringConstraints

from gateway.api.fields import Asked, Name
from gateway.api.keys import KeyWish, ShownKey, show_new_key
from gateway.api.paging import Page, PageAsked
from gateway.auth.access import as_uuid
from gateway.auth.principal import ADMIN_SCOPE, AdminUser
from gateway.door import TheDoor
from gateway.people import make_user
from gateway.queries import people
from gateway.removing import remove_user

Email = Annotated[
    str, StringConstraints(strip_whitespace=True, to_lower=True, max_length=320, pattern=r"^[^@\s]+@[^@\s]+$")
]

# Ends of the names of keys that lead to a user.
_OF_USERS = ("_user_id_fkey", "_created_by_fkey", "_default_for_fkey")

router = APIRouter(prefix="/api/users", tags=["people"])


class NewUser(Asked):
    email: Email
    name: Name
    is_admin: bool = Field(default=False, description="May administer; this gives no right to other people's assets")


class User(BaseModel):
    id: UUID
    email: str
    name: str
    is_admin: bool
    created_at: datetime

    @classmethod
    def of(cls, user: people.User) -> "User":
        return cls.model_validate(asdict(user))


@router.get("", summary="List users", openapi_extra=ADMIN_SCOPE)
async def list_users(page: PageAsked, _admin: AdminUser, door: TheDoor) -> Page[User]:
    """Newest first."""
    async with door.service.db.acquire() as conn:
        rows = await people.users_before(conn, page.beyond, page.lookahead)
    return page.page(rows, User.of, lambda row: row.id)


@router.post("", status_code=201, summary="Make a user", openapi_extra=ADMIN_SCOPE)
async def add_user(new: NewUser, _admin: AdminUser, door: TheDoor, response: Response) -> User:
    """With a default collection of their own."""
    async with door.service.transaction() as tx:
        user = await make_user(tx.conn, new.email, new.name, is_admin=new.is_admin)
    if user is None:
        raise conflict("Somebody has this address already.")
    response.headers["Location"] = f"/api/users/{user.id}"
    return User.of(user)


@router.delete("/{user_id}", status_code=204, summary="Delete a user", openapi_extra=ADMIN_SCOPE)
async def delete_user(user_id: str, _admin: AdminUser, door: TheDoor) -> None:
    """With their keys, chats, answers and own speaker profiles, and with every collection that nobody else may enter
    and all recordings in it. What they added to collections of others stays there. There is no way back.

    409 for the last administrator, and while they are the only owner of a collection that others may enter.
    """
    found = as_uuid(user_id)
    if found is None:
        raise no_user()
    async with door.service.transaction() as tx:
        await remove_user(tx, found)


@router.post("/{user_id}/keys", status_code=201, summary="Make a key for a user", openapi_extra=ADMIN_SCOPE)
async def make_key_for(user_id: str, wish: KeyWish, admin: AdminUser, door: TheDoor, response: Response) -> ShownKey:
    """The key is shown once; it stands for the user."""
    found = as_uuid(user_id)
    async with door.service.db.acquire() as conn:
        user = await people.user_by_id(conn, found) if found else None
    if user is None:
        raise no_user()
    if "admin" in wish.scopes and not user.is_admin:
        raise invalid("scopes: only an administrator's key can have the scope 'admin'.")
    response.headers["Cache-Control"] = "no-store"
    return await show_new_key(door, admin, user.id, wish)


def refuse_deleted(app: FastAPI) -> None:
    """A request that was let in just before its user was deleted finds their row gone when it writes: 404."""

    async def on_missing_row(request: Request, error: Exception) -> Response:
        constraint = str(getattr(error, "constraint_name", ""))
        if not constraint.endswith(_OF_USERS):
            raise error
        return api_error(request, no_user())

    app.add_exception_handler(asyncpg.ForeignKeyViolationError, on_missing_row)
