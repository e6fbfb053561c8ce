"""SQL of the answer cache: who writes the answer to a question, and which answer is given again."""

from uuid import UUID

from common.db import Connection

from chat.domain.citations import Citation
from chat.queries.rows import CachedRow, Place


async def hold_answer(conn: Connection, answer_id: UUID) -> bool:
    """Keep the running answer from being removed until the transaction ends; False when it is gone or ended.

    Before an entry is locked: a removal locks its answers before their entries, too.
    """
    return bool(
        await conn.fetchval("SELECT true FROM answers WHERE id = $1 AND state = 'running' FOR KEY SHARE", answer_id)
    )


async def add_entry(conn: Connection, key: bytes, answer_id: UUID) -> bool:
    """Say that the answer is being written; False when the key has an entry."""
    return bool(
        await conn.fetchval(
            "INSERT INTO answer_cache (key, answer_id) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING RETURNING true",
            key,
            answer_id,
        )
    )


async def lock_entry(conn: Connection, key: bytes) -> UUID | None:
    """The answer that the key leads to; None when there is no entry any more."""
    return await conn.fetchval("SELECT answer_id FROM answer_cache WHERE key = $1 FOR UPDATE", key)


async def is_usable(conn: Connection, key: bytes, silent_seconds: float) -> bool:
    """Whether the locked entry leads to an answer whose writer lives, or to one that is done and not too old."""
    return await conn.fetchval(
        """
        SELECT EXISTS (
            SELECT FROM answer_cache AS c JOIN answers AS a ON a.id = c.answer_id
            WHERE c.key = $1 AND (
                (a.state = 'done' AND c.expires_at > clock_timestamp())
                OR (a.state = 'running' AND a.beat_at > clock_timestamp() - make_interval(secs => $2)))
        )
        """,
        key,
        silent_seconds,
    )


async def take_entry(conn: Connection, key: bytes, answer_id: UUID) -> None:
    """From now on the answer is the one that is being written. The entry must be locked."""
    await conn.execute("UPDATE answer_cache SET answer_id = $2, expires_at = NULL WHERE key = $1", key, answer_id)


async def keep_entry(conn: Connection, key: bytes, answer_id: UUID, hours: float) -> None:
    """The answer, which is done, is given again for so long."""
    await conn.execute(
        """
        INSERT INTO answer_cache (key, answer_id, expires_at)
        VALUES ($1, $2, now() + make_interval(secs => $3 * 3600))
        ON CONFLICT (key) DO UPDATE SET answer_id = excluded.answer_id, expires_at = excluded.expires_at
        """,
        key,
        answer_id,
        hours,
    )


async def end_entry(conn: Connection, key: bytes, answer_id: UUID) -> None:
    """The answer is not given again; whoever follows it still finds how it ended."""
    await conn.execute("UPDATE answer_cache SET expires_at = now() WHERE key = $1 AND answer_id = $2", key, answer_id)


async def touch_leader(conn: Connection, answer_id: UUID, silent_seconds: float) -> bool:
    """Note that somebody waits for the answer. False when it ended, or its writer shows no sign of life."""
    return bool(
        await conn.fetchval(
            """
            UPDATE answers SET read_at = now()
            WHERE id = $1 AND state = 'running' AND beat_at > now() - make_interval(secs => $2) RETURNING true
            """,
            answer_id,
            silent_seconds,
        )
    )


async def read_done(conn: Connection, answer_id: UUID) -> CachedRow | None:
    """Whatever its asker may read: it is for somebody who was found the same passages."""
    row = await conn.fetchrow(
        "SELECT answered, answer, reason FROM answers WHERE id = $1 AND state = 'done'", answer_id
    )
    return CachedRow(**row) if row else None


async def read_cited(conn: Connection, answer_id: UUID, place: Place) -> list[Citation]:
    rows = await conn.fetch(
        """
        SELECT index, chunk_id, asset_id, revision, title, kind, locator, quote, quote_from, quote_to,
            quote_start_seconds, quote_end_seconds, url, media_url
        FROM answer_citations WHERE answer_id = $1 AND place = $2 ORDER BY index
        """,
        answer_id,
        place,
    )
    return [Citation(**row) for row in rows]


async def forget_asset(conn: Connection, asset_id: UUID) -> None:
    """Tidy up what nobody finds any more: the asset's index is another now. The answers stay their askers'.

    What somebody holds is left, here and below: nothing waits for tidying, and no two removals for each other.
    """
    await conn.execute(
        """
        DELETE FROM answer_cache WHERE key IN (
            SELECT key FROM answer_cache
            WHERE answer_id IN (SELECT answer_id FROM answer_sources WHERE asset_id = $1) AND expires_at IS NOT NULL
            FOR UPDATE SKIP LOCKED)
        """,
        asset_id,
    )


async def forget_expired(conn: Connection) -> int:
    """Entries that are too old, and those whose writers died."""
    status = await conn.execute(
        """
        DELETE FROM answer_cache WHERE key IN (
            SELECT c.key FROM answer_cache AS c JOIN answers AS a ON a.id = c.answer_id
            WHERE c.expires_at < now() OR (c.expires_at IS NULL AND a.state <> 'running')
            FOR UPDATE OF c SKIP LOCKED)
        """
    )
    return int(status.split()[-1])
