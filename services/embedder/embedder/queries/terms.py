"""The vocabulary and its statistics: appended by those who index, folded in by one job at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from common.db import Connection

# Advisory locks. The first is held together by all who index while they use term ids, and alone by who removes terms;
# the second by who folds.
_VOCABULARY = 0x45415254
_FOLDING = 0x45415246
_FOLDED_AT_ONCE = 20_000


@dataclass(frozen=True)
class TermStatistics:
    """``df``: in how many chunks the term occurs."""

    id: int
    term: str
    df: int


@dataclass(frozen=True)
class Folded:
    """How many deltas one batch took in, and how many terms no chunk holds any more after it."""

    deltas: int
    unused: int


async def add_terms(conn: Connection, terms: Sequence[str]) -> None:
    """Sorted, so that two who add the same new terms wait for each other in one order."""
    await conn.execute(
        """
        INSERT INTO terms (term) SELECT t.term FROM unnest($1::text[]) AS t (term)
        WHERE NOT EXISTS (SELECT FROM terms AS known WHERE known.term = t.term)
        ORDER BY t.term ON CONFLICT (term) DO NOTHING
        """,
        sorted(terms),
    )


async def hold_terms(conn: Connection, terms: Sequence[str]) -> dict[str, int]:
    """Ids of the terms; none of them is removed before the transaction ends."""
    await conn.execute("SELECT pg_advisory_xact_lock_shared($1)", _VOCABULARY)
    rows = await conn.fetch("SELECT id, term FROM terms WHERE term = ANY($1::text[])", terms)
    return {row["term"]: row["id"] for row in rows}


async def append_deltas(conn: Connection, chunks_per_term: Mapping[int, int], chunks: int, length: int) -> None:
    await conn.execute(
        "INSERT INTO term_deltas (term_id, chunks) SELECT * FROM unnest($1::integer[], $2::integer[])",
        list(chunks_per_term),
        list(chunks_per_term.values()),
    )
    await conn.execute("INSERT INTO corpus_deltas (chunks, length) VALUES ($1, $2)", chunks, length)


async def find_terms(conn: Connection, terms: Sequence[str]) -> list[TermStatistics]:
    """Those that occur in any chunk, with what is not folded in yet."""
    rows = await conn.fetch(
        """
        SELECT id, term, df FROM (
            SELECT t.id, t.term,
                (t.df + (SELECT coalesce(sum(d.chunks), 0) FROM term_deltas AS d WHERE d.term_id = t.id))::integer AS df
            FROM terms AS t WHERE t.term = ANY((SELECT $1::text[])::text[])
        ) AS t WHERE df > 0
        """,
        terms,
    )
    return [TermStatistics(**row) for row in rows]


async def fold_deltas(conn: Connection) -> Folded:
    """Take one batch of deltas into the totals; nothing is folded while another process is at it."""
    if not await conn.fetchval("SELECT pg_try_advisory_xact_lock($1)", _FOLDING):
        return Folded(0, 0)
    row = await conn.fetchrow(
        """
        WITH taken AS (
            DELETE FROM term_deltas WHERE id IN (SELECT id FROM term_deltas ORDER BY id LIMIT $1)
            RETURNING term_id, chunks
        ), summed AS (
            SELECT term_id, sum(chunks)::integer AS chunks FROM taken GROUP BY term_id
        ), applied AS (
            UPDATE terms AS t SET df = t.df + s.chunks FROM summed AS s WHERE t.id = s.term_id RETURNING t.df
        )
        SELECT (SELECT count(*) FROM taken)::integer AS deltas,
            (SELECT count(*) FROM applied WHERE df <= 0)::integer AS unused
        """,
        _FOLDED_AT_ONCE,
    )
    await conn.execute(
        """
        WITH taken AS (DELETE FROM corpus_deltas RETURNING chunks, length)
        UPDATE corpus SET chunks = corpus.chunks + s.chunks, length = corpus.length + s.length
        FROM (SELECT sum(chunks) AS chunks, sum(length) AS length FROM taken HAVING count(*) > 0) AS s
        """
    )
    assert row is not None
    return Folded(**row)


async def remove_unused_terms(conn: Connection) -> int:
    """Forget words that only deleted chunks held; 0 while anybody indexes, who may be about to use one."""
    if not await conn.fetchval("SELECT pg_try_advisory_xact_lock($1)", _VOCABULARY):
        return 0
    status = await conn.execute(
        """
        DELETE FROM terms AS t WHERE t.df <= 0
            AND NOT EXISTS (SELECT FROM term_deltas AS d WHERE d.term_id = t.id)
            AND NOT EXISTS (SELECT FROM postings AS p WHERE p.term_id = t.id)
        """
    )
    return int(status.split()[-1])
