"""Times of words by whisperx: one wav2vec2 model for each language, loaded when first wanted."""

import threading
from importlib import import_module
from pathlib import Path
from typing import Any

from common.spacing import split_words

from asr.domain.timing import TimedWord, as_written, evenly, in_order, spread
from asr.providers.whisperx_models import RATE, Sound


class Aligners:
    """wav2vec2 models that time words, one for each language, loaded when first wanted."""

    def __init__(self, options: dict[str, Any], device: str) -> None:
        self._named: dict[str, str] = options["align_models"]
        self._wanted: bool = options["align"]
        self._model_dir: str | None = options["model_dir"]
        self._device = device
        self._held: dict[str, tuple[Any, Any] | None] = {}
        self._loading = threading.Lock()

    def has(self, language: str) -> bool:
        """Whether words of this language can be timed; loads the model if need be."""
        with self._loading:
            if language not in self._held:
                self._held[language] = self._load(language) if self._wanted else None
            return self._held[language] is not None

    @property
    def wanted(self) -> bool:
        return self._wanted

    def _load(self, language: str) -> tuple[Any, Any] | None:
        library: Any = import_module("whisperx.alignment")
        # It asks NLTK's servers for sentence models and then drops words of sentences that cannot be aligned. Our
        # windows are aligned in one piece.
        library.nltk_load = _one_sentence
        if not self._may_be_fetched(library, language):
            return None
        try:
            return library.load_align_model(
                language, self._device, model_name=self._named.get(language), model_dir=self._model_dir
            )
        except (OSError, ValueError, RuntimeError):
            return None

    def _may_be_fetched(self, library: Any, language: str) -> bool:
        """False for a model of torchaudio's that is not here while the hub is off, which torchaudio does not mind."""
        name = self._named.get(language) or library.DEFAULT_ALIGN_MODELS_TORCH.get(language, "")
        bundle: Any = getattr(import_module("torchaudio.pipelines"), name, None) if name.isidentifier() else None
        if bundle is None or not import_module("huggingface_hub.constants").HF_HUB_OFFLINE:
            return True
        kept = Path(self._model_dir or Path(import_module("torch").hub.get_dir()) / "checkpoints")
        return (kept / Path(bundle._path).name).is_file()

    def align(self, text: str, language: str, sound: Sound) -> list[TimedWord]:
        """Every word of the text with its time in the window; what cannot be timed is spread between its neighbours."""
        library: Any = import_module("whisperx.alignment")
        seconds = len(sound) / RATE
        model, metadata = self._held[language]  # pyright: ignore[reportGeneralTypeIssues, reportUnknownVariableType]
        segment = {"text": text, "start": 0.0, "end": seconds}
        found = library.align([segment], model, metadata, sound, self._device)["word_segments"]
        timed = [TimedWord(w["word"], w.get("start"), w.get("end"), w.get("score")) for w in found]
        words = as_written(timed, split_words(text)) or evenly(text, seconds)
        return in_order(spread(words, seconds), seconds)


def _one_sentence(_path: str) -> "_OneSentence":
    return _OneSentence()


class _OneSentence:
    def span_tokenize(self, text: str) -> list[tuple[int, int]]:
        return [(0, len(text))]
