"""Users as other services know them: ids that come with requests, until the gateway says that they are deleted.

A request that was let in before the deletion may arrive, or commit, after it. So each service that holds something of
users keeps who is deleted, for good. What begins something for a user asks first, in its transaction, and holds a share
of the user's lock until it commits; whoever notes a deletion waits for these, and none comes after it.
"""

from uuid import UUID

from common.db import Connection
from common.errors import ApiError, not_found

# Locks of this kind belong to the whole database: each schema has its own for the same user.
_KEY = "hashtextextended(current_schema() || ' user ' || $1::text, 0)"


async def admit(conn: Connection, user_id: UUID) -> None:
    """First of all in a transaction that makes something of the user's. Raises ApiError 404 for one who is deleted."""
    await conn.execute(f"SELECT pg_advisory_xact_lock_shared({_KEY})", str(user_id))
    # A statement of its own: what was committed while the lock was waited for counts.
    if await conn.fetchval("SELECT true FROM deleted_users WHERE user_id = $1", user_id):
        raise no_user()


async def mark_deleted(conn: Connection, user_id: UUID) -> float:
    """Once it is committed, nothing of the user's is begun any more. Returns the seconds since it was first noted."""
    await conn.execute(f"SELECT pg_advisory_xact_lock({_KEY})", str(user_id))
    await conn.execute("INSERT INTO deleted_users (user_id) VALUES ($1) ON CONFLICT DO NOTHING", user_id)
    return float(
        await conn.fetchval(
            "SELECT extract(epoch FROM now() - deleted_at) FROM deleted_users WHERE user_id = $1", user_id
        )
    )


def no_user() -> ApiError:
    return not_found("There is no such user.", advice="The user may have been deleted.")
