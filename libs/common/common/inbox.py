"""The inbox: a message's effects happen once, however often it is delivered."""

from collections.abc import Sequence
from uuid import UUID

from common import crash
from common.db import Connection


async def take_in(conn: Connection, keys: Sequence[tuple[str, UUID]]) -> set[tuple[str, UUID]]:
    """Note messages, as (consumer, message id), in the same transaction as their effects. Answers those not yet there.

    Waits for a transaction that is just noting one of them.
    """
    crash.point("inbox.inserting")
    rows = await conn.fetch(
        """
        INSERT INTO inbox (consumer, message_id) SELECT * FROM unnest($1::text[], $2::uuid[])
        ON CONFLICT DO NOTHING RETURNING consumer, message_id
        """,
        *_columns(keys),
    )
    crash.point("inbox.inserted")
    return {(row["consumer"], row["message_id"]) for row in rows}


async def put_back(conn: Connection, keys: Sequence[tuple[str, UUID]]) -> None:
    """Forget what this transaction noted: its effects are undone."""
    await conn.execute(
        """
        DELETE FROM inbox USING unnest($1::text[], $2::uuid[]) AS undone (consumer, message_id)
        WHERE inbox.consumer = undone.consumer AND inbox.message_id = undone.message_id
        """,
        *_columns(keys),
    )


def _columns(keys: Sequence[tuple[str, UUID]]) -> tuple[list[str], list[UUID]]:
    return [consumer for consumer, _ in keys], [message_id for _, message_id in keys]


async def is_handled(conn: Connection, consumer: str, message_id: UUID) -> bool:
    return bool(
        await conn.fetchval("SELECT true FROM inbox WHERE consumer = $1 AND message_id = $2", consumer, message_id)
    )


async def forget_old(conn: Connection, days: int) -> int:
    """Rows older than any redelivery can be. Returns how many went."""
    status = await conn.execute("DELETE FROM inbox WHERE handled_at < now() - make_interval(days => $1)", days)
    return int(status.split()[-1])
