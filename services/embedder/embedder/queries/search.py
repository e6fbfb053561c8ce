"""The leg of exact phrases, scores of what it brings, and what a page shows. What reads content joins the scope."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from common.db import Connection

from embedder.domain.ranking import Scored
from embedder.queries import nearest
from embedder.queries.scope import Arguments, Filters, allowed, generations, spoken

# BM25: Robertson and Zaragoza (2009), with the usual constants.
_K1 = 1.2
_B = 0.75
_RANKED_PHRASES = 20_000


@dataclass(frozen=True)
class Bm25:
    """The terms of a query with what each weighs, the mean length of a chunk in words that count, and ``whole``:
    what all words of the query weigh together, those that no chunk has included."""

    term_ids: tuple[int, ...]
    weights: tuple[float, ...]
    mean_length: float
    whole: float

    def arguments(self, arguments: Arguments) -> tuple[str, str]:
        """SQL of the terms as rows ``t (id, weight)``, and of what one posting ``p`` scores.

        The arrays come out of subqueries: their lengths, which change no plan, would have it made anew every time.
        """
        terms = arguments.add(list(self.term_ids))
        weights = arguments.add([weight * (_K1 + 1) for weight in self.weights])
        base = arguments.add(_K1 * (1 - _B))
        per_word = arguments.add(_K1 * _B / self.mean_length)
        return (
            f"unnest((SELECT {terms}::integer[]), (SELECT {weights}::float8[])) AS t (id, weight)",
            f"t.weight * p.tf / (p.tf + {base}::float8 + {per_word}::float8 * p.len)",
        )


@dataclass(frozen=True)
class Passage:
    """A chunk as an answer shows it; ``words`` and ``lines`` are JSON, ``following`` begins the next chunk."""

    id: UUID
    number: int
    asset_id: UUID
    chunk_index: int
    content: str
    locator: dict[str, Any]
    words: str
    lines: str
    following: str
    title: str
    kind: str
    language: str | None
    collection_id: UUID
    revision: int
    dated_at: datetime


async def phrase_leg(
    conn: Connection, user_id: UUID, filters: Filters, phrase: str, limit: int
) -> list[tuple[int, float]]:
    """Chunks in which the phrase (a tsquery) begins, as (number, rank by how often)."""
    arguments = Arguments()
    wanted = f"{arguments.add(phrase)}::text::tsquery"
    scope = allowed(arguments, user_id, filters)
    # Ranking reads every chunk that has the phrase; of words as common as "the" there is no end.
    rows = await conn.fetch(
        f"""
        SELECT f.number, ts_rank_cd(f.phrase, {wanted})::float8 AS score FROM (
            SELECT c.number, c.phrase
            FROM chunks AS c JOIN indexed_assets AS i ON i.asset_id = c.asset_id
            WHERE c.phrase @@ {wanted} AND i.number IN ({scope}) {spoken(arguments, filters, "c.number")}
            LIMIT {_RANKED_PHRASES}
        ) AS f ORDER BY score DESC, f.number LIMIT {arguments.add(limit)}
        """,
        *arguments.values,
    )
    return [(row["number"], row["score"]) for row in rows]


async def complete_scores(
    conn: Connection,
    numbers: Sequence[int],
    around: Sequence[int],
    query: Bm25 | None,
    meant: nearest.Nearest | None,
) -> list[Scored]:
    """Both raw scores of the chunks in ``numbers``, and of the neighbours of those in ``around``.

    The numbers come from a leg, which saw the caller's scope; no content is read here.
    """
    arguments = Arguments()
    wanted, lenders = arguments.add(numbers), arguments.add(around)
    lexical = semantic = "SELECT NULL::integer AS chunk_number, NULL::float8 AS score"
    meaning = meant.sql(arguments) if meant else "SELECT NULL"
    # The numbers as one array: the index is walked once per term, not once per term and chunk.
    these = "ANY ((SELECT all_numbers FROM numbers)::integer[])"
    if query is not None:
        terms, score = query.arguments(arguments)
        lexical = (
            f"SELECT p.chunk_number, sum({score})::float8 AS score FROM {terms} "
            f"JOIN postings AS p ON p.term_id = t.id WHERE p.chunk_number = {these} GROUP BY p.chunk_number"
        )
    if meant is not None:
        semantic = (
            f"SELECT e.chunk_number, -(e.embedding <#> {nearest.VECTOR}) AS score "
            f"FROM {meant.table} AS e WHERE e.chunk_number = {these}"
        )
    rows = await conn.fetch(
        f"""
        WITH meaning AS MATERIALIZED ({meaning}), wanted AS MATERIALIZED (
            SELECT number, asset_id, chunk_index FROM chunks WHERE number = ANY({wanted}::integer[])
            UNION
            SELECT n.number, n.asset_id, n.chunk_index FROM chunks AS k
            JOIN chunks AS n ON n.asset_id = k.asset_id AND n.chunk_index IN (k.chunk_index - 1, k.chunk_index + 1)
            WHERE k.number = ANY({lenders}::integer[])
        ), numbers AS MATERIALIZED (
            SELECT array_agg(number) AS all_numbers FROM wanted
        ), lexical AS ({lexical}), semantic AS ({semantic})
        SELECT w.number, w.asset_id, w.chunk_index, l.score AS lexical, s.score AS semantic
        FROM wanted AS w
        LEFT JOIN lexical AS l ON l.chunk_number = w.number
        LEFT JOIN semantic AS s ON s.chunk_number = w.number
        """,
        *arguments.values,
    )
    return [Scored(*row) for row in rows]


async def read_page(
    conn: Connection, user_id: UUID, filters: Filters, numbers: Sequence[int]
) -> tuple[dict[int, Passage], dict[UUID, int]]:
    """The content of the chunks that the caller may read, by number, and the index generation of each collection in
    scope."""
    arguments = Arguments()
    wanted = arguments.add(numbers)
    scope = allowed(arguments, user_id, filters)
    rows = await conn.fetch(
        f"""
        WITH passages AS (
            SELECT c.id, c.number, c.asset_id, c.chunk_index, c.content, c.locator, c.words, c.lines,
                coalesce(left(n.content, 1000), '') AS following,
                i.title, i.kind, i.language, s.collection_id, i.revision,
                coalesce(i.recorded_at, i.registered_at) AS dated_at,
                row_number() OVER () AS place
            FROM chunks AS c
            JOIN indexed_assets AS i ON i.asset_id = c.asset_id
            JOIN gateway.asset_scope AS s ON s.asset_id = c.asset_id
            LEFT JOIN chunks AS n ON n.asset_id = c.asset_id AND n.chunk_index = c.chunk_index + 1
            WHERE c.number = ANY({wanted}::integer[]) AND i.number IN ({scope})
        )
        -- The generations stand in the first row, which is there even where there is no passage.
        SELECT g.generations, p.id, p.number, p.asset_id, p.chunk_index, p.content, p.locator, p.words, p.lines,
            p.following, p.title, p.kind, p.language, p.collection_id, p.revision, p.dated_at
        FROM passages AS p
        FULL JOIN (
            SELECT 1 AS place, ({generations(arguments, user_id, filters.collection_id)}) AS generations
        ) AS g ON g.place = p.place
        """,
        *arguments.values,
    )
    passages = {row["number"]: Passage(*row[1:]) for row in rows if row["number"] is not None}
    return passages, {collection: raised for row in rows for collection, raised in row["generations"] or ()}


async def read_order(conn: Connection, numbers: Sequence[int]) -> dict[int, tuple[str, datetime]]:
    """Title and date of each chunk's asset, to sort candidates by."""
    rows = await conn.fetch(
        """
        SELECT c.number, lower(i.title) AS title, coalesce(i.recorded_at, i.registered_at) AS dated_at
        FROM chunks AS c JOIN indexed_assets AS i ON i.asset_id = c.asset_id WHERE c.number = ANY($1::integer[])
        """,
        numbers,
    )
    return {row["number"]: (row["title"], row["dated_at"]) for row in rows}
