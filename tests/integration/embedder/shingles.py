"""A second model for tests: texts are alike that share pairs of letters. Cheap, and nothing like MiniLM."""

import zlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from embedder.providers.embedder import Vectors


@dataclass
class Shingles:
    """``texts``: all that were embedded. ``before`` is awaited with every request, and may raise."""

    name: str = "shingles"
    dimensions: int = 64
    max_tokens: int = 254
    texts: list[str] = field(default_factory=list[str])
    before: Callable[[Sequence[str]], Awaitable[None]] | None = None

    def count_tokens(self, texts: list[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    async def embed(self, texts: Sequence[str]) -> Vectors:
        if self.before is not None:
            await self.before(texts)
        self.texts += texts
        vectors = np.full((len(texts), self.dimensions), 1e-3, np.float32)
        for row, text in enumerate(texts):
            for first, second in zip(text.lower(), text.lower()[1:], strict=False):
                vectors[row, zlib.crc32((first + second).encode()) % self.dimensions] += 1
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
