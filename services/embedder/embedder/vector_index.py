"""Builds the vector indexes when they pay, beside searching and writing, and measures them."""

from common.db import Database
from common.logs import get_logger

from embedder import metrics
from embedder.domain.tending import Step, next_step
from embedder.queries import models, vector_indexes
from embedder.queries.models import ModelRow
from embedder.registry import MOST_INDEXED

log = get_logger()


class VectorIndexes:
    """``from_rows``: tables of fewer are searched without an index; ``memory_mb`` of the server's for one build."""

    def __init__(self, db: Database, *, from_rows: int, memory_mb: int) -> None:
        self._db = db
        self._from_rows = from_rows
        self._memory_mb = memory_mb
        self._rows_before: dict[int, int] = {}

    async def tend(self) -> None:
        """By the clock: measure every model's table, and do what its next step is."""
        async with self._db.acquire() as conn:
            rows = [row for row in await models.read_live(conn) if row.state != "preparing"]
        for row in rows:
            step = await self._look(row)
            if step is not None:
                await self.work(row, step)

    async def prepare(self, row: ModelRow) -> bool:
        """Before a model is used: its index, if its table is large enough. False while another process builds it."""
        if not indexable(row):
            return True
        async with self._db.acquire() as conn:
            wanted = await vector_indexes.has_rows(conn, row, self._from_rows)
        return await self.work(row, "build") if wanted else True

    async def work(self, row: ModelRow, step: Step) -> bool:
        """Whether it was done; not if another process is at it."""
        async with self._db.alone() as conn:
            if not await vector_indexes.claim_building(conn, row):
                return False
            await vector_indexes.lift_limits(conn, self._memory_mb)
            await vector_indexes.drop_unfinished(conn, row)
            with metrics.builds.labels(step).time():
                await (vector_indexes.build if step == "build" else vector_indexes.rebuild)(conn, row)
            await vector_indexes.note_built(conn, row)
        log.info("vector_index_built", model=row.name, step=step)
        return True

    async def _look(self, row: ModelRow) -> Step | None:
        async with self._db.acquire() as conn:
            now = await vector_indexes.read_facts(conn, row)
            sizes = await vector_indexes.read_sizes(conn, row)
        before, self._rows_before[row.id] = self._rows_before.get(row.id), now.rows
        metrics.vectors.labels(row.state).set(sizes.rows)
        metrics.vector_bytes.labels(row.state, "table").set(sizes.table_bytes)
        metrics.vector_bytes.labels(row.state, "index").set(sizes.index_bytes)
        return next_step(now, before, self._from_rows) if indexable(row) else None


def indexable(row: ModelRow) -> bool:
    """pgvector's limit; single bits may be more."""
    return row.quantised or row.dimensions <= MOST_INDEXED
