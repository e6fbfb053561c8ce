"""What was under way when a backup was taken: messages are not in it, so tables say where everything stood.

This alone looks at all schemas at once, as an administrator and only to read; what is to be said is said by the
services' own code, with their own roles.
"""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

import asr.resuming
import asyncpg
import gateway.resuming
from common.db import Connection, Database
from common.outbox import Transaction
from gateway.resuming import Start, Unfinished


@dataclass(frozen=True)
class Standing:
    """How far each service was with a recording whose job had not ended; runs and revisions are 0 where it had
    nothing. ``stage`` is what the gateway had last heard."""

    asset_id: UUID
    stage: str
    registered: bool
    fetched_run: int
    taken_up_run: int
    transcribed_revision: int
    heard_revision: int


def begin_at(standing: Standing) -> Start:
    """The latest stage whose owner has all that it needs; what is done already is found there and not done again."""
    if standing.stage == "index" and standing.heard_revision >= standing.transcribed_revision > 0:
        return "index"
    if standing.stage != "fetch" and standing.taken_up_run >= standing.fetched_run > 0:
        return "transcribe"
    return "fetch" if standing.registered else "register"


async def go_on(admin_url: str, urls: Mapping[str, str]) -> int:
    """Writes into the outboxes what makes every unfinished work go on at the next start. Returns how many jobs."""
    conn = await asyncpg.connect(admin_url)
    try:
        unfinished = [Unfinished(each.asset_id, begin_at(each)) for each in await _unfinished(conn)]
        edited, unheard, lost = await _edited(conn), await _unheard(conn), await _lost_collections(conn)
        gone = await _lost_users(conn)
    finally:
        await conn.close()
    async with _as(urls, "asr") as tx:
        await asr.resuming.tell_again(tx, unheard)
    async with _as(urls, "gateway") as tx:
        await gateway.resuming.delete_again(tx)
        await gateway.resuming.forget_collections(tx, lost)
        await gateway.resuming.forget_users(tx, gone)
        await gateway.resuming.tell_again(tx, edited)
        return sum([await gateway.resuming.go_on(tx, each) for each in unfinished])


@asynccontextmanager
async def _as(urls: Mapping[str, str], service: str) -> AsyncGenerator[Transaction]:
    database = Database(urls[service], size=1)
    await database.open()
    try:
        async with database.transaction() as conn:
            yield Transaction(conn, service)
    finally:
        await database.close()


async def _unfinished(conn: Connection) -> list[Standing]:
    rows = await conn.fetch(
        """
        SELECT a.id AS asset_id, a.stage, f.asset_id IS NOT NULL AS registered, coalesce(r.run, 0) AS fetched_run,
            greatest(t.run, c.run, 0) AS taken_up_run, coalesce(n.revision, 0) AS transcribed_revision,
            coalesce(i.heard_revision, 0) AS heard_revision
        FROM gateway.assets AS a
        LEFT JOIN fetcher.fetches AS f ON f.asset_id = a.id
        LEFT JOIN fetcher.recordings AS r ON r.asset_id = a.id
        LEFT JOIN asr.transcriptions AS t ON t.asset_id = a.id
        LEFT JOIN asr.captions AS c ON c.asset_id = a.id
        LEFT JOIN (SELECT asset_id, max(revision) AS revision FROM asr.transcripts GROUP BY 1) AS n
            ON n.asset_id = a.id
        LEFT JOIN embedder.indexed_assets AS i ON i.asset_id = a.id
        WHERE a.status IN ('pending', 'processing') AND a.deleted_at IS NULL ORDER BY a.id
        """
    )
    return [Standing(**row) for row in rows]


async def _edited(conn: Connection) -> list[UUID]:
    """Assets whose title, date or collection the index does not have as the gateway has them."""
    rows = await conn.fetch(
        """
        SELECT a.id FROM gateway.assets AS a LEFT JOIN embedder.asset_states AS s ON s.asset_id = a.id
        WHERE a.version > 1 AND a.version > coalesce(s.version, 0) AND a.deleted_at IS NULL ORDER BY a.id
        """
    )
    return [row["id"] for row in rows]


async def _unheard(conn: Connection) -> list[UUID]:
    """Finished recordings whose newest text the index, the gateway or chat has not heard of."""
    rows = await conn.fetch(
        """
        SELECT a.id FROM gateway.assets AS a
        JOIN (SELECT asset_id, max(revision) AS revision FROM asr.transcripts GROUP BY 1) AS n ON n.asset_id = a.id
        LEFT JOIN embedder.indexed_assets AS i ON i.asset_id = a.id
        LEFT JOIN chat.asset_states AS s ON s.asset_id = a.id
        WHERE a.status = 'ready' AND a.deleted_at IS NULL
            AND n.revision > least(a.revision, coalesce(i.revision, 0), coalesce(s.revision, 0))
        ORDER BY a.id
        """
    )
    return [row["id"] for row in rows]


async def _lost_collections(conn: Connection) -> list[UUID]:
    """Collections that the gateway has forgotten while asr still keeps profiles of theirs."""
    rows = await conn.fetch(
        """
        SELECT DISTINCT p.collection_id FROM asr.speaker_profiles AS p
        WHERE p.collection_id IS NOT NULL
            AND NOT EXISTS (SELECT FROM gateway.collections AS c WHERE c.id = p.collection_id)
        """
    )
    return [row["collection_id"] for row in rows]


async def _lost_users(conn: Connection) -> list[UUID]:
    """Users that the gateway has forgotten while chat or asr still keeps something of theirs alone."""
    rows = await conn.fetch(
        """
        SELECT held.user_id FROM (
            SELECT user_id FROM chat.sessions UNION SELECT user_id FROM chat.answers
            UNION SELECT user_id FROM chat.request_keys UNION SELECT user_id FROM chat.provider_keys
            UNION SELECT user_id FROM chat.model_defaults WHERE user_id IS NOT NULL
            UNION SELECT made_by FROM asr.speaker_profiles WHERE collection_id IS NULL
        ) AS held (user_id)
        WHERE NOT EXISTS (SELECT FROM gateway.users AS u WHERE u.id = held.user_id) ORDER BY held.user_id
        """
    )
    return [row["user_id"] for row in rows]
