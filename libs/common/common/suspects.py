"""Messages under suspicion of killing their process: how often one began alone and never came to an end."""

from uuid import UUID

from common.db import Connection

# Deaths while handled alone before the message is parked.
DEATHS = 3


async def begin(conn: Connection, consumer: str, message_id: UUID) -> int:
    """Note that it begins, before it does; answers how often it began before without an end."""
    return int(
        await conn.fetchval(
            """
            INSERT INTO suspects AS s (consumer, message_id) VALUES ($1, $2)
            ON CONFLICT (consumer, message_id) DO UPDATE SET begun = s.begun + 1, begun_at = now()
            RETURNING begun - 1
            """,
            consumer,
            message_id,
        )
        or 0
    )


async def acquit(conn: Connection, consumer: str, message_id: UUID) -> None:
    """It came to an end, whatever the end was, or the process ends for another reason."""
    await conn.execute("DELETE FROM suspects WHERE consumer = $1 AND message_id = $2", consumer, message_id)


async def forget_old(conn: Connection, days: int) -> int:
    """Rows of messages that went elsewhere. Returns how many went."""
    status = await conn.execute("DELETE FROM suspects WHERE begun_at < now() - make_interval(days => $1)", days)
    return int(status.split()[-1])
