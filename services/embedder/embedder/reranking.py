"""The second look at the best of a search, by a model that reads question and passage together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import monotonic

from common.errors import TryAgain
from common.logs import get_logger

from embedder import metrics
from embedder.domain import ranking
from embedder.domain.ranking import Ranked
from embedder.providers.reranker import Reranker
from embedder.wanted import Wanted

log = get_logger()


@dataclass(frozen=True)
class Reranking:
    """``top``: how many passages the reranker judges. Without a reranker every order stays as it is."""

    reranker: Reranker | None = None
    top: int = 200

    async def close(self) -> None:
        if self.reranker is not None:
            await self.reranker.close()

    def wanted(self, wanted: Wanted) -> bool:
        return self.reranker is not None and wanted.best_first and wanted.mode != "phrase"

    def most(self, wanted: Wanted) -> int:
        """How many the reranker is to judge."""
        return self.top if self.wanted(wanted) else 0

    def judged(self, wanted: Wanted, ranked: Sequence[Ranked]) -> Sequence[Ranked]:
        return ranked[: self.most(wanted)]

    async def order(self, query: str, ranked: list[Ranked], texts: Mapping[int, str]) -> list[Ranked]:
        """``texts`` by chunk number. A reranker that fails leaves the order as it was: a search is still a search."""
        if self.reranker is None or not texts:
            return ranked
        started = monotonic()
        try:
            scores = await self.reranker.scores(query, list(texts.values()))
        except TryAgain as error:
            log.warning("rerank_failed", error=error.message)
            metrics.reranks.labels("failed").observe(monotonic() - started)
            return ranked
        metrics.reranks.labels("done").observe(monotonic() - started)
        return ranking.reranked(ranked, dict(zip(texts, scores, strict=True)))
