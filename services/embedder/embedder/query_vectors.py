"""Vectors of queries asked lately: people page, sort and filter with one query, and programs ask the same ones."""

from collections import OrderedDict
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from embedder import metrics
from embedder.providers.embedder import Embedder

Vector = NDArray[np.float32]


@dataclass
class QueryVectors:
    """At most ``size`` of them, the longest unused forgotten first; 0 keeps none. Two KB each with 384 dimensions."""

    size: int = 0
    _kept: OrderedDict[tuple[str, str], Vector] = field(default_factory=OrderedDict[tuple[str, str], Vector])

    async def of(self, embedder: Embedder, text: str) -> Vector:
        """Raises TryAgain when the model cannot be loaded."""
        key = (embedder.name, " ".join(text.split()))
        if key in self._kept:
            self._kept.move_to_end(key)
            metrics.query_vectors.labels("kept").inc()
            return self._kept[key]
        metrics.query_vectors.labels("made").inc()
        vector = (await embedder.embed([key[1]]))[0]
        self._kept[key] = vector
        while len(self._kept) > self.size:
            self._kept.popitem(last=False)
        return vector
