"""What a reranker offers to search."""

from collections.abc import Sequence
from typing import Protocol


class Reranker(Protocol):
    """Reads a question and a passage together, which is slower and better than comparing their vectors."""

    async def scores(self, query: str, texts: Sequence[str]) -> list[float]:
        """How well each text answers the query, 0 to 1, in the order of ``texts``. Raises TryAgain when it cannot."""
        ...

    async def close(self) -> None: ...
