"""Wiring of the embedder: what it hears, serves and does by the clock."""

from common import lifecycle
from common.events import (
    AssetDeleted,
    AssetUpdated,
    ProcessingCancelled,
    ProcessingRestarted,
    TranscriptCompleted,
    TranscriptRevised,
)
from common.service import Service

from embedder.api.chunks import ChunksApi
from embedder.api.embeddings import EmbeddingsApi
from embedder.api.exchange import ExchangeApi
from embedder.api.retrieval import RetrievalApi
from embedder.api.search import SearchApi
from embedder.backfill import Backfill
from embedder.background import Upkeep
from embedder.exchange import Exchange
from embedder.handlers import Handlers
from embedder.indexing import Indexer
from embedder.line_vectors import LineVectors
from embedder.providers.catalogue import full_name, open_model
from embedder.providers.rerankers import reranker
from embedder.query_vectors import QueryVectors
from embedder.registry import Registry
from embedder.reranking import Reranking
from embedder.searching import Search
from embedder.settings import EmbedderSettings
from embedder.vector_index import VectorIndexes

_FORGET_SECONDS = 600.0
_FORGET_RESULTS_SECONDS = 60.0


def build(settings: EmbedderSettings | None = None) -> Service:
    s = settings or EmbedderSettings()  # pyright: ignore[reportCallIssue]
    service = Service("embedder", s)
    db, store = service.db, service.store

    models = Registry(db, lambda name: open_model(name, s), full_name(s.model), quantised=s.quantised)
    indexes = VectorIndexes(db, from_rows=s.index_from_chunks, memory_mb=s.index_memory_mb)
    handlers = Handlers(db, Indexer(db, store, models, s.chunk_tokens, s.batch_chunks))
    reranking = Reranking(reranker(s), s.rerank_top_k)
    search = Search(db, models, s.ef_search, s.exact_chunks, QueryVectors(s.query_vectors), reranking)
    upkeep = Upkeep(db, models, s.model_idle_seconds)
    backfill = Backfill(db, models, indexes, s.batch_chunks, s.backfill_at_once, s.backfill_lease_seconds)

    service.on_stop(reranking.close)
    service.hear(TranscriptCompleted, handlers.index_transcript)
    service.hear(TranscriptRevised, handlers.index_correction)
    service.hear(ProcessingRestarted, handlers.index_again)
    service.hear(ProcessingCancelled, lifecycle.cancel())
    service.hear(AssetUpdated, handlers.follow_asset)
    service.hear(AssetDeleted, lifecycle.purge(db, store, handlers.erase))

    service.serve(SearchApi(search).routes())
    service.serve(RetrievalApi(search).routes())
    service.serve(ChunksApi(db).routes())
    service.serve(EmbeddingsApi(models, LineVectors(s.line_vectors)).routes())
    service.serve(ExchangeApi(Exchange(db, models, indexes)).routes())

    service.background(upkeep.fold_statistics, every_seconds=s.fold_seconds)
    service.background(upkeep.forget_results, every_seconds=_FORGET_RESULTS_SECONDS)
    service.background(upkeep.forget_words, every_seconds=_FORGET_SECONDS)
    service.background(upkeep.drop_models, every_seconds=5)
    service.background(upkeep.release_model, every_seconds=30, role="both")
    service.background(backfill.run, every_seconds=2)
    service.background(indexes.tend, every_seconds=30)
    service.on_stop(models.close)
    return service


def main() -> None:
    build().run()


if __name__ == "__main__":
    main()
