"""Which reranker the settings ask for."""

from embedder.providers.reranker import Reranker
from embedder.providers.reranker_http import HttpReranker
from embedder.providers.reranker_onnx import OnnxReranker
from embedder.settings import EmbedderSettings


def reranker(s: EmbedderSettings) -> Reranker | None:
    if s.rerank == "onnx" and s.rerank_dir is not None:
        return OnnxReranker(s.rerank_dir, threads=s.threads)
    if s.rerank in ("cohere", "tei"):
        return HttpReranker(
            s.rerank_url,
            dialect=s.rerank,
            model=s.rerank_model,
            api_key=s.rerank_api_key.get_secret_value(),
            seconds=s.rerank_seconds,
            batch=s.rerank_batch,
        )
    return None
