"""Vectors of lines that another service compared lately: questions about one recording are shown the same passages."""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from embedder import metrics
from embedder.providers.embedder import Embedder, Vectors


@dataclass(frozen=True)
class Embedded:
    """One row per text, and how many tokens the texts have together."""

    vectors: Vectors
    tokens: int


@dataclass(frozen=True)
class _Kept:
    vector: NDArray[np.float32]
    tokens: int


async def embed(embedder: Embedder, texts: Sequence[str]) -> Embedded:
    """Raises TryAgain, and CannotProcess, as the model."""
    vectors = await embedder.embed(texts)
    return Embedded(vectors, sum(await asyncio.to_thread(embedder.count_tokens, list(texts))))


@dataclass
class LineVectors:
    """At most ``size`` of them, the longest unused forgotten first; 0 keeps none. Two KB each with 384 dimensions.

    Texts themselves are not kept, only their digests.
    """

    size: int = 0
    _kept: OrderedDict[bytes, _Kept] = field(default_factory=OrderedDict[bytes, _Kept])

    async def embed(self, embedder: Embedder, texts: Sequence[str]) -> Embedded:
        """As `embed`, of which only those are asked for that are not kept."""
        keys = [_digest(embedder.name, text) for text in texts]
        known = {key: self._kept[key] for key in keys if key in self._kept}
        lacking = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        metrics.line_vectors.labels("kept").inc(len(keys) - len(lacking))
        metrics.line_vectors.labels("made").inc(len(lacking))
        if lacking:
            known |= await self._make(embedder, lacking)
        self._remember({key: known[key] for key in keys})
        found = [known[key] for key in keys]
        return Embedded(np.stack([one.vector for one in found]), sum(one.tokens for one in found))

    async def _make(self, embedder: Embedder, lacking: dict[bytes, str]) -> dict[bytes, _Kept]:
        texts = list(lacking.values())
        vectors = await embedder.embed(texts)
        tokens = await asyncio.to_thread(embedder.count_tokens, texts)
        # Copies: a row would hold on to the memory of all.
        return {key: _Kept(vectors[row].copy(), tokens[row]) for row, key in enumerate(lacking)}

    def _remember(self, used: dict[bytes, _Kept]) -> None:
        for key, kept in used.items():
            self._kept[key] = kept
            self._kept.move_to_end(key)
        while len(self._kept) > self.size:
            self._kept.popitem(last=False)


def _digest(model: str, text: str) -> bytes:
    return hashlib.blake2b(f"{model}\n{text}".encode("utf-8", "surrogatepass"), digest_size=16).digest()
