"""The legs of a search, and the scores of the candidates they bring. Every statement joins the caller's scope.

The limits of the two legs over everything are written into the statements: with an argument in its place Postgres would
expect a tenth of all rows and plan every search anew. Those over few chunks are better planned anew, for their filter.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
from common.db import Connection
from numpy.typing import NDArray

from embedder.domain.ranking import Scored
from embedder.queries.models import embeddings_table
from embedder.queries.scope import Arguments, Filters, allowed, count, spoken

# BM25: Robertson and Zaragoza (2009), with the usual constants.
_K1 = 1.2
_B = 0.75
_RANKED_PHRASES = 20_000
_TITLES = 20


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
class TitleMatch:
    """An asset whose title or address may be what was asked for, and its first chunk."""

    asset_id: UUID
    title: str
    language: str | None
    chunk_number: int


@dataclass(frozen=True)
class Bearings:
    """What a search must know before its legs: sizes count chunks, ``length`` words that count."""

    languages: list[str]
    model_id: int | None
    corpus_chunks: int
    corpus_length: int
    scope_chunks: int


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


async def take_bearings(conn: Connection, user_id: UUID, filters: Filters, model: str, ef_search: int) -> Bearings:
    """Take bearings, and until the transaction ends let HNSW walk on until enough rows pass the filter."""
    arguments = Arguments()
    row = await conn.fetchrow(
        f"""
        WITH RECURSIVE languages AS (
            (SELECT language FROM indexed_assets WHERE language IS NOT NULL ORDER BY language LIMIT 1)
            UNION ALL
            -- One hop from each language to the next, however many assets have it.
            SELECT (
                SELECT a.language FROM indexed_assets AS a WHERE a.language > l.language ORDER BY a.language LIMIT 1
            )
            FROM languages AS l WHERE l.language IS NOT NULL
        ), pending AS (
            SELECT coalesce(sum(chunks), 0) AS chunks, coalesce(sum(length), 0) AS length FROM corpus_deltas
        )
        SELECT ARRAY(SELECT language FROM languages WHERE language IS NOT NULL) AS languages,
            (SELECT id FROM embedding_models WHERE name = {arguments.add(model)}) AS model_id,
            (c.chunks + p.chunks)::bigint AS corpus_chunks, (c.length + p.length)::bigint AS corpus_length,
            ({count(arguments, user_id, filters)}) AS scope_chunks,
            set_config('hnsw.ef_search', {arguments.add(str(ef_search))}, true),
            set_config('hnsw.iterative_scan', 'relaxed_order', true)
        FROM corpus AS c, pending AS p
        """,
        *arguments.values,
    )
    assert row is not None
    return Bearings(*row[:5])


async def lexical_leg(
    conn: Connection, user_id: UUID, filters: Filters, query: Bm25, limit: int
) -> list[tuple[int, float]]:
    """The best chunks by BM25, as (number, score)."""
    arguments = Arguments()
    terms, score = query.arguments(arguments)
    scope = allowed(arguments, user_id, filters)
    rows = await conn.fetch(
        f"""
        SELECT p.chunk_number, sum({score})::float8 AS score
        FROM {terms} JOIN postings AS p ON p.term_id = t.id
        WHERE p.asset_number IN ({scope}) {spoken(arguments, filters, "p.chunk_number")}
        GROUP BY p.chunk_number ORDER BY score DESC, p.chunk_number LIMIT {limit:d}
        """,
        *arguments.values,
    )
    return [(row["chunk_number"], row["score"]) for row in rows]


def vector_text(vector: NDArray[np.float32]) -> str:
    """What Postgres reads as a halfvec."""
    return "[" + ",".join([f"{value:.5g}" for value in vector.tolist()]) + "]"


def _wanted(arguments: Arguments, vector: NDArray[np.float32]) -> str:
    # As a subquery it is read once; in a generic plan a bare cast would be read again for every row.
    return f"(SELECT {arguments.add(vector_text(vector))}::text::halfvec)"


async def nearest_by_index(
    conn: Connection, user_id: UUID, filters: Filters, model_id: int, vector: NDArray[np.float32], limit: int
) -> list[tuple[int, float]]:
    """The nearest chunks by HNSW, as (number, cosine), not quite in order. ``take_bearings`` set how far it looks."""
    arguments = Arguments()
    wanted = _wanted(arguments, vector)
    scope = allowed(arguments, user_id, filters)
    # IS TRUE keeps the scope a hashed filter of the index scan; as a join it would make the planner sort everything.
    rows = await conn.fetch(
        f"""
        SELECT e.chunk_number, -(e.embedding <#> {wanted}) AS score
        FROM {embeddings_table(model_id)} AS e
        WHERE (e.asset_number IN ({scope})) IS TRUE {spoken(arguments, filters, "e.chunk_number")}
        ORDER BY e.embedding <#> {wanted} LIMIT {limit:d}
        """,
        *arguments.values,
    )
    return [(row["chunk_number"], row["score"]) for row in rows]


async def nearest_exactly(
    conn: Connection, user_id: UUID, filters: Filters, model_id: int, vector: NDArray[np.float32], limit: int
) -> list[tuple[int, float]]:
    """The nearest chunks by looking at every one in scope, as (number, cosine); for scopes of few chunks."""
    arguments = Arguments()
    wanted = _wanted(arguments, vector)
    scope = allowed(arguments, user_id, filters)
    rows = await conn.fetch(
        f"""
        SELECT e.chunk_number, -(e.embedding <#> {wanted}) AS score
        FROM {embeddings_table(model_id)} AS e
        WHERE e.asset_number IN ({scope}) {spoken(arguments, filters, "e.chunk_number")}
        ORDER BY score DESC, e.chunk_number LIMIT {arguments.add(limit)}
        """,
        *arguments.values,
    )
    return [(row["chunk_number"], row["score"]) for row in rows]


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


async def title_leg(conn: Connection, user_id: UUID, filters: Filters, words: Sequence[str]) -> list[TitleMatch]:
    """Assets in whose title a word stands that shares a key with one of ``words``; those that share most first."""
    arguments = Arguments()
    # As a subquery it is computed once, not for every row.
    keys = f"(SELECT title_keys({arguments.add(' '.join(words))}))"
    scope = allowed(arguments, user_id, filters)
    return await _titles(
        conn,
        filters,
        arguments,
        f"i.title_keys && {keys} AND i.number IN ({scope})",
        f"cardinality(ARRAY(SELECT unnest(i.title_keys) INTERSECT SELECT unnest({keys}))) DESC",
    )


async def address_leg(conn: Connection, user_id: UUID, filters: Filters, address: str) -> list[TitleMatch]:
    """Assets that were fetched from an address in which ``address`` stands, the shortest first."""
    arguments = Arguments()
    wanted = arguments.add(address)
    scope = allowed(arguments, user_id, filters)
    return await _titles(
        conn, filters, arguments, f"position({wanted} IN lower(o.url)) > 0 AND i.number IN ({scope})", "length(o.url)"
    )


async def _titles(
    conn: Connection, filters: Filters, arguments: Arguments, condition: str, order: str
) -> list[TitleMatch]:
    rows = await conn.fetch(
        f"""
        SELECT m.asset_id, m.title, m.language, c.number AS chunk_number FROM (
            SELECT i.asset_id, i.title, i.language
            FROM indexed_assets AS i JOIN gateway.asset_scope AS o ON o.asset_id = i.asset_id
            WHERE {condition} ORDER BY {order}, i.number DESC LIMIT {_TITLES}
        ) AS m CROSS JOIN LATERAL (
            SELECT k.number FROM chunks AS k WHERE k.asset_id = m.asset_id {spoken(arguments, filters, "k.number")}
            ORDER BY k.chunk_index LIMIT 1
        ) AS c
        """,
        *arguments.values,
    )
    return [TitleMatch(**row) for row in rows]


async def complete_scores(
    conn: Connection,
    numbers: Sequence[int],
    around: Sequence[int],
    query: Bm25 | None,
    model_id: int | None,
    vector: NDArray[np.float32] | None,
) -> list[Scored]:
    """Both raw scores of the chunks in ``numbers``, and of the neighbours of those in ``around``.

    The numbers come from the legs above, which saw the caller's scope; no content is read here.
    """
    arguments = Arguments()
    wanted, lenders = arguments.add(numbers), arguments.add(around)
    lexical = semantic = "SELECT NULL::integer AS chunk_number, NULL::float8 AS score"
    # The numbers as one array: the index is walked once per term, not once per term and chunk.
    these = "ANY ((SELECT all_numbers FROM numbers)::integer[])"
    if query is not None:
        terms, score = query.arguments(arguments)
        lexical = (
            f"SELECT p.chunk_number, sum({score})::float8 AS score FROM {terms} "
            f"JOIN postings AS p ON p.term_id = t.id WHERE p.chunk_number = {these} GROUP BY p.chunk_number"
        )
    if model_id is not None and vector is not None:
        semantic = (
            f"SELECT e.chunk_number, -(e.embedding <#> {_wanted(arguments, vector)}) AS score "
            f"FROM {embeddings_table(model_id)} AS e WHERE e.chunk_number = {these}"
        )
    rows = await conn.fetch(
        f"""
        WITH wanted AS MATERIALIZED (
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


async def read_passages(
    conn: Connection, user_id: UUID, filters: Filters, numbers: Sequence[int]
) -> dict[int, Passage]:
    """The content of the chunks that the caller may read, by number."""
    arguments = Arguments()
    wanted = arguments.add(numbers)
    scope = allowed(arguments, user_id, filters)
    rows = await conn.fetch(
        f"""
        SELECT c.id, c.number, c.asset_id, c.chunk_index, c.content, c.locator, c.words, c.lines,
            coalesce(left(n.content, 1000), '') AS following,
            i.title, i.kind, i.language, s.collection_id, i.revision,
            coalesce(i.recorded_at, i.registered_at) AS dated_at
        FROM chunks AS c
        JOIN indexed_assets AS i ON i.asset_id = c.asset_id
        JOIN gateway.asset_scope AS s ON s.asset_id = c.asset_id
        LEFT JOIN chunks AS n ON n.asset_id = c.asset_id AND n.chunk_index = c.chunk_index + 1
        WHERE c.number = ANY({wanted}::integer[]) AND i.number IN ({scope})
        """,
        *arguments.values,
    )
    return {row["number"]: Passage(**row) for row in rows}


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
