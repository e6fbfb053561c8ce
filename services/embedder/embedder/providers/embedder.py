"""What an embedding model offers to indexing and search."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]


class Embedder(Protocol):
    """Turns text into vectors of unit length, so that their inner product is the cosine."""

    @property
    def name(self) -> str:
        """Identifies model and version: vectors of two names are never compared."""
        ...

    @property
    def dimensions(self) -> int:
        """Known at the latest once something was embedded. Raises LookupError before."""
        ...

    @property
    def max_tokens(self) -> int:
        """Longer texts are cut by the model; the marks it adds itself are not counted. May load it: ask in a thread."""
        ...

    def count_tokens(self, texts: list[str]) -> list[int]:
        """Tokens of each text as the model sees them. Takes processor time: call it from a thread."""
        ...

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """One row per text, shape (len(texts), dimensions).

        Raises TryAgain when the model cannot be had at the moment, CannotProcess when it refuses.
        """
        ...


@runtime_checkable
class Resting(Protocol):
    """A model that takes memory of this process, and gives it back when it is idle."""

    def release_idle(self, seconds: float) -> None: ...


@runtime_checkable
class Remote(Protocol):
    """A model elsewhere, with connections to close."""

    async def close(self) -> None: ...


def unit(vectors: Vectors) -> Vectors:
    """Rows brought to unit length; none of them may be zero."""
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
