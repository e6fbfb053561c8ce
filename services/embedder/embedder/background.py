"""By the clock: term statistics are folded in, and an idle model gives its memory back."""

from dataclasses import dataclass

from common.db import Database

from embedder import metrics
from embedder.providers.minilm import MiniLm
from embedder.queries import results, terms


@dataclass(frozen=True)
class Upkeep:
    """Jobs that any process may run at any time; of several at once only one does the work."""

    db: Database
    model: MiniLm
    model_idle_seconds: float

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

    async def release_model(self) -> None:
        self.model.release_idle(self.model_idle_seconds)
