"""Making users: with each comes a default collection of their own."""

from common.db import Connection
from common.ids import uuid7

from gateway.queries import collections, people
from gateway.queries.people import User


async def make_user(conn: Connection, email: str, name: str, *, is_admin: bool) -> User | None:
    """None when the address is taken."""
    user = await people.add_user(conn, uuid7(), email.lower(), name, is_admin)
    if user is None:
        return None
    collection_id = uuid7()
    await collections.add_default_collection(conn, collection_id, user.id, "My recordings")
    await collections.put_member(conn, collection_id, user.id, "owner")
    return user
