"""Both legs of a search in one statement: who may read what is decided once, and every candidate gets both scores."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from common.db import Connection

from embedder.domain.ranking import LEXICAL_WEIGHT, SEMANTIC_WEIGHT, Scored
from embedder.queries import nearest
from embedder.queries.scope import Arguments, Filters, allowed, count, everything, spoken, within
from embedder.queries.search import Bm25

_NOTHING = "SELECT NULL::integer AS chunk_number, NULL::float8 AS score WHERE false"


@dataclass(frozen=True)
class Query:
    """What is looked for: by words, by meaning, and ``named`` chunks, of assets that the query names.

    Each leg brings up to ``limit``; of both the most promising ``kept`` become candidates, and all that are named.
    Scopes of up to ``few`` chunks are searched without the vector index. The first ``neighboured`` candidates bring the
    chunks beside them, which become candidates too unless a speaker is asked for.
    """

    words: Bm25 | None
    meaning: nearest.Nearest | None
    limit: int
    kept: int
    few: int
    named: Sequence[int] = ()
    neighboured: int = 0

    @property
    def by_one_leg(self) -> bool:
        return (self.words is None or self.meaning is None) and not self.named and not self.neighboured


@dataclass(frozen=True)
class Candidates:
    """``chunks`` with both scores: the candidates in ``numbers``, and the neighbours of those in ``around``.
    ``complete`` unless a leg may know more, or brought more than were kept."""

    chunks: list[Scored]
    numbers: set[int]
    around: set[int]
    complete: bool


async def find_candidates(conn: Connection, user_id: UUID, filters: Filters, query: Query) -> Candidates:
    """The snapshot's ``hnsw.ef_search`` and ``hnsw.iterative_scan`` say how far the vector index looks."""
    arguments = Arguments()
    rows = await conn.fetch(_statement(arguments, user_id, filters, query), *arguments.values)
    # As the row has them: to name each field would take longer than to rank.
    chunks = [Scored._make(row[:8]) for row in rows]
    places = [(row[0], row[8]) for row in rows if row[8] is not None]
    # Of the neighbours nobody knows who speaks; by assets they are within the scope that the candidates are in.
    numbers = {chunk.number for chunk in chunks} if filters.speaker is None else {number for number, _ in places}
    around = {number for number, place in places if place <= query.neighboured}
    return Candidates(chunks, numbers, around, rows[0][9] if rows else True)


def _statement(arguments: Arguments, user_id: UUID, filters: Filters, query: Query) -> str:
    candidates = _candidates(arguments, user_id, filters, query)
    if query.by_one_leg:
        # It has brought every score that there is to have.
        lexical, semantic, source = "w.lexical", "w.semantic", "candidates AS w"
    else:
        candidates += _completed(arguments, query)
        lexical, semantic = "coalesce(w.lexical, l.score)", "coalesce(w.semantic, s.score)"
        source = """wanted AS w
            LEFT JOIN more_lexical AS l ON l.chunk_number = w.number
            LEFT JOIN more_semantic AS s ON s.chunk_number = w.number"""
    return f"""
        WITH {candidates}
        SELECT w.number, w.asset_id, w.chunk_index, {lexical} AS lexical, {semantic} AS semantic,
            NULL AS phrase, NULL AS title, NULL AS rerank, w.place,
            NOT (SELECT is_full FROM ends)
                AND (SELECT count(*) FROM found) = (SELECT count(*) FROM candidates) AS complete
        FROM {source}
    """


def _candidates(arguments: Arguments, user_id: UUID, filters: Filters, query: Query) -> str:
    """SQL of named parts, up to ``candidates``: what the legs brought and what is named, as far as it is kept."""
    return f"""
        meaning AS MATERIALIZED (
            {query.meaning.sql(arguments) if query.meaning else "SELECT NULL"}
        ), scope AS MATERIALIZED (
            {allowed(arguments, user_id, filters, "a.number, a.chunk_count")}
        ), whole AS MATERIALIZED (
            -- Where it leaves out nothing, the scope is neither made nor looked into.
            SELECT {everything(arguments, user_id, filters)} AS everything
        ), reach AS MATERIALIZED (
            -- Where it leaves little, walking the graph would meet hardly anything that passes it.
            SELECT ({count(arguments, filters)}) <= {arguments.add(query.few)} AS few
        ), lexical AS MATERIALIZED (
            {_lexical_leg(arguments, filters, query)}
        ), semantic AS MATERIALIZED (
            {_semantic_leg(arguments, filters, query)}
        ), named AS (
            SELECT k.number AS chunk_number, n.place
            FROM unnest((SELECT {arguments.add(query.named)}::integer[])) WITH ORDINALITY AS n (number, place)
            JOIN chunks AS k ON k.number = n.number JOIN indexed_assets AS i ON i.asset_id = k.asset_id
            WHERE {within("i.number")}
        ), ends AS MATERIALIZED (
            -- What a full leg did not bring scores at most as its last; a leg with room left has brought all there is.
            SELECT l.best AS best_lexical, CASE WHEN l.is_full THEN l.last END AS last_lexical,
                s.best AS best_semantic, CASE WHEN s.is_full THEN s.last END AS last_semantic,
                l.is_full OR s.is_full AS is_full
            FROM {_ends("lexical", query.limit)} AS l, {_ends("semantic", query.limit)} AS s
        ), found AS MATERIALIZED (
            SELECT chunk_number, max(lexical) AS lexical, max(semantic) AS semantic, min(named) AS named
            FROM (
                SELECT chunk_number, score AS lexical, NULL::float8 AS semantic, NULL::bigint AS named FROM lexical
                UNION ALL SELECT chunk_number, NULL, score, NULL FROM semantic
                UNION ALL SELECT chunk_number, NULL, NULL, place FROM named
            ) AS legs
            GROUP BY chunk_number
        ), likely AS (
            -- By the most that they can score; what is only named comes last and is never left out.
            SELECT f.*, row_number() OVER (
                ORDER BY f.lexical IS NULL AND f.semantic IS NULL, {_at_most()} DESC, f.named, f.chunk_number
            )::integer AS place
            FROM found AS f CROSS JOIN ends AS e
        ), candidates AS MATERIALIZED (
            SELECT k.number, k.asset_id, k.chunk_index, l.lexical, l.semantic, l.place
            FROM likely AS l JOIN chunks AS k ON k.number = l.chunk_number
            WHERE l.place <= {arguments.add(query.kept)} OR l.named IS NOT NULL
        )"""


def _completed(arguments: Arguments, query: Query) -> str:
    """SQL of further named parts: candidates with the chunks beside the first of them, and the scores they lack."""
    return f""", lenders AS (
            SELECT DISTINCT n.number, n.asset_id, n.chunk_index
            FROM candidates AS c JOIN chunks AS n
                ON n.asset_id = c.asset_id AND n.chunk_index IN (c.chunk_index - 1, c.chunk_index + 1)
            WHERE c.place <= {arguments.add(query.neighboured)}
                AND NOT EXISTS (SELECT FROM candidates AS held WHERE held.number = n.number)
        ), wanted AS MATERIALIZED (
            SELECT number, asset_id, chunk_index, lexical, semantic, place FROM candidates
            UNION ALL SELECT number, asset_id, chunk_index, NULL, NULL, NULL FROM lenders
        ), missing AS MATERIALIZED (
            -- As arrays: an index is walked once per term, not once per term and chunk.
            SELECT array_agg(number) FILTER (WHERE lexical IS NULL) AS lexical,
                array_agg(number) FILTER (WHERE semantic IS NULL) AS semantic
            FROM wanted
        ), more_lexical AS (
            {_lexical_scores(arguments, query)}
        ), more_semantic AS (
            {_semantic_scores(query)}
        )"""


def _lexical_leg(arguments: Arguments, filters: Filters, query: Query) -> str:
    if query.words is None:
        return _NOTHING
    terms, score = query.words.arguments(arguments)
    return f"""
            SELECT p.chunk_number, sum({score})::float8 AS score
            FROM {terms} JOIN postings AS p ON p.term_id = t.id
            WHERE {within("p.asset_number")} {spoken(arguments, filters, "p.chunk_number")}
            GROUP BY p.chunk_number ORDER BY score DESC, p.chunk_number LIMIT {query.limit:d}"""


def _semantic_leg(arguments: Arguments, filters: Filters, query: Query) -> str:
    """One of both is run: the other's condition is known to be false before it begins."""
    if query.meaning is None:
        return _NOTHING
    few = nearest.exactly(arguments, filters, query.meaning, query.limit)
    many = nearest.by_index(arguments, filters, query.meaning, query.limit)
    return f"({few}) UNION ALL ({many})"


def _ends(leg: str, limit: int) -> str:
    """SQL of a row: a leg's best score, its last, and whether it is full."""
    return f"(SELECT max(score) AS best, min(score) AS last, count(*) >= {limit:d} AS is_full FROM {leg})"


def _at_most() -> str:
    """SQL of the most that a candidate ``f`` can score by both legs, each divided by its best; zero is their floor."""
    parts = [
        f"CASE WHEN e.best_{leg} > 0 THEN {weight}::float8 "
        f"* greatest(f.{leg}, CASE WHEN f.{leg} IS NULL THEN e.last_{leg} END, 0) / e.best_{leg} ELSE 0 END"
        for leg, weight in (("lexical", LEXICAL_WEIGHT), ("semantic", SEMANTIC_WEIGHT))
    ]
    return " + ".join(parts)


def _lexical_scores(arguments: Arguments, query: Query) -> str:
    if query.words is None:
        return _NOTHING
    terms, score = query.words.arguments(arguments)
    return f"""
            SELECT p.chunk_number, sum({score})::float8 AS score
            FROM {terms} JOIN postings AS p ON p.term_id = t.id
            WHERE p.chunk_number = ANY ((SELECT lexical FROM missing)::integer[])
            GROUP BY p.chunk_number"""


def _semantic_scores(query: Query) -> str:
    if query.meaning is None:
        return _NOTHING
    return f"""
            SELECT e.chunk_number, -(e.embedding <#> {nearest.VECTOR}) AS score
            FROM {query.meaning.table} AS e WHERE e.chunk_number = ANY ((SELECT semantic FROM missing)::integer[])"""
