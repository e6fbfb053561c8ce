"""Changing the model: another one is prepared beside the one in use, exchanged for it at one moment, and one of the
two given up later. Search goes on all the while."""

from dataclasses import dataclass

from common.db import Connection, Database
from common.errors import CannotProcess, conflict, invalid, not_found
from common.logs import get_logger

from embedder.providers.catalogue import UnknownModel, full_name
from embedder.queries import backfill, models
from embedder.queries.backfill import Progress
from embedder.queries.models import ModelRow
from embedder.queries.vector_indexes import Sizes, read_sizes
from embedder.registry import MOST_DIMENSIONS, MOST_INDEXED, Registry, measure
from embedder.vector_index import VectorIndexes

log = get_logger()

# Chunks that one worker claims at once: some seconds of work for a model on the processor.
BATCH_CHUNKS = 128
_NOTHING = Progress(0, 0, 0, 0)


@dataclass(frozen=True)
class Standing:
    """A model with how far it is; ``chunks`` of the whole index."""

    row: ModelRow
    progress: Progress
    sizes: Sizes
    chunks: int

    @property
    def fraction(self) -> float:
        """Of the chunks that it has to embed, 0 to 1."""
        done, batches = self.progress.batches_done, self.progress.batches
        if self.row.state in ("ready", "current"):
            return 1.0
        return done / batches if batches else 0.0


@dataclass(frozen=True)
class Exchange:
    """What an administrator does with models."""

    db: Database
    models: Registry
    indexes: VectorIndexes
    batch_chunks: int = BATCH_CHUNKS

    async def list_all(self) -> list[Standing]:
        async with self.db.acquire() as conn:
            rows = await models.list_models(conn)
            progress = await backfill.read_progress(conn)
            chunks = await backfill.count_chunks(conn)
            sizes = {row.id: await read_sizes(conn, row) for row in rows}
        return [Standing(row, progress.get(row.id, _NOTHING), sizes[row.id], chunks) for row in rows]

    async def read(self, model_id: int) -> Standing:
        """Raises ApiError 404."""
        for standing in await self.list_all():
            if standing.row.id == model_id:
                return standing
        raise not_found("There is no such model.", advice="List them: GET /api/admin/models.")

    async def prepare(self, wish: str, *, quantised: bool, switch: bool) -> tuple[int, bool]:
        """The model's id, and whether it is new. Asking again for one that is there only says whether to switch.

        Raises ApiError 409, 422, TryAgain.
        """
        name, dimensions = await self._measured(wish, quantised=quantised)
        # Nobody prepares another model before the index has one.
        await self.models.live()
        async with self.db.transaction() as conn:
            await models.take_registry(conn)
            known = await models.find_model(conn, name)
            if known is not None and not known.live:
                raise conflict(f"{name} is being dropped.", advice="Ask again in half a minute.")
            if known is not None and known.quantised != quantised:
                raise conflict(
                    f"{name} is there {'with' if known.quantised else 'without'} quantisation.",
                    advice="Drop it first, or ask for it as it is.",
                )
            model_id = known.id if known else await models.register_model(conn, name, dimensions, quantised=quantised)
            if known is None:
                await backfill.plan(conn, model_id, self.batch_chunks)
            if known is None or known.state != "current":
                await models.wish_switch(conn, model_id, wished=switch)
                if switch and known is not None and known.state == "ready":
                    await self._switch(conn, known)
        log.info("model_asked_for", model=name, new=known is None)
        return model_id, known is None

    async def _measured(self, wish: str, *, quantised: bool) -> tuple[str, int]:
        """Raises ApiError 422 for a model that does not work here, TryAgain for one that is away."""
        try:
            name = full_name(wish)
            dimensions = (await measure(self.models.embedder(name))).shape[1]
        except UnknownModel as error:
            raise invalid(f"model: {error}", advice=error.advice) from error
        except CannotProcess as error:
            raise invalid(f"model: {error.message}", advice=error.advice) from error
        if dimensions > (MOST_DIMENSIONS if quantised else MOST_INDEXED):
            raise invalid(
                f"model: its vectors have {dimensions} dimensions; an index takes at most {MOST_INDEXED}, "
                f"a quantised one {MOST_DIMENSIONS}.",
                advice="Ask for fewer (openai:<model>@<dimensions>), or for quantised: true.",
            )
        return name, dimensions

    async def switch(self, model_id: int) -> None:
        """To a model that is ready, forth or back. Again for the current one: nothing. Raises ApiError 404, 409."""
        async with self.db.transaction() as conn:
            await models.take_registry(conn)
            row = await self._row(conn, model_id)
            if row.state == "current":
                return
            if row.state != "ready":
                raise conflict(
                    f"{row.name} is not ready ({row.state}).", advice="Wait until its state is ready, then ask again."
                )
            await self._switch(conn, row)

    async def _switch(self, conn: Connection, row: ModelRow) -> None:
        await models.switch(conn, row.id)
        log.info("model_switched", model=row.name)

    async def drop(self, model_id: int) -> None:
        """Also one that is being prepared: that ends it. Raises ApiError 404, 409 for the current one."""
        async with self.db.transaction() as conn:
            await models.take_registry(conn)
            row = await self._row(conn, model_id)
            if row.state == "current":
                raise conflict(f"{row.name} is in use.", advice="Switch to another model first.")
            if row.live:
                await models.give_up(conn, row.id)
        log.info("model_given_up", model=row.name)

    async def _row(self, conn: Connection, model_id: int) -> ModelRow:
        row = await models.read_model(conn, model_id)
        if row is None:
            raise not_found("There is no such model.", advice="List them: GET /api/admin/models.")
        return row
