"""Models of the library sentence-transformers, by their name on a hub or a local directory; needs the extra of that
name, which brings torch."""

import asyncio
import threading
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from time import monotonic
from typing import Any

import numpy as np
from common.errors import CannotProcess, TryAgain
from common.logs import get_logger

from embedder.providers.embedder import Vectors, unit

log = get_logger()

_PER_RUN = 32
# [CLS] and [SEP], or whatever the model puts around a text.
_MARKS = 2


def installed() -> bool:
    return find_spec("sentence_transformers") is not None


class SentenceTransformers:
    """Loads itself at first use and can be let go while idle; methods may be called from several threads."""

    def __init__(self, model: str, *, threads: int = 0) -> None:
        """``threads`` of torch, which the whole process shares; 0 leaves it to torch."""
        self.name = f"sentence-transformers:{model}"
        self._path = model
        self._threads = threads
        self._dimensions: int | None = None
        self._working = threading.RLock()
        self._loaded: Any = None
        self._used = monotonic()

    @property
    def dimensions(self) -> int:
        if self._dimensions is None:
            raise LookupError(f"{self.name} is not loaded yet")
        return self._dimensions

    @property
    def max_tokens(self) -> int:
        """Raises TryAgain, CannotProcess."""
        return int(self._model().max_seq_length or 512) - _MARKS

    def count_tokens(self, texts: list[str]) -> list[int]:
        with self._working:
            tokenizer: Any = self._model().tokenizer
            ids = tokenizer(texts, add_special_tokens=False, truncation=False, padding=False, verbose=False)
        return [len(found) for found in ids["input_ids"]]

    async def embed(self, texts: Sequence[str]) -> Vectors:
        return await asyncio.to_thread(self._embed, list(texts))

    def release_idle(self, seconds: float) -> None:
        """Give the weights' memory back when nothing was embedded for so long."""
        with self._working:
            if self._loaded is not None and monotonic() - self._used > seconds:
                self._loaded = None
                log.info("model_released", model=self.name)

    def _embed(self, texts: list[str]) -> Vectors:
        with self._working:
            model = self._model()
            if not texts:
                return np.zeros((0, self.dimensions), np.float32)
            # One after another: torch uses all its threads for each.
            made = model.encode(texts, batch_size=_PER_RUN, convert_to_numpy=True, show_progress_bar=False)
        vectors = np.asarray(made, np.float32)
        if not np.isfinite(vectors).all() or not vectors.any(axis=1).all():
            raise self._unusable("a vector of it is no direction (zero, or not a number)")
        return unit(vectors)

    def _model(self) -> Any:
        with self._working:
            self._used = monotonic()
            if self._loaded is None:
                self._loaded = self._load()
                self._dimensions = int(self._loaded.encode(["dimensions"]).shape[1])
                log.info("model_loaded", model=self.name, dimensions=self._dimensions)
            return self._loaded

    def _load(self) -> Any:
        if not installed():
            raise self._unusable("the package sentence-transformers is not installed", advice=INSTALL)
        if self._threads:
            import_module("torch").set_num_threads(self._threads)
        try:
            return import_module("sentence_transformers").SentenceTransformer(self._path)
        except OSError as error:
            raise TryAgain(
                f"The model {self._path} cannot be loaded: {str(error)[:300]}",
                category="engine_unavailable",
                advice=f"Download it on the server (hf download {self._path}), or name a directory that holds it.",
            ) from error
        except (ValueError, KeyError, RuntimeError) as error:
            raise self._unusable(f"it cannot be read ({str(error)[:300]})") from error

    def _unusable(self, why: str, *, advice: str | None = None) -> CannotProcess:
        return CannotProcess(
            f"The model {self.name} cannot be used: {why}.",
            category="engine_unavailable",
            advice=advice or "Check that it is a model of sentence-transformers.",
            retryable=True,
        )


INSTALL = "Install it on the server: uv sync --all-packages --extra sentence-transformers"
