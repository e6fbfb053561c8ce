"""Every variable the embedder reads, with its unit and default."""

import os
from pathlib import Path
from typing import Literal

from common.settings import ServiceSettings, service_config, shared
from pydantic import Field, SecretStr, model_validator


def _cache_dir() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "earshot" / "models"


class EmbedderSettings(ServiceSettings):
    """Variables of its own begin with ``EMBEDDER_``."""

    model_config = service_config("EMBEDDER")

    port: int = Field(default=8103, ge=0, le=65535, description="TCP port to listen on")
    model_dir: Path = Field(
        default_factory=_cache_dir,
        validation_alias=shared("model_dir"),
        description="Directory where models are kept once they are prepared; 100 MB",
    )
    threads: int = Field(default=0, ge=0, le=64, description="Threads of one run of the model; 0: one per core")
    model_idle_seconds: float = Field(
        default=120, gt=0, description="Seconds without work after which the model's memory is given back"
    )
    chunk_tokens: int = Field(
        default=240, ge=20, le=250, description="Tokens of the model that a chunk is filled to; for new recordings"
    )
    batch_chunks: int = Field(default=32, ge=1, le=1000, description="Chunks embedded between two reports of progress")
    ef_search: int = Field(default=100, ge=10, le=1000, description="Candidates the vector index keeps while it looks")
    exact_chunks: int = Field(
        default=10_000, ge=0, description="Scopes of up to this many chunks are searched without the vector index"
    )
    query_vectors: int = Field(
        default=2000, ge=0, le=1_000_000, description="Vectors of queries kept for when they are asked again; 2 KB each"
    )
    rerank: Literal["off", "cohere", "tei", "onnx"] = Field(
        default="off",
        description="Second look at the best passages: cohere (also Jina, vLLM, LiteLLM) or tei over HTTP, or onnx",
    )
    rerank_url: str = Field(default="", description="Address of the rerank endpoint, for cohere and tei")
    rerank_api_key: SecretStr = Field(
        default=SecretStr(""), description="Key sent to it as bearer token; none when empty"
    )
    rerank_model: str = Field(default="", description="Model named to it, for cohere")
    rerank_dir: Path | None = Field(
        default=None, description="Directory with model.onnx and tokenizer.json of a cross-encoder, for onnx"
    )
    rerank_top_k: int = Field(default=200, ge=1, le=1000, description="Passages of a search that the reranker judges")
    rerank_batch: int = Field(default=32, ge=1, le=1000, description="Passages of one request to the reranker")
    rerank_seconds: float = Field(
        default=5, gt=0, description="Longest wait for one answer of the reranker, seconds; then the order stays"
    )
    fold_seconds: float = Field(default=1, gt=0, description="Seconds between two foldings of term statistics")

    @model_validator(mode="after")
    def _reranker_is_somewhere(self) -> "EmbedderSettings":
        if self.rerank in ("cohere", "tei") and not self.rerank_url.startswith(("http://", "https://")):
            raise ValueError(f"EMBEDDER_RERANK={self.rerank} needs EMBEDDER_RERANK_URL, an http or https address")
        if self.rerank == "onnx" and self.rerank_dir is None:
            raise ValueError("EMBEDDER_RERANK=onnx needs EMBEDDER_RERANK_DIR, the directory of a cross-encoder")
        return self
