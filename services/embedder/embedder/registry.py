"""The models that this process has at hand: which one search uses, and what every new chunk is embedded by."""

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

import numpy as np
from common.db import Database
from common.errors import CannotProcess, TryAgain
from common.logs import get_logger

from embedder.providers.embedder import Embedder, Remote, Resting, Vectors
from embedder.queries import models
from embedder.queries.models import ModelRow

log = get_logger()

# How long a search may go on with the model before; its table is kept much longer (`background.DROP_SECONDS`).
_TRUSTED_SECONDS = 1.0
_PROBE = "How many dimensions?"
# What a column of type halfvec holds, and what its vector index takes.
MOST_DIMENSIONS = 16_000
MOST_INDEXED = 4_000
Open = Callable[[str], Embedder]


@dataclass(frozen=True)
class Current:
    """The model in use; ``row`` is None before anything was indexed."""

    embedder: Embedder
    row: ModelRow | None

    @property
    def name(self) -> str:
        return self.embedder.name

    @property
    def quantised(self) -> bool:
        return self.row is not None and self.row.quantised


class Registry:
    """Opens each model once. ``first`` names the model of an index that has none."""

    def __init__(self, db: Database, open_model: Open, first: str, *, quantised: bool = False) -> None:
        """``open_model`` raises ValueError for what this installation does not have; ``quantised``: the first one."""
        self.db = db
        self.first = first
        self._quantised = quantised
        self._open = open_model
        self._opened: dict[str, Embedder] = {}
        self._current: Current | None = None
        self._read_at = 0.0

    def embedder(self, name: str) -> Embedder:
        """Raises CannotProcess when this installation does not have it (any more)."""
        if name not in self._opened:
            try:
                self._opened[name] = self._open(name)
            except ValueError as error:
                raise CannotProcess(
                    str(error),
                    category="engine_unavailable",
                    advice=getattr(error, "advice", None) or "Choose another model: earshot reindex --model NAME",
                    retryable=True,
                ) from error
        return self._opened[name]

    async def current(self) -> Current:
        """As of a second ago at most. Raises CannotProcess."""
        if self._current is None or monotonic() - self._read_at > _TRUSTED_SECONDS:
            read_at = monotonic()
            async with self.db.acquire() as conn:
                row = await models.read_current(conn)
            self._current = Current(self.embedder(row.name if row else self.first), row)
            self._read_at = read_at
        return self._current

    async def live(self) -> list[ModelRow]:
        """Every model to write to, the current one first; the first of all is registered by whoever comes first.

        Raises TryAgain, CannotProcess.
        """
        async with self.db.acquire() as conn:
            rows = await models.read_live(conn)
        if rows and rows[0].state == "current":
            return rows
        dimensions = (await measure(self.embedder(self.first))).shape[1]
        async with self.db.transaction() as conn:
            await models.register_model(conn, self.first, dimensions, quantised=self._quantised)
            return await models.read_live(conn)

    async def embed(self, row: ModelRow, texts: list[str]) -> Vectors:
        """Vectors that fit the model's table. Raises TryAgain, CannotProcess."""
        vectors = await self.embedder(row.name).embed(texts)
        if vectors.shape != (len(texts), row.dimensions):
            raise CannotProcess(
                f"The model {row.name} gives {vectors.shape[1]} dimensions, but its index has {row.dimensions}.",
                category="engine_unavailable",
                advice="It is another model by now: drop it and prepare it again (earshot reindex --drop, --model).",
                retryable=True,
            )
        return vectors

    def release_idle(self, seconds: float) -> None:
        for embedder in self._opened.values():
            if isinstance(embedder, Resting):
                embedder.release_idle(seconds)

    async def close(self) -> None:
        for embedder in self._opened.values():
            if isinstance(embedder, Remote):
                await embedder.close()


async def measure(embedder: Embedder) -> Vectors:
    """One vector, to see that the model works and what shape it gives. Raises TryAgain, CannotProcess."""
    vectors = await embedder.embed([_PROBE])
    if not np.isfinite(vectors).all():
        raise TryAgain(f"The model {embedder.name} does not compute.", category="engine_unavailable")
    return vectors
