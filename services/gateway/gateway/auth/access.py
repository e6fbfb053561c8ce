"""The user's role in the asset or collection that a path names; what one may not see is not there."""

import re
from typing import Annotated
from uuid import UUID

from common.db import Connection
from common.errors import ApiError, conflict, forbidden, not_found
from fastapi import Depends

from gateway.auth.principal import CurrentUser
from gateway.domain.scopes import Role, role_suffices
from gateway.door import TheDoor
from gateway.queries import access
from gateway.queries.access import AssetAccess

_SHORT_ID = re.compile(r"^[0-9a-f]{8}$")


async def resolve_asset(conn: Connection, user_id: UUID, name: str) -> AssetAccess:
    """``name`` is a full or a short id. Raises ApiError 404, or 409 when a short id is ambiguous."""
    if _SHORT_ID.match(name.lower()):
        found = await access.short_id_access(conn, user_id, name.lower())
        if len(found) > 1:
            raise conflict("Several assets have this short id.", advice="Use the full id.")
        seen = found[0] if found else None
    else:
        asset_id = as_uuid(name)
        seen = await access.asset_access(conn, user_id, asset_id) if asset_id else None
    if seen is None:
        raise no_asset()
    return seen


async def resolve_collection(conn: Connection, user_id: UUID, name: str) -> tuple[UUID, Role]:
    """The collection's id and the user's role in it. Raises ApiError 404."""
    collection_id = as_uuid(name)
    role = await access.collection_role(conn, user_id, collection_id) if collection_id else None
    if collection_id is None or role is None:
        raise no_collection()
    return collection_id, role


def check_role(role: str, needed: str) -> None:
    """Raises ApiError 403: the thing may be seen, but not changed."""
    if not role_suffices(role, needed):
        raise forbidden(f"This needs the role {needed!r} in the collection; yours is {role!r}.")


def as_uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def no_asset() -> ApiError:
    return not_found("There is no such asset.", advice="Check the id; it may have been deleted.")


def no_collection() -> ApiError:
    return not_found("There is no such collection.")


class AssetIn:
    """The asset that ``{asset_id}`` names, for a user with at least this role."""

    def __init__(self, role: Role) -> None:
        self._role: Role = role

    async def __call__(self, asset_id: str, user: CurrentUser, door: TheDoor) -> AssetAccess:
        async with door.service.db.acquire() as conn:
            seen = await resolve_asset(conn, user.user_id, asset_id)
        check_role(seen.role, self._role)
        return seen


class CollectionIn:
    """The id of the collection that ``{collection_id}`` names, for a user with at least this role."""

    def __init__(self, role: Role) -> None:
        self._role: Role = role

    async def __call__(self, collection_id: str, user: CurrentUser, door: TheDoor) -> UUID:
        async with door.service.db.acquire() as conn:
            found, role = await resolve_collection(conn, user.user_id, collection_id)
        check_role(role, self._role)
        return found


ViewedAsset = Annotated[AssetAccess, Depends(AssetIn("viewer"))]
EditedAsset = Annotated[AssetAccess, Depends(AssetIn("editor"))]
ViewedCollection = Annotated[UUID, Depends(CollectionIn("viewer"))]
OwnedCollection = Annotated[UUID, Depends(CollectionIn("owner"))]
