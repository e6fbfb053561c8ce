"""Where the weights of a Whisper model lie on this machine, and what to do when they do not."""

import json
from importlib import import_module
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

# Those of faster-whisper's names that are not Systran/faster-whisper-<name>.
_ELSEWHERE = {
    "large": "Systran/faster-whisper-large-v3",
    "large-v3-turbo": "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
    "turbo": "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
    "distil-large-v3.5": "distil-whisper/distil-large-v3.5-ct2",
}
_FILE = "model.bin"


def installed() -> bool:
    """Whether the extra ``whisperx`` is; nothing of it is imported."""
    return any(distributions(name="whisperx"))


def repository(model: str) -> str:
    """The model's name on the hub."""
    if "/" in model:
        return model
    if model in _ELSEWHERE:
        return _ELSEWHERE[model]
    family = "distil-whisper" if model.startswith("distil-") else "whisper"
    return f"Systran/faster-{family}-{model.removeprefix('distil-')}"


def at_hand(model: str, model_dir: Path | None) -> bool:
    """Whether the weights are here already: a directory, or in the cache of the hub's tools. Downloads nothing."""
    if Path(model).is_dir():
        return (Path(model) / _FILE).is_file()
    if not installed():
        return False
    hub: Any = import_module("huggingface_hub")
    return isinstance(hub.try_to_load_from_cache(repository(model), _FILE, cache_dir=model_dir), str)


def english_only(model: str) -> bool:
    """Whether the model knows no language but English, as far as can be told without loading it."""
    config = Path(model) / "config.json"
    if config.is_file():
        return not json.loads(config.read_text()).get("lang_ids")
    return model.endswith(".en")


def how_to_get(model: str, model_dir: Path | None) -> str:
    """Advice for whoever runs asr without these weights."""
    into = f" --cache-dir {model_dir}" if model_dir else ""
    return (
        f"Run `hf download {repository(model)}{into}` where there is a network, or set ASR_WHISPERX_MODEL to a "
        "directory that holds the model in CTranslate2's format."
    )
