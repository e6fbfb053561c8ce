"""Chunks that a model has yet to embed: ranges of numbers, claimed for a while, finished once."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from common.db import Connection

from embedder.queries.models import embeddings_table


@dataclass(frozen=True)
class Batch:
    """Chunk numbers ``first_number`` to ``last_number``, claimed by whoever knows ``claim``."""

    id: int
    model_id: int
    first_number: int
    last_number: int
    claim: UUID


@dataclass(frozen=True)
class Missing:
    """A chunk without a vector; ``lines`` is JSON, ``names`` None where it was not kept."""

    number: int
    asset_id: UUID
    asset_number: int
    content: str
    lines: str
    names: list[str] | None


@dataclass(frozen=True)
class Progress:
    """Batches and chunks of one model; ``cut`` are chunks longer than it reads."""

    batches: int
    batches_done: int
    chunks: int
    cut: int


async def plan(conn: Connection, model_id: int, size: int) -> None:
    """All numbers that any chunk has now, in ranges of ``size``. Nobody may write chunks meanwhile."""
    await conn.execute(
        """
        INSERT INTO backfill_batches (model_id, first_number, last_number)
        SELECT $1, n, n + $2 - 1
        FROM generate_series((SELECT min(number) FROM chunks), (SELECT max(number) FROM chunks), $2) AS n
        WHERE EXISTS (SELECT FROM chunks AS c WHERE c.number BETWEEN n AND n + $2 - 1)
        ORDER BY n
        """,
        model_id,
        size,
    )


async def add(conn: Connection, model_id: int, numbers: Sequence[int]) -> None:
    """A batch for chunks that came without a vector of the model."""
    if numbers:
        await conn.execute(
            "INSERT INTO backfill_batches (model_id, first_number, last_number) VALUES ($1, $2, $3)",
            model_id,
            min(numbers),
            max(numbers),
        )


async def claim(conn: Connection, token: UUID, lease_seconds: float) -> Batch | None:
    """The oldest that nobody works on, of any model; whoever dies with it has it no longer than the lease."""
    row = await conn.fetchrow(
        """
        UPDATE backfill_batches SET claim = $1, claimed_until = now() + make_interval(secs => $2)
        WHERE id = (
            SELECT b.id FROM backfill_batches AS b JOIN embedding_models AS m ON m.id = b.model_id
            WHERE b.done_at IS NULL AND b.claimed_until < now() AND m.state <> 'dropping'
            ORDER BY b.model_id, b.id LIMIT 1 FOR UPDATE OF b SKIP LOCKED
        )
        RETURNING id, model_id, first_number, last_number, claim
        """,
        token,
        lease_seconds,
    )
    return Batch(**row) if row else None


async def release(conn: Connection, batch: Batch, pause_seconds: float = 0.0) -> None:
    """Give it back, to be claimed again after a pause."""
    await conn.execute(
        """
        UPDATE backfill_batches SET claim = NULL, claimed_until = now() + make_interval(secs => $3)
        WHERE id = $1 AND claim = $2 AND done_at IS NULL
        """,
        batch.id,
        batch.claim,
        pause_seconds,
    )


async def finish(conn: Connection, batch: Batch, chunks: int, cut: int) -> bool:
    """Whether it was still ours: of two who worked on it after all, one is told False and writes nothing."""
    return bool(
        await conn.fetchval(
            """
            UPDATE backfill_batches SET done_at = now(), chunks = $3, cut = $4
            WHERE id = $1 AND claim = $2 AND done_at IS NULL RETURNING true
            """,
            batch.id,
            batch.claim,
            chunks,
            cut,
        )
    )


async def read_missing(conn: Connection, batch: Batch) -> list[Missing]:
    """The chunks of the batch that have no vector of its model, in the order of their numbers."""
    rows = await conn.fetch(
        f"""
        SELECT c.number, c.asset_id, i.number AS asset_number, c.content, c.lines, c.names
        FROM chunks AS c JOIN indexed_assets AS i ON i.asset_id = c.asset_id
        WHERE c.number BETWEEN $1 AND $2 AND NOT EXISTS (
            SELECT FROM {embeddings_table(batch.model_id)} AS e WHERE e.chunk_number = c.number)
        ORDER BY c.number
        """,
        batch.first_number,
        batch.last_number,
    )
    return [Missing(**row) for row in rows]


async def lock_assets(conn: Connection, asset_ids: Sequence[UUID]) -> None:
    """As recording an asset's message does, in one order; until the transaction ends nobody changes its chunks."""
    await conn.fetch(
        "SELECT FROM asset_states WHERE asset_id = ANY($1::uuid[]) ORDER BY asset_id FOR UPDATE", sorted(asset_ids)
    )


async def still_missing(conn: Connection, model_id: int, numbers: Sequence[int]) -> set[int]:
    """Of these chunks, those that are there and have no vector. Call once their assets are locked."""
    rows = await conn.fetch(
        f"""
        SELECT c.number FROM chunks AS c WHERE c.number = ANY($1::integer[]) AND NOT EXISTS (
            SELECT FROM {embeddings_table(model_id)} AS e WHERE e.chunk_number = c.number)
        """,
        numbers,
    )
    return {row["number"] for row in rows}


async def count_open(conn: Connection, model_id: int) -> int:
    return await conn.fetchval(
        "SELECT count(*) FROM backfill_batches WHERE model_id = $1 AND done_at IS NULL", model_id
    )


async def read_progress(conn: Connection) -> dict[int, Progress]:
    """By model."""
    rows = await conn.fetch(
        """
        SELECT model_id, count(*) AS batches, count(done_at) AS batches_done, sum(chunks) AS chunks, sum(cut) AS cut
        FROM backfill_batches GROUP BY model_id
        """
    )
    return {
        row["model_id"]: Progress(row["batches"], row["batches_done"], int(row["chunks"]), int(row["cut"]))
        for row in rows
    }


async def count_chunks(conn: Connection) -> int:
    """Chunks of the whole index, as its assets say."""
    return await conn.fetchval("SELECT coalesce(sum(chunk_count), 0)::bigint FROM indexed_assets")
