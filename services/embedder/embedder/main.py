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
from embedder.api.retrieval import RetrievalApi
from embedder.api.search import SearchApi
from embedder.background import Upkeep
from embedder.handlers import Handlers
from embedder.indexing import Indexer
from embedder.providers.minilm import MiniLm
from embedder.providers.rerankers import reranker
from embedder.query_vectors import QueryVectors
from embedder.reranking import Reranking
from embedder.searching import Search
from embedder.settings import EmbedderSettings

_FORGET_SECONDS = 600.0
_FORGET_RESULTS_SECONDS = 60.0


def build(settings: EmbedderSettings | None = None) -> Service:
    s = settings or EmbedderSettings()  # pyright: ignore[reportCallIssue]
    service = Service("embedder", s)
    db, store = service.db, service.store

    model = MiniLm(s.model_dir, threads=s.threads)
    handlers = Handlers(db, Indexer(db, store, model, s.chunk_tokens, s.batch_chunks))
    reranking = Reranking(reranker(s), s.rerank_top_k)
    search = Search(db, model, s.ef_search, s.exact_chunks, QueryVectors(s.query_vectors), reranking)
    upkeep = Upkeep(db, model, s.model_idle_seconds)

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
    service.serve(EmbeddingsApi(model).routes())

    service.background(upkeep.fold_statistics, every_seconds=s.fold_seconds)
    service.background(upkeep.forget_results, every_seconds=_FORGET_RESULTS_SECONDS)
    service.background(upkeep.forget_words, every_seconds=_FORGET_SECONDS)
    service.background(upkeep.release_model, every_seconds=30, role="both")
    return service


def main() -> None:
    build().run()


if __name__ == "__main__":
    main()
