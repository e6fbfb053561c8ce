"""Who may see what: every query for content joins this, so that permission and filters are decided by the database."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from common.db import Connection


@dataclass(frozen=True)
class Filters:
    """What the caller narrows the search to; None narrows nothing. ``speaker`` (label or name) is compared without
    case; of ``tags`` an asset must have all, of ``statuses`` one."""

    collection_id: UUID | None = None
    asset_ids: tuple[UUID, ...] | None = None
    kinds: tuple[str, ...] | None = None
    speaker: str | None = None
    language: str | None = None
    recorded_after: datetime | None = None
    recorded_before: datetime | None = None
    min_duration_seconds: float | None = None
    max_duration_seconds: float | None = None
    tags: tuple[str, ...] | None = None
    statuses: tuple[str, ...] | None = None


@dataclass
class Arguments:
    """Collects a statement's arguments; each gets the next number."""

    values: list[Any] = field(default_factory=list[Any])

    def add(self, value: Any) -> str:
        self.values.append(value)
        return f"${len(self.values)}"


def allowed(arguments: Arguments, user_id: UUID, filters: Filters, columns: str = "a.number") -> str:
    """SQL of the numbers of the assets that the user may read and the filters leave; ``a`` is indexed_assets.

    The gateway's views decide membership, collection and deletion at this moment; copies only narrow.
    """
    conditions = [
        f"EXISTS (SELECT FROM gateway.access AS x WHERE x.user_id = {arguments.add(user_id)} "
        "AND x.collection_id = s.collection_id)",
        "NOT s.deleted",
        "a.chunk_count > 0",
    ]
    for value, condition in (
        (filters.collection_id, "s.collection_id = {}"),
        (filters.asset_ids, "a.asset_id = ANY({}::uuid[])"),
        (filters.kinds, "a.kind = ANY({}::text[])"),
        (filters.language, "split_part(lower(a.language), '-', 1) = {}"),
        (filters.recorded_after, "a.recorded_at >= {}"),
        (filters.recorded_before, "a.recorded_at < {}"),
        (filters.min_duration_seconds, "a.duration_seconds >= {}"),
        (filters.max_duration_seconds, "a.duration_seconds <= {}"),
        (filters.tags, "s.tags @> {}::text[]"),
        (filters.statuses, "s.status = ANY({}::text[])"),
    ):
        if value is not None:
            conditions.append(condition.format(arguments.add(value)))
    return (
        f"SELECT {columns} FROM indexed_assets AS a JOIN gateway.asset_scope AS s ON s.asset_id = a.asset_id "
        f"WHERE {' AND '.join(conditions)}"
    )


def everything(arguments: Arguments, user_id: UUID, filters: Filters) -> str:
    """SQL of whether the filters leave everything there is, and the user may read all of it: no collection that holds
    an asset is closed to them, and nothing is being deleted. It takes a step for each collection, not for each asset.
    """
    # Who speaks is looked for in chunks.
    if replace(filters, speaker=None) != Filters():
        return "false"
    return f"""
        NOT EXISTS (SELECT FROM gateway.asset_scope AS s WHERE s.deleted)
        AND NOT EXISTS (
            WITH RECURSIVE held AS (
                (SELECT s.collection_id FROM gateway.asset_scope AS s ORDER BY s.collection_id LIMIT 1)
                UNION ALL
                SELECT (
                    SELECT s.collection_id FROM gateway.asset_scope AS s
                    WHERE s.collection_id > h.collection_id ORDER BY s.collection_id LIMIT 1
                )
                FROM held AS h WHERE h.collection_id IS NOT NULL
            )
            SELECT FROM held AS h WHERE h.collection_id IS NOT NULL AND NOT EXISTS (
                SELECT FROM gateway.access AS x
                WHERE x.user_id = {arguments.add(user_id)} AND x.collection_id = h.collection_id
            )
        )"""


def within(number: str) -> str:
    """SQL condition that the asset with this number is in ``scope``; that is not looked into where ``whole`` says that
    it holds everything."""
    return f"((SELECT everything FROM whole) OR {number} IN (SELECT number FROM scope))"


def spoken(arguments: Arguments, filters: Filters, chunk_number: str) -> str:
    """SQL condition that the speaker asked for talks in the chunk; empty when none is asked for."""
    if filters.speaker is None:
        return ""
    condition = speaks(arguments, filters.speaker)
    return f"AND EXISTS (SELECT FROM chunks AS k WHERE k.number = {chunk_number} AND {condition})"


def count(arguments: Arguments, filters: Filters) -> str:
    """SQL of how many chunks are in ``scope``, which has ``chunk_count``, or a number not much above it."""
    allowed_chunks = """
        SELECT CASE WHEN everything THEN (SELECT chunks FROM corpus)
            ELSE (SELECT coalesce(sum(chunk_count), 0)::bigint FROM scope) END
        FROM whole"""
    if filters.speaker is None:
        return allowed_chunks
    spoken_chunks = f"SELECT count(*) FROM chunks AS k WHERE {speaks(arguments, filters.speaker)}"
    return f"SELECT least(({allowed_chunks}), ({spoken_chunks}))"


def speaks(arguments: Arguments, speaker: str) -> str:
    """SQL condition on chunk ``k``."""
    return f"k.speakers @> {arguments.add([speaker.casefold()])}::text[]"


async def may_read_collection(conn: Connection, user_id: UUID, collection_id: UUID) -> bool:
    return bool(
        await conn.fetchval(
            "SELECT true FROM gateway.access WHERE user_id = $1 AND collection_id = $2 LIMIT 1", user_id, collection_id
        )
    )


async def readable_assets(conn: Connection, user_id: UUID, asset_ids: Sequence[UUID]) -> set[UUID]:
    """Which of the assets the user may read, indexed or not."""
    rows = await conn.fetch(
        """
        SELECT s.asset_id FROM gateway.asset_scope AS s
        WHERE s.asset_id = ANY($2::uuid[]) AND NOT s.deleted AND EXISTS (
            SELECT FROM gateway.access AS x WHERE x.user_id = $1 AND x.collection_id = s.collection_id)
        """,
        user_id,
        list(asset_ids),
    )
    return {row["asset_id"] for row in rows}


def generations(arguments: Arguments, user_id: UUID, collection_id: UUID | None) -> str:
    """SQL of an array of (collection, index generation) for each collection in the user's scope; 0 before anything was
    indexed."""
    user, collection = arguments.add(user_id), arguments.add(collection_id)
    return f"""
        SELECT array_agg(DISTINCT ROW(x.collection_id, coalesce(g.generation, 0)))
        FROM gateway.access AS x LEFT JOIN index_generations AS g ON g.collection_id = x.collection_id
        WHERE x.user_id = {user} AND ({collection}::uuid IS NULL OR x.collection_id = {collection})
    """
