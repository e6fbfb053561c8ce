"""Every variable the embedder reads, with its unit and default."""

import os
from pathlib import Path

from common.settings import ServiceSettings, service_config, shared
from pydantic import Field


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
    fold_seconds: float = Field(default=1, gt=0, description="Seconds between two foldings of term statistics")
