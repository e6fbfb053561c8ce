"""Chunks, postings and vectors of an asset: written by binary COPY, removed together."""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from common.db import Connection

from embedder.domain import copying
from embedder.domain.renewal import HeldChunk
from embedder.queries.models import embeddings_table

_COLUMNS = (
    "id",
    "number",
    "asset_id",
    "term_ids",
    "chunk_index",
    "content",
    "locator",
    "speakers",
    "names",
    "words",
    "lines",
    "phrase",
)


@dataclass(frozen=True)
class ChunkRow:
    """One chunk as debugging sees it."""

    id: UUID
    chunk_index: int
    content: str
    locator: dict[str, Any]
    words: str
    lines: str


async def reserve_numbers(conn: Connection, count: int) -> list[int]:
    rows = await conn.fetch("SELECT nextval('chunk_numbers')::integer AS number FROM generate_series(1, $1)", count)
    return [row["number"] for row in rows]


async def _copy(conn: Connection, table: str, columns: Sequence[str], rows: Iterable[bytes]) -> None:
    async def stream() -> AsyncIterator[bytes]:
        yield copying.HEADER
        for block in rows:
            yield block
        yield copying.TRAILER

    await conn.copy_to_table(table, source=stream(), columns=list(columns), format="binary")


async def copy_chunks(conn: Connection, rows: Iterable[bytes]) -> None:
    """``rows`` in the order of ``_COLUMNS``."""
    await _copy(conn, "chunks", _COLUMNS, rows)


async def copy_postings(conn: Connection, rows: bytes) -> None:
    columns = ("term_id", "chunk_number", "asset_number", "tf", "len")
    await _copy(conn, "postings", columns, [rows])


async def copy_embeddings(conn: Connection, model_id: int, rows: bytes) -> None:
    columns = ("chunk_number", "asset_number", "embedding")
    await _copy(conn, embeddings_table(model_id), columns, [rows])


async def delete_postings(conn: Connection, asset_id: UUID, numbers: Sequence[int] | None = None) -> None:
    """Of all the asset's chunks, or of those with these numbers; notes what the statistics lose.

    Call before ``delete_chunks``: the chunks know their terms.
    """
    await conn.execute(
        """
        WITH gone AS (
            DELETE FROM postings AS p
            USING (SELECT number, unnest(term_ids) AS term_id FROM chunks
                WHERE asset_id = $1 AND ($2::integer[] IS NULL OR number = ANY($2))) AS c
            WHERE p.term_id = c.term_id AND p.chunk_number = c.number
            RETURNING p.term_id, p.chunk_number, p.len
        ), per_term AS (
            INSERT INTO term_deltas (term_id, chunks) SELECT term_id, -count(*) FROM gone GROUP BY term_id
        )
        INSERT INTO corpus_deltas (chunks, length)
        SELECT -count(*), -sum(len) FROM (SELECT DISTINCT chunk_number, len FROM gone) AS c HAVING count(*) > 0
        """,
        asset_id,
        numbers,
    )


async def delete_embeddings(
    conn: Connection, model_ids: Sequence[int], asset_number: int, numbers: Sequence[int] | None = None
) -> None:
    """Of all the asset's chunks, or of those with these numbers."""
    for model_id in model_ids:
        await conn.execute(
            f"DELETE FROM {embeddings_table(model_id)} "
            "WHERE asset_number = $1 AND ($2::integer[] IS NULL OR chunk_number = ANY($2))",
            asset_number,
            numbers,
        )


async def delete_chunks(conn: Connection, asset_id: UUID, numbers: Sequence[int] | None = None) -> None:
    """All of the asset's, or those with these numbers."""
    await conn.execute(
        "DELETE FROM chunks WHERE asset_id = $1 AND ($2::integer[] IS NULL OR number = ANY($2))", asset_id, numbers
    )


async def read_held(conn: Connection, asset_id: UUID, model_id: int) -> list[HeldChunk]:
    """The asset's chunks in order, with whether the model has embedded them."""
    rows = await conn.fetch(
        f"""
        SELECT c.id, c.number, c.chunk_index, c.content, c.locator, c.speakers, c.words, c.lines,
            e.chunk_number IS NOT NULL AS embedded
        FROM chunks AS c LEFT JOIN {embeddings_table(model_id)} AS e ON e.chunk_number = c.number
        WHERE c.asset_id = $1 ORDER BY c.chunk_index
        """,
        asset_id,
    )
    return [HeldChunk(**row) for row in rows]


async def list_chunks(conn: Connection, asset_id: UUID, after: int, limit: int) -> list[ChunkRow]:
    """Chunks with an index above ``after``, in order."""
    rows = await conn.fetch(
        """
        SELECT id, chunk_index, content, locator, words, lines FROM chunks
        WHERE asset_id = $1 AND chunk_index > $2 ORDER BY chunk_index LIMIT $3
        """,
        asset_id,
        after,
        limit,
    )
    return [ChunkRow(**row) for row in rows]
