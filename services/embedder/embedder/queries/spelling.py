"""Which words of a query are known to its asker, which words of the vocabulary are near the others, and how readable
passages write those."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from common.db import Connection

from embedder.domain.near import Candidate

# More candidates than this have nothing to tell the likely from the unlikely.
_CANDIDATES = 60
_SAMPLES = 3
_LOOKED_AT = 2000
# A word in more chunks than this is known to everybody: looking for one that the asker may read could take long.
COMMON_CHUNKS = 1000


@dataclass(frozen=True)
class KnownTerm:
    """``df`` counts all chunks; ``readable``: the asker may read at least one of them."""

    id: int
    term: str
    df: int
    readable: bool


@dataclass(frozen=True)
class Sample:
    """A readable passage that holds the term."""

    term_id: int
    content: str
    language: str | None


# Of posting ``p``: whether user $1 may read it.
READABLE = """
    SELECT FROM indexed_assets AS a JOIN gateway.asset_scope AS s ON s.asset_id = a.asset_id
    JOIN gateway.access AS x ON x.collection_id = s.collection_id
    WHERE a.number = p.asset_number AND x.user_id = $1 AND NOT s.deleted
"""


async def known_terms(conn: Connection, user_id: UUID, terms: Sequence[str]) -> list[KnownTerm]:
    rows = await conn.fetch(
        f"""
        SELECT t.id, t.term, t.df, t.df > {COMMON_CHUNKS} OR EXISTS (
            SELECT FROM postings AS p WHERE p.term_id = t.id AND EXISTS ({READABLE})
        ) AS readable
        FROM (
            SELECT t.id, t.term,
                (t.df + (SELECT coalesce(sum(d.chunks), 0) FROM term_deltas AS d WHERE d.term_id = t.id))::integer AS df
            FROM terms AS t WHERE t.term = ANY((SELECT $2::text[])::text[])
        ) AS t WHERE t.df > 0
        """,
        user_id,
        terms,
    )
    return [KnownTerm(**row) for row in rows]


async def near_terms(conn: Connection, user_id: UUID, words: Sequence[str]) -> list[Candidate]:
    """For each word the terms that share a key with it and that the user may read, the most frequent first."""
    rows = await conn.fetch(
        f"""
        SELECT w.word, t.id, t.term, t.df, coalesce(sound_key(t.term) = sound_key(w.word), false) AS alike
        FROM unnest($2::text[]) AS w (word) CROSS JOIN LATERAL (
            SELECT t.id, t.term,
                (t.df + (SELECT coalesce(sum(d.chunks), 0) FROM term_deltas AS d WHERE d.term_id = t.id))::integer AS df
            FROM terms AS t WHERE t.near && near_keys(w.word) AND t.term <> w.word
            ORDER BY df DESC LIMIT {_CANDIDATES}
        ) AS t
        WHERE t.df > 0 AND (t.df > {COMMON_CHUNKS} OR EXISTS (
            SELECT FROM postings AS p WHERE p.term_id = t.id AND EXISTS ({READABLE})))
        """,
        user_id,
        words,
    )
    return [Candidate(**row) for row in rows]


async def read_samples(conn: Connection, user_id: UUID, term_ids: Sequence[int]) -> list[Sample]:
    """Some passages of each term that the user may read."""
    rows = await conn.fetch(
        f"""
        SELECT t.id AS term_id, k.content, k.language FROM unnest($2::integer[]) AS t (id) CROSS JOIN LATERAL (
            SELECT c.content, i.language
            FROM (SELECT chunk_number, asset_number FROM postings WHERE term_id = t.id LIMIT {_LOOKED_AT}) AS p
            JOIN chunks AS c ON c.number = p.chunk_number JOIN indexed_assets AS i ON i.asset_id = c.asset_id
            WHERE EXISTS ({READABLE}) LIMIT {_SAMPLES}
        ) AS k
        """,
        user_id,
        term_ids,
    )
    return [Sample(**row) for row in rows]
