"""Every variable the embedder reads, with its unit and default."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from common.settings import ServiceSettings, service_config, shared
from pydantic import Field, SecretStr, model_validator


def _cache_dir() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "earshot" / "models"


@dataclass(frozen=True)
class OpenAiSettings:
    """``batch_texts`` go in one request, ``at_once`` requests are under way; ``max_tokens`` of one text."""

    api_key: str = ""
    base_url: str = ""
    max_tokens: int = 8191
    batch_texts: int = 128
    at_once: int = 4
    wait_seconds: float = 30.0


class EmbedderSettings(ServiceSettings):
    """Variables of its own begin with ``EMBEDDER_``."""

    model_config = service_config("EMBEDDER")

    port: int = Field(default=8103, ge=0, le=65535, description="TCP port to listen on")
    model_dir: Path = Field(
        default_factory=_cache_dir,
        validation_alias=shared("model_dir"),
        description="Directory where models are kept once they are prepared; 100 MB",
    )
    model: str = Field(
        default="minilm",
        description="Model of an index that has none yet: minilm, openai:<model> or sentence-transformers:<model>; "
        "later ones are chosen by `earshot reindex`",
    )
    quantised: bool = Field(
        default=False, description="Whether that first model's vector index is over single bits; see docs/models.md"
    )
    openai_api_key: SecretStr = Field(
        default=SecretStr(""),
        description="Key for models by OpenAI or a compatible service; empty where none is needed",
    )
    openai_base_url: str = Field(
        default="", description="Address of any OpenAI-compatible API, with its /v1; empty: OpenAI's own"
    )
    openai_max_tokens: int = Field(
        default=8191, ge=64, description="Tokens that its model reads of one text; longer chunks are not made"
    )
    openai_batch_texts: int = Field(default=128, ge=1, le=2048, description="Most texts in one request to it")
    openai_at_once: int = Field(default=4, ge=1, le=64, description="Requests to it that are under way at once")
    openai_wait_seconds: float = Field(
        default=30, gt=0, le=60, description="Longest wait for one of its answers, seconds"
    )
    threads: int = Field(default=0, ge=0, le=64, description="Threads of one run of the model; 0: one per core")
    model_idle_seconds: float = Field(
        default=120, gt=0, description="Seconds without work after which the model's memory is given back"
    )
    chunk_tokens: int = Field(
        default=240,
        ge=20,
        le=4000,
        description="Tokens of the model in use that a chunk is filled to, at most what it reads; for new recordings",
    )
    batch_chunks: int = Field(default=32, ge=1, le=1000, description="Chunks embedded between two reports of progress")
    ef_search: int = Field(default=100, ge=10, le=1000, description="Candidates the vector index keeps while it looks")
    exact_chunks: int = Field(
        default=4000,
        ge=0,
        description="Of up to this many chunks each is looked at, without the vector index; of more, n, still in "
        "scopes of up to the square root of this times n",
    )
    query_vectors: int = Field(
        default=2000, ge=0, le=1_000_000, description="Vectors of queries kept for when they are asked again; 2 KB each"
    )
    line_vectors: int = Field(
        default=4000,
        ge=0,
        description="Vectors of lines kept for when answers are made from the same passages; 2 KB each",
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
    index_from_chunks: int = Field(
        default=4000, ge=0, description="Models of fewer chunks have no vector index: looking at all is as quick"
    )
    index_memory_mb: int = Field(
        default=256,
        ge=16,
        description="Memory of the database for building a vector index, MB; docs/models.md has the sum",
    )
    backfill_at_once: int = Field(
        default=1, ge=1, le=64, description="Batches that one worker embeds at once when the model is changed"
    )
    backfill_lease_seconds: float = Field(
        default=180, gt=0, description="Seconds after which the batch of a worker that died is taken over by another"
    )
    fold_seconds: float = Field(default=1, gt=0, description="Seconds between two foldings of term statistics")

    @model_validator(mode="after")
    def _reranker_is_somewhere(self) -> "EmbedderSettings":
        if self.rerank in ("cohere", "tei") and not self.rerank_url.startswith(("http://", "https://")):
            raise ValueError(f"EMBEDDER_RERANK={self.rerank} needs EMBEDDER_RERANK_URL, an http or https address")
        if self.rerank == "onnx" and self.rerank_dir is None:
            raise ValueError("EMBEDDER_RERANK=onnx needs EMBEDDER_RERANK_DIR, the directory of a cross-encoder")
        return self

    @property
    def openai(self) -> OpenAiSettings:
        return OpenAiSettings(
            self.openai_api_key.get_secret_value(),
            self.openai_base_url,
            self.openai_max_tokens,
            self.openai_batch_texts,
            self.openai_at_once,
            self.openai_wait_seconds,
        )
