"""Passages with what was said around them: a small chunk is found, and read in a larger window."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from common.db import Connection

from embedder.queries.scope import Arguments, Filters, allowed


@dataclass(frozen=True)
class Neighbour:
    """A chunk within the window of the chunk with the number ``around``."""

    around: int
    chunk_index: int
    content: str
    locator: dict[str, Any]


async def read_windows(
    conn: Connection, user_id: UUID, filters: Filters, numbers: Sequence[int], reach: int
) -> list[Neighbour]:
    """The chunks up to ``reach`` places before and behind each of the numbers, these included, in their order."""
    arguments = Arguments()
    wanted, places = arguments.add(list(numbers)), arguments.add(reach)
    rows = await conn.fetch(
        f"""
        SELECT c.number AS around, n.chunk_index, n.content, n.locator
        FROM chunks AS c JOIN indexed_assets AS i ON i.asset_id = c.asset_id
        JOIN chunks AS n ON n.asset_id = c.asset_id
            AND n.chunk_index BETWEEN c.chunk_index - {places}::integer AND c.chunk_index + {places}::integer
        WHERE c.number = ANY({wanted}::integer[]) AND i.number IN ({allowed(arguments, user_id, filters)})
        ORDER BY c.number, n.chunk_index
        """,
        *arguments.values,
    )
    return [Neighbour(**row) for row in rows]
