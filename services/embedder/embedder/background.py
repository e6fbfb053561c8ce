"""By the clock: term statistics are folded in, models that were given up go, and an idle one gives its memory back."""

from dataclasses import dataclass

from common.db import Database

from embedder import metrics
from embedder.queries import models, results, terms
from embedder.registry import Registry

# Longer than any search that began before a model was given up; see registry.
DROP_SECONDS = 20.0


@dataclass(frozen=True)
class Upkeep:
    """Jobs that any process may run at any time; of several at once only one does the work."""

    db: Database
    models: Registry
    model_idle_seconds: float
    drop_seconds: float = DROP_SECONDS

    async def fold_statistics(self) -> None:
        """Until no delta is left. Then forget the words that only deleted chunks held."""
        unused = 0
        while True:
            async with self.db.transaction() as conn:
                folded = await terms.fold_deltas(conn)
            metrics.deltas.inc(folded.deltas)
            unused += folded.unused
            if not folded.deltas:
                break
        if unused:
            await self.forget_words()

    async def forget_words(self) -> None:
        """Words that no chunk holds any more, or never did: their recording was deleted before it was indexed."""
        async with self.db.transaction() as conn:
            await terms.remove_unused_terms(conn)

    async def forget_results(self) -> None:
        async with self.db.transaction() as conn:
            await results.forget_lists(conn)

    async def drop_models(self) -> None:
        """Tables of models that were given up, once nobody can be searching in them any more."""
        async with self.db.transaction() as conn:
            for model_id in await models.given_up(conn, self.drop_seconds):
                await models.take_registry(conn)
                await models.drop_model(conn, model_id)

    async def release_model(self) -> None:
        self.models.release_idle(self.model_idle_seconds)
