"""The inbox: a message's effects happen once, however often it is delivered."""

from uuid import UUID

from common.db import Connection
from common.errors import AlreadyHandled


async def take_in(conn: Connection, consumer: str, message_id: UUID) -> None:
    """Note the message in the same transaction as its effects. Raises AlreadyHandled when it is there."""
    status = await conn.execute(
        "INSERT INTO inbox (consumer, message_id) VALUES ($1, $2) ON CONFLICT DO NOTHING", consumer, message_id
    )
    if status == "INSERT 0 0":
        raise AlreadyHandled


async def is_handled(conn: Connection, consumer: str, message_id: UUID) -> bool:
    return bool(
        await conn.fetchval("SELECT true FROM inbox WHERE consumer = $1 AND message_id = $2", consumer, message_id)
    )


async def forget_old(conn: Connection, days: int) -> int:
    """Rows older than any redelivery can be. Returns how many went."""
    status = await conn.execute("DELETE FROM inbox WHERE handled_at < now() - make_interval(days => $1)", days)
    return int(status.split()[-1])
