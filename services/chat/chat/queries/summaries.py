"""SQL of summaries and chapters. Whoever writes holds the asset's lock, so that nothing is written after a deletion."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from common.db import Connection
from common.events import TranscriptFact

from chat.queries.summary_rows import (
    ChaptersRow,
    NewSummary,
    NewWork,
    NodeRow,
    SummaryRow,
    TranscriptRow,
    WishRow,
    WorkRow,
)

_TRANSCRIPT = "asset_id, run, revision, title, language, duration_seconds, transcript_uri, transcript_sha256"
_SUMMARY = """
    asset_id, version, revision, edited, model, template, language, content, citations, dropped, note, usage, user_id,
    created_at
"""
_WORK = """
    id, asset_id, run, collection_id, priority, revision, model, template, base_version, user_id, state, steps_done,
    steps_total, error, updated_at
"""
# Of each summary so many versions are kept.
_VERSIONS = 20


async def remember_transcript(conn: Connection, fact: TranscriptFact) -> bool:
    """False for one that is not newer than the one that is known."""
    status = await conn.execute(
        f"""
        INSERT INTO transcripts AS t ({_TRANSCRIPT}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT (asset_id) DO UPDATE SET
            run = excluded.run, revision = excluded.revision, title = excluded.title, language = excluded.language,
            duration_seconds = excluded.duration_seconds, transcript_uri = excluded.transcript_uri,
            transcript_sha256 = excluded.transcript_sha256
        WHERE excluded.revision > t.revision
        """,
        fact.asset_id,
        fact.run,
        fact.revision,
        fact.title,
        fact.language,
        fact.duration_seconds,
        fact.transcript_uri,
        fact.transcript_sha256,
    )
    return status != "INSERT 0 0"


async def read_transcript(conn: Connection, asset_id: UUID) -> TranscriptRow | None:
    row = await conn.fetchrow(f"SELECT {_TRANSCRIPT} FROM transcripts WHERE asset_id = $1", asset_id)
    return TranscriptRow(**row) if row else None


async def read_summary(conn: Connection, asset_id: UUID, version: int | None = None) -> SummaryRow | None:
    """The version asked for, else the newest."""
    row = await conn.fetchrow(
        f"""
        SELECT {_SUMMARY} FROM summaries WHERE asset_id = $1 AND ($2::integer IS NULL OR version = $2)
        ORDER BY version DESC LIMIT 1
        """,
        asset_id,
        version,
    )
    return SummaryRow(**row) if row else None


async def add_summary(conn: Connection, new: NewSummary) -> int:
    """The number of the new version; the oldest ones go."""
    version: int = await conn.fetchval(
        """
        INSERT INTO summaries (asset_id, version, revision, edited, model, template, language, content, citations,
            dropped, note, usage, user_id)
        SELECT $1, 1 + coalesce((SELECT max(version) FROM summaries WHERE asset_id = $1), 0),
            $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12
        RETURNING version
        """,
        new.asset_id,
        new.revision,
        new.edited,
        new.model,
        new.template,
        new.language,
        new.content,
        new.citations,
        new.dropped,
        new.note,
        new.usage,
        new.user_id,
    )
    await conn.execute("DELETE FROM summaries WHERE asset_id = $1 AND version <= $2", new.asset_id, version - _VERSIONS)
    return version


async def read_work(conn: Connection, asset_id: UUID) -> WorkRow | None:
    row = await conn.fetchrow(f"SELECT {_WORK} FROM summary_works WHERE asset_id = $1", asset_id)
    return WorkRow(**row) if row else None


async def put_work(conn: Connection, new: NewWork) -> None:
    """In the place of earlier work, which finds that it is wanted no more."""
    await conn.execute(
        """
        INSERT INTO summary_works (id, asset_id, run, collection_id, priority, revision, model, template, base_version,
            user_id, state, due_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, CASE WHEN $11::double precision > 0 THEN 'waiting' ELSE
            'running' END, now() + make_interval(secs => $11::double precision))
        ON CONFLICT (asset_id) DO UPDATE SET
            id = excluded.id, run = excluded.run, collection_id = excluded.collection_id,
            priority = excluded.priority, revision = excluded.revision, model = excluded.model,
            template = excluded.template, base_version = excluded.base_version, user_id = excluded.user_id,
            state = excluded.state, due_at = excluded.due_at, steps_done = 0, steps_total = 0, error = NULL,
            told = 1, updated_at = now()
        """,
        new.id,
        new.asset_id,
        new.run,
        new.collection_id,
        new.priority,
        new.revision,
        new.model,
        new.template,
        new.base_version,
        new.user_id,
        new.wait_seconds,
    )


async def begin_due(conn: Connection, most: int) -> list[WorkRow]:
    """Work whose time to wait is over; from now on it is running."""
    rows = await conn.fetch(
        f"""
        UPDATE summary_works SET state = 'running', updated_at = now()
        WHERE asset_id IN (
            SELECT asset_id FROM summary_works WHERE state = 'waiting' AND due_at <= now()
            ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED
        ) RETURNING {_WORK}
        """,
        most,
    )
    return [WorkRow(**row) for row in rows]


async def begin_silent(conn: Connection, silent_seconds: float, most_told: int) -> list[WorkRow]:
    """Running work of which nothing was seen for so long, to be said again; what was said often enough is left out."""
    rows = await conn.fetch(
        f"""
        UPDATE summary_works SET told = told + 1, updated_at = now()
        WHERE state = 'running' AND told < $2 AND updated_at < now() - make_interval(secs => $1)
        RETURNING {_WORK}
        """,
        silent_seconds,
        most_told,
    )
    return [WorkRow(**row) for row in rows]


async def fail_silent(conn: Connection, silent_seconds: float, error: dict[str, Any]) -> None:
    """What nobody took up however often it was said."""
    await conn.execute(
        """
        UPDATE summary_works SET state = 'failed', error = $2, updated_at = now()
        WHERE state = 'running' AND updated_at < now() - make_interval(secs => $1)
        """,
        silent_seconds,
        error,
    )


async def note_steps(conn: Connection, work_id: UUID, done: int, total: int) -> bool:
    """How far the work is. False when it is wanted no more."""
    status = await conn.execute(
        """
        UPDATE summary_works SET steps_done = $2, steps_total = $3, updated_at = now()
        WHERE id = $1 AND state = 'running'
        """,
        work_id,
        done,
        total,
    )
    return status != "UPDATE 0"


async def end_work(conn: Connection, work_id: UUID, error: dict[str, Any] | None = None) -> bool:
    """Done, or failed with ``error``. False when it is wanted no more."""
    status = await conn.execute(
        """
        UPDATE summary_works SET state = CASE WHEN $2::jsonb IS NULL THEN 'done' ELSE 'failed' END, error = $2,
            updated_at = now()
        WHERE id = $1 AND state = 'running'
        """,
        work_id,
        error,
    )
    return status != "UPDATE 0"


async def read_nodes(conn: Connection, asset_id: UUID, keys: Sequence[bytes], revision: int) -> list[NodeRow]:
    """Those that are there; they are used for this revision from now on."""
    rows = await conn.fetch(
        """
        UPDATE summary_nodes SET revision = greatest(revision, $3) WHERE asset_id = $1 AND key = ANY($2::bytea[])
        RETURNING key, notes, usage
        """,
        asset_id,
        list(keys),
        revision,
    )
    return [NodeRow(**row) for row in rows]


async def save_node(conn: Connection, asset_id: UUID, revision: int, node: NodeRow) -> None:
    await conn.execute(
        """
        INSERT INTO summary_nodes (asset_id, key, revision, notes, usage) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (asset_id, key) DO NOTHING
        """,
        asset_id,
        node.key,
        revision,
        node.notes,
        node.usage,
    )


async def forget_nodes(conn: Connection, asset_id: UUID, before_revision: int | None = None) -> None:
    """Those that no later revision used, or all."""
    await conn.execute(
        "DELETE FROM summary_nodes WHERE asset_id = $1 AND ($2::integer IS NULL OR revision < $2)",
        asset_id,
        before_revision,
    )


async def read_chapters(conn: Connection, asset_id: UUID) -> ChaptersRow | None:
    row = await conn.fetchrow("SELECT asset_id, revision, model, chapters FROM chapters WHERE asset_id = $1", asset_id)
    return ChaptersRow(**row) if row else None


async def save_chapters(conn: Connection, new: ChaptersRow) -> None:
    """Those of a newer revision stay."""
    await conn.execute(
        """
        INSERT INTO chapters AS c (asset_id, revision, model, chapters) VALUES ($1, $2, $3, $4)
        ON CONFLICT (asset_id) DO UPDATE SET
            revision = excluded.revision, model = excluded.model, chapters = excluded.chapters, created_at = now()
        WHERE excluded.revision >= c.revision
        """,
        new.asset_id,
        new.revision,
        new.model,
        new.chapters,
    )


async def read_wish(conn: Connection, collection_id: UUID) -> WishRow | None:
    row = await conn.fetchrow("SELECT automatic, template FROM summary_wishes WHERE collection_id = $1", collection_id)
    return WishRow(**row) if row else None


async def save_wish(conn: Connection, collection_id: UUID, wish: WishRow) -> None:
    await conn.execute(
        """
        INSERT INTO summary_wishes (collection_id, automatic, template) VALUES ($1, $2, $3)
        ON CONFLICT (collection_id) DO UPDATE SET
            automatic = excluded.automatic, template = excluded.template, updated_at = now()
        """,
        collection_id,
        wish.automatic,
        wish.template,
    )


async def delete_wish(conn: Connection, collection_id: UUID) -> None:
    await conn.execute("DELETE FROM summary_wishes WHERE collection_id = $1", collection_id)


async def current_collection(conn: Connection, asset_id: UUID) -> UUID | None:
    """As the gateway has it at this moment; None for an asset that is deleted or unknown."""
    return await conn.fetchval(
        "SELECT collection_id FROM gateway.asset_scope WHERE asset_id = $1 AND NOT deleted", asset_id
    )


async def delete_of_asset(conn: Connection, asset_id: UUID) -> None:
    for table in ("transcripts", "summaries", "summary_works", "summary_nodes", "chapters"):
        await conn.execute(f"DELETE FROM {table} WHERE asset_id = $1", asset_id)
