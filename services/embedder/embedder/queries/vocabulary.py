"""What a search must know before its legs, in one statement: sizes, its terms, and what it names by title or address.

It is asked before the search's snapshot, because spelling and the query's vector wait for it and no transaction is held
meanwhile. So it only weighs and proposes; who may read what is decided in the snapshot.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from common.db import Connection

from embedder.domain.words import language_code
from embedder.queries.scope import Arguments, Filters, allowed, spoken
from embedder.queries.spelling import COMMON_CHUNKS, READABLE, KnownTerm

_TITLES = 20


@dataclass(frozen=True)
class TitleMatch:
    """An asset whose title or address may be what was asked for, and its first chunk."""

    asset_id: UUID
    title: str
    language: str | None
    chunk_number: int


@dataclass(frozen=True)
class Named:
    """What an asset may be named by: ``address``, or else ``words`` that share a key with its title."""

    words: Sequence[str] = ()
    address: str | None = None


@dataclass(frozen=True)
class Bearings:
    """Sizes count chunks, ``corpus_length`` words that count. ``terms`` are those that any chunk holds."""

    languages: tuple[str, ...]
    model_id: int | None
    corpus_chunks: int
    corpus_length: int
    terms: tuple[KnownTerm, ...]
    titles: tuple[TitleMatch, ...]

    @property
    def codes(self) -> frozenset[str]:
        return frozenset(language_code(language) for language in self.languages)


async def take_bearings(
    conn: Connection,
    user_id: UUID,
    filters: Filters,
    model: str,
    terms: Sequence[str],
    *,
    doubtable: Sequence[str] = (),
    named: Named | None = None,
) -> Bearings:
    """``doubtable``: the terms of which it matters whether the user may read them; ``named``: None looks for none."""
    arguments = Arguments()
    arguments.add(user_id)  # READABLE's $1
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
        ), terms_asked AS (
            SELECT t.id, t.term,
                (t.df + (SELECT coalesce(sum(d.chunks), 0) FROM term_deltas AS d WHERE d.term_id = t.id))::integer AS df
            FROM terms AS t WHERE t.term = ANY((SELECT {arguments.add(terms)}::text[])::text[])
        )
        SELECT ARRAY(SELECT language FROM languages WHERE language IS NOT NULL) AS languages,
            (SELECT id FROM embedding_models WHERE name = {arguments.add(model)}) AS model_id,
            (c.chunks + p.chunks)::bigint AS corpus_chunks, (c.length + p.length)::bigint AS corpus_length,
            ARRAY(
                SELECT ROW(t.id, t.term, t.df, t.df > {COMMON_CHUNKS} OR (
                    t.term = ANY((SELECT {arguments.add(doubtable)}::text[])::text[])
                    AND EXISTS (SELECT FROM postings AS p WHERE p.term_id = t.id AND EXISTS ({READABLE}))
                ))
                FROM terms_asked AS t WHERE t.df > 0
            ) AS terms,
            {_titles(arguments, user_id, filters, named)} AS titles
        FROM corpus AS c, pending AS p
        """,
        *arguments.values,
    )
    assert row is not None
    *sizes, terms_found, titles = row
    languages, model_id, corpus_chunks, corpus_length = sizes
    return Bearings(
        tuple(languages),
        model_id,
        corpus_chunks,
        corpus_length,
        tuple(KnownTerm(*found) for found in terms_found),
        tuple(TitleMatch(*match) for match in titles),
    )


def _titles(arguments: Arguments, user_id: UUID, filters: Filters, named: Named | None) -> str:
    """SQL of an array of rows as ``TitleMatch`` has them, the best first."""
    if named is None:
        return "ARRAY[]::record[]"
    if named.address is not None:
        wanted = arguments.add(named.address)
        # The shortest first.
        condition, order = f"position({wanted} IN lower(o.url)) > 0", "length(o.url)"
    else:
        # As a subquery it is computed once, not for every row.
        keys = f"(SELECT title_keys({arguments.add(' '.join(named.words))}))"
        # Those that share most first.
        order = f"cardinality(ARRAY(SELECT unnest(i.title_keys) INTERSECT SELECT unnest({keys}))) DESC"
        condition = f"i.title_keys && {keys}"
    return f"""
        ARRAY(
            SELECT ROW(m.asset_id, m.title, m.language, k.number)
            FROM (
                SELECT i.asset_id, i.title, i.language, row_number() OVER (ORDER BY {order}, i.number DESC) AS place
                FROM indexed_assets AS i JOIN gateway.asset_scope AS o ON o.asset_id = i.asset_id
                WHERE {condition} AND i.number IN ({allowed(arguments, user_id, filters)})
                ORDER BY place LIMIT {_TITLES}
            ) AS m CROSS JOIN LATERAL (
                SELECT k.number FROM chunks AS k
                WHERE k.asset_id = m.asset_id {spoken(arguments, filters, "k.number")}
                ORDER BY k.chunk_index LIMIT 1
            ) AS k
            ORDER BY m.place
        )
    """
