"""What an embedding model offers to indexing and search."""

from collections.abc import Sequence
from typing import Protocol

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
    def dimensions(self) -> int: ...

    @property
    def max_tokens(self) -> int:
        """Longer texts are cut by the model; the marks it adds itself are not counted."""
        ...

    def count_tokens(self, texts: list[str]) -> list[int]:
        """Tokens of each text as the model sees them. Takes processor time: call it from a thread."""
        ...

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """One row per text, shape (len(texts), dimensions). Raises TryAgain when the model cannot be loaded."""
        ...
