"""SQL that writes answers, and removes them."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from common.assets import lock_asset
from common.db import Connection

from chat.domain.citations import Citation
from chat.domain.passages import Passage
from chat.queries.rows import EventRow, NewAnswer, Place, State


async def create_answer(conn: Connection, new: NewAnswer) -> None:
    await conn.execute(
        """
        INSERT INTO answers (
            id, user_id, question, collection_id, asset_ids, model, message_id, instruction_version, instructions
        ) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        """,
        new.id,
        new.user_id,
        new.question,
        new.collection_id,
        new.asset_ids,
        new.model,
        new.message_id,
        new.guidance.instruction_version,
        [
            {"id": str(one.id), "collection_id": one.collection_id and str(one.collection_id), "version": one.version}
            for one in new.guidance.instructions
        ],
    )


async def add_sources(conn: Connection, answer_id: UUID, assets: Mapping[UUID, UUID]) -> set[UUID] | None:
    """Note what the answer is made from, under the assets' locks; returns those that are not deleted.

    ``assets`` maps asset to collection. Locks are taken in one order, so that two answers cannot wait for each other.
    None when the answer is gone or ended meanwhile, and nothing was noted.
    """
    living: set[UUID] = set()
    for asset_id in sorted(assets):
        state = await lock_asset(conn, asset_id, assets[asset_id], 0)
        if state.deleted_at is None:
            living.add(asset_id)
    if not await conn.fetchval(
        "SELECT true FROM answers WHERE id = $1 AND state = 'running' FOR NO KEY UPDATE", answer_id
    ):
        return None
    await conn.execute(
        """
        INSERT INTO answer_sources (answer_id, asset_id)
        SELECT $1, asset_id FROM unnest($2::uuid[]) AS asset_id ON CONFLICT DO NOTHING
        """,
        answer_id,
        sorted(living),
    )
    return living


async def add_chunks(conn: Connection, answer_id: UUID, passages: Sequence[Passage]) -> None:
    """Which passages the answer is made from; only their places, their text stays with the embedder."""
    await conn.executemany(
        """
        INSERT INTO answer_chunks (answer_id, number, chunk_id, asset_id, revision, title, kind, locator, url)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        """,
        [
            (answer_id, p.number, p.chunk_id, p.asset_id, p.revision, p.title, p.kind, p.locator, p.url)
            for p in passages
        ],
    )


async def save_media(conn: Connection, asset_id: UUID, run: int, *, playable: bool) -> None:
    """What a later run found out stays."""
    await conn.execute(
        """
        INSERT INTO media AS m (asset_id, run, playable) VALUES ($1, $2, $3)
        ON CONFLICT (asset_id) DO UPDATE SET run = excluded.run, playable = excluded.playable
        WHERE excluded.run >= m.run
        """,
        asset_id,
        run,
        playable,
    )


async def delete_media(conn: Connection, asset_id: UUID) -> None:
    await conn.execute("DELETE FROM media WHERE asset_id = $1", asset_id)


async def beat(conn: Connection, answer_ids: Sequence[UUID], abandon_seconds: float) -> dict[UUID, bool]:
    """Signs of life of their writer; says of each answer that is not gone or ended whether somebody still reads it.

    Whose row somebody holds shows no sign this time: nobody waits for another one's answer.
    """
    rows = await conn.fetch(
        """
        WITH free AS (
            SELECT id FROM answers WHERE id = ANY($1::uuid[]) AND state = 'running' FOR NO KEY UPDATE SKIP LOCKED
        ),
        beaten AS (UPDATE answers AS a SET beat_at = now() FROM free WHERE a.id = free.id)
        SELECT id, read_at > now() - make_interval(secs => $2) AS read
        FROM answers WHERE id = ANY($1::uuid[]) AND state = 'running'
        """,
        answer_ids,
        abandon_seconds,
    )
    return {row["id"]: row["read"] for row in rows}


async def append_events(conn: Connection, answer_id: UUID, events: Sequence[EventRow]) -> bool:
    """False when the answer is gone or ended meanwhile, and nothing was written. What stands there already stays."""
    alive = await conn.fetchval(
        """
        WITH alive AS (SELECT id FROM answers WHERE id = $1 AND state = 'running' FOR NO KEY UPDATE),
        added AS (
            INSERT INTO message_events (answer_id, seq, event, data)
            SELECT alive.id, e.seq, e.event, e.data
            FROM alive, unnest($2::integer[], $3::text[], $4::jsonb[]) AS e (seq, event, data)
            ON CONFLICT (answer_id, seq) DO NOTHING
        )
        SELECT count(*) FROM alive
        """,
        answer_id,
        [event.seq for event in events],
        [event.event for event in events],
        [event.data for event in events],
    )
    return bool(alive)


async def append_together(conn: Connection, events: Sequence[tuple[UUID, Sequence[EventRow]]]) -> set[UUID]:
    """Events of several answers; returns those that were written, or stood there already.

    The others are gone, or ended, or somebody holds their row: nobody waits for another one's answer.
    """
    rows = [(answer_id, event) for answer_id, of_one in events for event in of_one]
    written = await conn.fetch(
        """
        WITH alive AS (
            SELECT id FROM answers WHERE id = ANY($1::uuid[]) AND state = 'running' FOR NO KEY UPDATE SKIP LOCKED
        ),
        added AS (
            INSERT INTO message_events (answer_id, seq, event, data)
            SELECT alive.id, e.seq, e.event, e.data
            FROM alive JOIN unnest($1::uuid[], $2::integer[], $3::text[], $4::jsonb[]) AS e (id, seq, event, data)
                USING (id)
            ON CONFLICT (answer_id, seq) DO NOTHING
        )
        SELECT id FROM alive
        """,
        [answer_id for answer_id, _ in rows],
        [event.seq for _, event in rows],
        [event.event for _, event in rows],
        [event.data for _, event in rows],
    )
    return {row["id"] for row in written}


async def add_citations(conn: Connection, answer_id: UUID, place: Place, citations: Sequence[Citation]) -> None:
    await conn.executemany(
        """
        INSERT INTO answer_citations (
            answer_id, place, index, chunk_id, asset_id, revision, title, kind, locator, quote, quote_from, quote_to,
            quote_start_seconds, quote_end_seconds, url, media_url
        ) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
        """,
        [
            (
                answer_id, place, c.index, c.chunk_id, c.asset_id, c.revision, c.title, c.kind, c.locator, c.quote,
                c.quote_from, c.quote_to, c.quote_start_seconds, c.quote_end_seconds, c.url, c.media_url,
            )
            for c in citations
        ],
    )  # fmt: skip


async def finish_answer(
    conn: Connection,
    answer_id: UUID,
    state: State,
    *,
    answered: bool = False,
    answer: str = "",
    reason: str | None = None,
    usage: dict[str, Any] | None = None,
    cached: bool = False,
    model: str | None = None,
) -> None:
    """``model``: whose answer it is, when another one has taken over."""
    await conn.execute(
        """
        UPDATE answers SET state = $2, answered = $3, answer = $4, reason = $5, usage = $6, cached = $7,
            finished_at = now(), model = coalesce($8, model)
        WHERE id = $1 AND state = 'running'
        """,
        answer_id,
        state,
        answered,
        answer,
        reason,
        usage,
        cached,
        model,
    )


async def interrupt_silent(conn: Connection, silent_seconds: float, data: dict[str, Any]) -> int:
    """End answers whose writer has shown no sign of life for so long; their readers are told ``data``."""
    rows = await conn.fetch(
        """
        WITH silent AS (
            UPDATE answers SET state = 'interrupted', finished_at = now(), reason = $2::jsonb ->> 'message'
            WHERE state = 'running' AND beat_at < now() - make_interval(secs => $1)
            RETURNING id
        )
        INSERT INTO message_events (answer_id, seq, event, data)
        SELECT silent.id, 1 + coalesce((SELECT max(e.seq) FROM message_events AS e WHERE e.answer_id = silent.id), 0),
               'error', $2
        FROM silent RETURNING answer_id
        """,
        silent_seconds,
        data,
    )
    return len(rows)


async def delete_made_from(conn: Connection, asset_id: UUID) -> None:
    """Answers made from the asset, with their quotes and events; of a session's messages only the questions stay."""
    await conn.execute(
        "DELETE FROM answers WHERE id IN (SELECT answer_id FROM answer_sources WHERE asset_id = $1)", asset_id
    )


async def delete_running_of_user(conn: Connection, user_id: UUID, limit: int) -> int:
    """What is being written for the user, so many at most; returns how many went."""
    rows = await conn.fetch("SELECT id FROM answers WHERE user_id = $1 AND state = 'running' LIMIT $2", user_id, limit)
    return await _delete_answers(conn, [row["id"] for row in rows])


async def delete_of_user(conn: Connection, user_id: UUID, limit: int) -> int:
    """Any answers of the user, so many at most; returns how many went."""
    rows = await conn.fetch("SELECT id FROM answers WHERE user_id = $1 LIMIT $2", user_id, limit)
    return await _delete_answers(conn, [row["id"] for row in rows])


async def _delete_answers(conn: Connection, answer_ids: list[UUID]) -> int:
    """Under the locks of what they were made from: whoever erases an asset deletes the same answers."""
    await conn.execute(
        """
        SELECT FROM asset_states WHERE asset_id IN (
            SELECT asset_id FROM answer_sources WHERE answer_id = ANY($1::uuid[])
        ) ORDER BY asset_id FOR SHARE
        """,
        answer_ids,
    )
    await conn.execute("DELETE FROM answers WHERE id = ANY($1::uuid[])", answer_ids)
    return len(answer_ids)


async def delete_old(conn: Connection, days: float) -> int:
    """Answers to single questions; those of a session are kept as long as it."""
    status = await conn.execute(
        "DELETE FROM answers WHERE message_id IS NULL AND created_at < now() - make_interval(secs => $1 * 86400)", days
    )
    return int(status.split()[-1])
