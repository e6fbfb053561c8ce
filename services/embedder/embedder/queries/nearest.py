"""The nearest chunks where the vector index is over single bits: many by those, the best of them by the vectors."""

from uuid import UUID

import numpy as np
from common.db import Connection
from numpy.typing import NDArray

from embedder.queries.models import ModelRow
from embedder.queries.scope import Arguments, Filters, allowed, spoken
from embedder.queries.search import vector_text

# Candidates by bits for each one wanted: bits alone put the best 200 among the first 800 or so.
_CANDIDATES = 4


async def nearest_by_bits(
    conn: Connection, user_id: UUID, filters: Filters, model: ModelRow, vector: NDArray[np.float32], limit: int
) -> list[tuple[int, float]]:
    """As ``search.nearest_by_index``: (number, cosine), best first; ``take_bearings`` set how far the index looks."""
    arguments = Arguments()
    wanted = arguments.add(vector_text(vector))
    bits = f"bit({model.dimensions:d})"
    scope = allowed(arguments, user_id, filters)
    rows = await conn.fetch(
        f"""
        SELECT n.chunk_number, -(n.embedding <#> (SELECT {wanted}::text::halfvec)) AS score
        FROM (
            SELECT e.chunk_number, e.embedding FROM {model.table} AS e
            WHERE (e.asset_number IN ({scope})) IS TRUE {spoken(arguments, filters, "e.chunk_number")}
            ORDER BY binary_quantize(e.embedding)::{bits}
                <~> (SELECT binary_quantize({wanted}::text::halfvec)::{bits})
            LIMIT {arguments.add(limit * _CANDIDATES)}
        ) AS n
        ORDER BY score DESC, n.chunk_number LIMIT {arguments.add(limit)}
        """,
        *arguments.values,
    )
    return [(row["chunk_number"], row["score"]) for row in rows]
