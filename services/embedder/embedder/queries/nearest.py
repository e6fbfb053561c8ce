"""SQL of the nearest chunks by vectors: by looking at each, by the vector index, or by an index over single bits.

The limits of legs over everything are written into the statements: with an argument in its place Postgres would expect
a tenth of all rows and plan every search anew.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embedder.queries.models import embeddings_table
from embedder.queries.scope import Arguments, Filters, spoken, within

VECTOR = "(SELECT vector FROM meaning)"
# Candidates by bits for each one wanted: bits alone put the best 200 among the first 800 or so.
_CANDIDATES = 4


@dataclass(frozen=True)
class Nearest:
    """The vector of a query by the model with this id; ``bits``: its dimensions where the model's index is over single
    bits."""

    model_id: int
    vector: NDArray[np.float32]
    bits: int | None = None

    @property
    def table(self) -> str:
        return embeddings_table(self.model_id)

    def sql(self, arguments: Arguments) -> str:
        """SQL of a row with the ``vector``, to be made a CTE ``meaning``: read once, not for every row."""
        return f"SELECT {arguments.add(vector_text(self.vector))}::text::halfvec AS vector"


def vector_text(vector: NDArray[np.float32]) -> str:
    """What Postgres reads as a halfvec."""
    return "[" + ",".join([f"{value:.5g}" for value in vector.tolist()]) + "]"


def exactly(arguments: Arguments, filters: Filters, wanted: Nearest, limit: int) -> str:
    """SQL of (chunk_number, score by cosine), the best first, by looking at every chunk of ``scope``; for few chunks.

    Asset by asset, because no plan made for all searches can know how few they are.
    """
    score = f"-(e.embedding <#> {VECTOR})"
    if filters.speaker is None:
        source = f"""
            scope AS s CROSS JOIN LATERAL (
                SELECT e.chunk_number, {score} AS score FROM {wanted.table} AS e
                WHERE e.asset_number = s.number OFFSET 0
            ) AS n"""
    else:
        # Few speak, or few may be read: which of both leads is left to the planner.
        source = f"""(
                SELECT e.chunk_number, {score} AS score FROM {wanted.table} AS e
                WHERE e.asset_number IN (SELECT number FROM scope) {spoken(arguments, filters, "e.chunk_number")}
            ) AS n"""
    return (
        f"SELECT n.chunk_number, n.score FROM {source} WHERE (SELECT few FROM reach) ORDER BY 2 DESC, 1 LIMIT {limit:d}"
    )


def by_index(arguments: Arguments, filters: Filters, wanted: Nearest, limit: int) -> str:
    """SQL as of ``exactly`` by HNSW, not quite in order; ``hnsw.ef_search`` says how far it looks.

    IS TRUE keeps the scope a hashed filter of the index scan; as a join it would make the planner sort everything.
    """
    scope = f"(SELECT NOT few FROM reach) AND ({within('e.asset_number')}) IS TRUE"
    scope += f" {spoken(arguments, filters, 'e.chunk_number')}"
    if wanted.bits is None:
        distance = f"e.embedding <#> {VECTOR}"
        return (
            f"SELECT e.chunk_number, -({distance}) AS score FROM {wanted.table} AS e WHERE {scope} "
            f"ORDER BY {distance} LIMIT {limit:d}"
        )
    # Many by single bits, the best of them by the vectors.
    bits = f"bit({wanted.bits:d})"
    return f"""
        SELECT n.chunk_number, -(n.embedding <#> {VECTOR}) AS score
        FROM (
            SELECT e.chunk_number, e.embedding FROM {wanted.table} AS e WHERE {scope}
            ORDER BY binary_quantize(e.embedding)::{bits} <~> (SELECT binary_quantize({VECTOR})::{bits})
            LIMIT {limit * _CANDIDATES:d}
        ) AS n
        ORDER BY score DESC, n.chunk_number LIMIT {limit:d}"""
