"""SQL of attachments: a message has them, and with it they go."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from uuid import UUID

from common import objects
from common.db import Connection
from common.ids import uuid7
from common.objects import Kept

from chat.domain.attachments import Attachment
from chat.domain.history import TURNS
from chat.queries.session_rows import AttachmentRow

_COLUMNS = "f.id, f.message_id, m.session_id, f.name, f.media_type, f.size_bytes, f.sha256, f.uri"
_ATTACHMENTS = f"SELECT {_COLUMNS} FROM attachments AS f JOIN messages AS m ON m.id = f.message_id"


async def add(conn: Connection, message_id: UUID, given: Sequence[Attachment], kept: Sequence[Kept]) -> None:
    """Tie what was kept to the message. Raises TryAgain where it was swept meanwhile."""
    placed = list(enumerate(zip(given, kept, strict=True), start=1))
    # In the order in which rows of objects are locked everywhere.
    for position, (_, content) in sorted(placed, key=lambda one: one[1][1].sha256):
        await objects.refer(conn, content, message_id, _name(position))
    await conn.executemany(
        """
        INSERT INTO attachments (id, message_id, position, name, media_type, size_bytes, sha256, uri)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        """,
        [
            (uuid7(), message_id, position, one.name, one.media_type, one.size_bytes, content.sha256, content.uri)
            for position, (one, content) in placed
        ],
    )


async def of_messages(conn: Connection, message_ids: Sequence[UUID]) -> dict[UUID, list[AttachmentRow]]:
    rows = await conn.fetch(
        f"{_ATTACHMENTS} WHERE f.message_id = ANY($1::uuid[]) ORDER BY m.position, f.position", list(message_ids)
    )
    found = defaultdict[UUID, list[AttachmentRow]](list)
    for row in rows:
        found[row["message_id"]].append(AttachmentRow(**row))
    return dict(found)


async def read(conn: Connection, user_id: UUID, session_id: UUID, attachment_id: UUID) -> AttachmentRow | None:
    row = await conn.fetchrow(
        f"{_ATTACHMENTS} JOIN sessions AS s ON s.id = m.session_id "
        "WHERE f.id = $1 AND m.session_id = $2 AND s.user_id = $3",
        attachment_id,
        session_id,
        user_id,
    )
    return AttachmentRow(**row) if row else None


async def latest_types(conn: Connection, user_id: UUID, session_id: UUID) -> set[str]:
    """Media types of what came with the questions that a model is still shown."""
    rows = await conn.fetch(
        """
        SELECT DISTINCT f.media_type FROM attachments AS f JOIN messages AS m ON m.id = f.message_id
        JOIN sessions AS s ON s.id = m.session_id
        WHERE m.session_id = $1 AND s.user_id = $2
            AND m.position > (SELECT max(last.position) FROM messages AS last WHERE last.session_id = $1) - $3
        """,
        session_id,
        user_id,
        TURNS,
    )
    return {row["media_type"] for row in rows}


async def release(conn: Connection, session_ids: Sequence[UUID]) -> None:
    """Untie what the sessions' messages have, before they go. The sessions must be locked."""
    rows = await conn.fetch(
        """
        SELECT DISTINCT f.message_id FROM attachments AS f JOIN messages AS m ON m.id = f.message_id
        WHERE m.session_id = ANY($1::uuid[])
        """,
        list(session_ids),
    )
    await objects.release_all(conn, [row["message_id"] for row in rows])


async def copy(conn: Connection, copies: Mapping[UUID, UUID]) -> None:
    """``copies``: the message to its copy. The session must be locked, so that what it has is not swept."""
    for rows in (await of_messages(conn, list(copies))).values():
        for position, row in enumerate(rows, start=1):
            await conn.execute(
                """
                INSERT INTO attachments (id, message_id, position, name, media_type, size_bytes, sha256, uri)
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
                """,
                uuid7(),
                copies[row.message_id],
                position,
                row.name,
                row.media_type,
                row.size_bytes,
                row.sha256,
                row.uri,
            )
    await conn.execute(
        """
        INSERT INTO object_refs (asset_id, name, kind, sha256)
        SELECT copied.to_id, r.name, r.kind, r.sha256
        FROM unnest($1::uuid[], $2::uuid[]) AS copied (from_id, to_id) JOIN object_refs AS r ON r.asset_id = from_id
        """,
        list(copies),
        list(copies.values()),
    )


def _name(position: int) -> str:
    return f"attachment-{position}"
