"""A cross-encoder as ONNX in a local directory (``model.onnx``, ``tokenizer.json``), as Hugging Face's optimum exports
it: for example cross-encoder/ms-marco-MiniLM-L6-v2."""

import asyncio
import threading
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from common.errors import TryAgain
from common.logs import get_logger

log = get_logger()

_MOST_TOKENS = 512
_PER_RUN = 16


class OnnxReranker:
    """Loads itself at first use; what it says of a pair is the sigmoid of its last logit."""

    def __init__(self, directory: Path, *, threads: int = 0) -> None:
        """``threads`` of one run; 0 leaves it to the runtime."""
        self._directory = directory
        self._threads = threads
        self._loading = threading.Lock()
        self._loaded: tuple[Any, Any] | None = None

    async def scores(self, query: str, texts: Sequence[str]) -> list[float]:
        return await asyncio.to_thread(self._scores, query, list(texts))

    async def close(self) -> None:
        self._loaded = None

    def _scores(self, query: str, texts: list[str]) -> list[float]:
        tokenizer, session = self._load()
        made: list[float] = []
        for begin in range(0, len(texts), _PER_RUN):
            pairs = [(query, text) for text in texts[begin : begin + _PER_RUN]]
            encodings = tokenizer.encode_batch(pairs)
            columns = {
                "input_ids": [encoding.ids for encoding in encodings],
                "attention_mask": [encoding.attention_mask for encoding in encodings],
                "token_type_ids": [encoding.type_ids for encoding in encodings],
            }
            names = {wanted.name for wanted in session.get_inputs()}
            feed = {name: np.array(values, np.int64) for name, values in columns.items() if name in names}
            logits = np.asarray(session.run(None, feed)[0], np.float64).reshape(len(pairs), -1)[:, -1]
            made += [float(value) for value in 1 / (1 + np.exp(-logits))]
        return made

    def _load(self) -> tuple[Any, Any]:
        with self._loading:
            if self._loaded is None:
                self._loaded = self._open()
            return self._loaded

    def _open(self) -> tuple[Any, Any]:
        try:
            tokenizer = import_module("tokenizers").Tokenizer.from_file(str(self._directory / "tokenizer.json"))
            tokenizer.enable_truncation(_MOST_TOKENS, strategy="only_second")
            tokenizer.enable_padding()
            runtime: Any = import_module("onnxruntime")
            options = runtime.SessionOptions()
            options.intra_op_num_threads = self._threads
            path = str(self._directory / "model.onnx")
            session = runtime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # (neither library's errors share a base; any means bad files)
            raise TryAgain(
                f"The reranker in {self._directory} cannot be loaded.",
                category="engine_unavailable",
                advice="Put model.onnx and tokenizer.json of a cross-encoder there, or unset EMBEDDER_RERANK.",
            ) from error
        log.info("reranker_loaded", path=str(self._directory))
        return tokenizer, session
