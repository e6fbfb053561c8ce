"""Vectors of a model that came later, for the chunks that were there before it: batch by batch, by any number of
workers, each batch once."""

import asyncio
from dataclasses import dataclass
from uuid import uuid4

import numpy as np
from common.db import Database
from common.errors import CannotProcess, TryAgain
from common.logs import get_logger

from embedder import metrics
from embedder.domain import copying
from embedder.domain.entries import embedded_text
from embedder.providers.embedder import Vectors
from embedder.queries import backfill, chunks, models
from embedder.queries.backfill import Batch, Missing
from embedder.queries.models import ModelRow
from embedder.registry import Registry
from embedder.vector_index import VectorIndexes

log = get_logger()


@dataclass(frozen=True)
class Backfill:
    """``at_once`` batches are under way in this process; one whose worker died is free after ``lease_seconds``.

    ``batch`` chunks go through the model at once; after trouble with a model its batch waits ``pause_seconds``.
    """

    db: Database
    models: Registry
    indexes: VectorIndexes
    batch: int
    at_once: int = 1
    lease_seconds: float = 180.0
    pause_seconds: float = 15.0

    async def run(self) -> None:
        """Until there is nothing that could be claimed; then models that are complete become ready."""
        await asyncio.gather(*(self._work() for _ in range(self.at_once)))
        await self.complete()

    async def _work(self) -> None:
        token = uuid4()
        while True:
            async with self.db.transaction() as conn:
                batch = await backfill.claim(conn, token, self.lease_seconds)
                row = await models.read_model(conn, batch.model_id) if batch else None
            if batch is None or row is None:
                return
            await self._fill(batch, row)

    async def _fill(self, batch: Batch, row: ModelRow) -> None:
        try:
            async with self.db.acquire() as conn:
                missing = await backfill.read_missing(conn, batch)
            texts = [embedded_text(one.content, one.lines, one.names) for one in missing]
            with metrics.step("backfill"):
                vectors = await self._embed(row, texts)
            cut = await asyncio.to_thread(self._count_cut, row, texts)
        except (TryAgain, CannotProcess) as trouble:
            await self._note_trouble(batch, row, trouble)
        except asyncio.CancelledError:
            # This process ends: another need not wait for the lease to run out.
            async with self.db.transaction() as conn:
                await backfill.release(conn, batch)
            raise
        else:
            await self._store(batch, missing, vectors, cut)

    async def _embed(self, row: ModelRow, texts: list[str]) -> Vectors:
        made = [np.zeros((0, row.dimensions), np.float32)]
        for begin in range(0, len(texts), self.batch):
            made.append(await self.models.embed(row, texts[begin : begin + self.batch]))
        return np.concatenate(made)

    def _count_cut(self, row: ModelRow, texts: list[str]) -> int:
        embedder = self.models.embedder(row.name)
        return sum(count > embedder.max_tokens for count in embedder.count_tokens(texts)) if texts else 0

    async def _note_trouble(self, batch: Batch, row: ModelRow, trouble: TryAgain | CannotProcess) -> None:
        log.warning("backfill_waits", model=row.name, error=trouble.message)
        told = {"category": trouble.category, "message": trouble.message, "advice": trouble.advice}
        async with self.db.transaction() as conn:
            await models.note_error(conn, row.id, told)
            await backfill.release(conn, batch, self.pause_seconds)

    async def _store(self, batch: Batch, missing: list[Missing], vectors: Vectors, cut: int) -> None:
        """What was deleted or embedded by somebody else meanwhile is left out."""
        asset_ids = {one.asset_id for one in missing}
        async with self.db.transaction() as conn:
            # First, as everybody who records does: nothing is written of an asset after it was purged.
            await backfill.lock_assets(conn, list(asset_ids))
            live = {row.id for row in await models.hold_live(conn)}
            still = await backfill.still_missing(conn, batch.model_id, [one.number for one in missing])
            if batch.model_id not in live or not await backfill.finish(conn, batch, len(still), cut):
                return
            kept = [at for at, one in enumerate(missing) if one.number in still]
            rows = copying.embeddings(
                [missing[at].number for at in kept], [missing[at].asset_number for at in kept], vectors[kept]
            )
            await chunks.copy_embeddings(conn, batch.model_id, rows)
            await models.note_error(conn, batch.model_id, None)
        metrics.backfilled.inc(len(kept))

    async def complete(self) -> None:
        """Models to which nothing is missing any more get their vector index, become ready, and current if wished."""
        async with self.db.acquire() as conn:
            rows = await models.list_models(conn)
            full = [row for row in rows if row.state == "preparing" and not await backfill.count_open(conn, row.id)]
        for row in full:
            if await self.indexes.prepare(row):
                await self._make_ready(row)

    async def _make_ready(self, row: ModelRow) -> None:
        async with self.db.transaction() as conn:
            await models.take_registry(conn)
            now = await models.read_model(conn, row.id)
            if now is None or now.state != "preparing" or await backfill.count_open(conn, row.id):
                return
            await models.set_state(conn, row.id, "ready")
            if now.switch_when_ready:
                await models.switch(conn, row.id)
        log.info("model_ready", model=row.name, switched=now.switch_when_ready)
