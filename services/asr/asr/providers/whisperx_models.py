"""Whisper in memory, in batches by CTranslate2 through faster-whisper; used only in the process that holds it."""

from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr.domain.timing import TimedWord, in_order

Sound = NDArray[np.float32]

RATE = 16_000
# Whisper's own rule for a window in which nobody speaks.
_NO_SPEECH_PROBABILITY = 0.6
_NO_SPEECH_LOG_PROBABILITY = -1.0
_PREPENDED = "\"'“¿([{-"
_APPENDED = "\"'.。,，!！?？:：”)]}、"
_FRAMES = 3000


class WeightsMissing(Exception):
    """They are not on this machine and cannot be had; ``gated`` when somebody must accept a licence first."""

    def __init__(self, model: str, *, gated: bool, reason: str) -> None:
        super().__init__(reason)
        self.model = model
        self.gated = gated
        self.reason = reason


@dataclass(frozen=True)
class Prompt:
    """What Whisper is told beside the sound; equal for all windows of a batch."""

    language: str
    initial_prompt: str = ""
    key_terms: str = ""


@dataclass(frozen=True)
class Heard:
    """One window's text with the log probability of its tokens; ``words`` where Whisper itself timed them."""

    text: str
    log_probability: float
    words: list[TimedWord] | None = None


class Whisper:
    """One model in memory. ``compute_type`` is what CTranslate2 calls so, or ``auto``."""

    def __init__(self, options: dict[str, Any], compute_type: str) -> None:
        """Raises WeightsMissing, and whatever CTranslate2 says when memory is short (RuntimeError)."""
        self._library: Any = import_module("faster_whisper")
        gpus: int = import_module("ctranslate2").get_cuda_device_count()
        self.device = ("cuda" if gpus else "cpu") if options["device"] == "auto" else str(options["device"])
        self.compute_type = {"cuda": "float16"}.get(self.device, "int8") if compute_type == "auto" else compute_type
        self._options = options
        self._model: Any = self._load()

    def _load(self) -> Any:
        options = self._options
        try:
            return self._library.WhisperModel(
                options["model"],
                device=self.device,
                device_index=options["device_index"] if self.device == "cuda" else 0,
                compute_type=self.compute_type,
                cpu_threads=options["threads"],
                download_root=options["model_dir"],
            )
        except (OSError, ValueError) as error:
            raise missing(options["model"], error) from error
        except RuntimeError as error:
            if "Unable to open file" in str(error) or ("File" in str(error) and "incomplete" in str(error)):
                raise missing(options["model"], error) from error
            raise

    @property
    def multilingual(self) -> bool:
        return bool(self._model.model.is_multilingual)

    def warm(self) -> None:
        """The first batch allocates; nobody shall wait for that."""
        self.recognise([np.zeros((self._model.model.n_mels, _FRAMES), np.float32)], Prompt("en"), longest_tokens=2)

    def features(self, sound: Sound) -> Sound:
        """Log-Mel spectrogram of at most 30 s, padded to them: (mels, 3000)."""
        return self._library.transcribe.pad_or_trim(self._model.feature_extractor(sound)[..., :-1][..., :_FRAMES])

    def languages(self, features: list[Sound]) -> list[dict[str, float]]:
        """Of each window, the probability of every language."""
        if not self.multilingual:
            return [{"en": 1.0}] * len(features)
        found = self._model.model.detect_language(self._model.encode(np.stack(features)))
        return [{token[2:-2]: probability for token, probability in one} for one in found]

    def recognise(
        self,
        features: list[Sound],
        prompt: Prompt,
        *,
        seconds: list[float] | None = None,
        longest_tokens: int | None = None,
    ) -> list[Heard]:
        """The batch's texts; with ``seconds``, the windows' lengths, also the times of their words."""
        tokenizer = self._library.tokenizer.Tokenizer(
            self._model.hf_tokenizer, self.multilingual, task="transcribe", language=prompt.language
        )
        before: list[int] = tokenizer.encode(" " + prompt.initial_prompt) if prompt.initial_prompt else []
        terms: list[int] = tokenizer.encode(" " + prompt.key_terms) if prompt.key_terms else []
        before = fitting(before, len(terms), self._model.max_length)
        tokens = self._model.get_prompt(tokenizer, before, without_timestamps=True, hotwords=prompt.key_terms or None)
        encoded = self._model.encode(np.stack(features))
        found = self._model.model.generate(
            encoded,
            [tokens] * len(features),
            max_length=self._model.max_length if longest_tokens is None else len(tokens) + longest_tokens,
            suppress_blank=True,
            suppress_tokens=self._library.transcribe.get_suppressed_tokens(tokenizer, [-1]),
            return_scores=True,
            return_no_speech_prob=True,
            **self._search(),
        )
        spoken = [[token for token in one.sequences_ids[0] if token < tokenizer.eot] for one in found]
        texts = [tokenizer.decode(one).strip() for one in spoken]
        timed = [None] * len(texts) if seconds is None else self._times(tokenizer, encoded, spoken, seconds)
        return [_heard(text, one, words) for text, one, words in zip(texts, found, timed, strict=True)]

    def _search(self) -> dict[str, Any]:
        if self._options["temperature"] > 0:
            return {"beam_size": 1, "sampling_topk": 0, "sampling_temperature": self._options["temperature"]}
        return {"beam_size": self._options["beam_size"]}

    def _times(
        self, tokenizer: Any, encoded: Any, spoken: list[list[int]], seconds: list[float]
    ) -> list[list[TimedWord] | None]:
        """By cross-attention and dynamic time warping, each window by itself."""
        frames = [max(1, int(length * 100)) for length in seconds]
        aligned = self._model.find_alignment(tokenizer, spoken, encoded, frames)
        timed: list[list[TimedWord] | None] = []
        for words, length in zip(aligned, seconds, strict=True):
            self._library.transcribe.merge_punctuations(words, _PREPENDED, _APPENDED)
            pieces = [
                TimedWord(word["word"].strip(), float(word["start"]), float(word["end"]), float(word["probability"]))
                for word in words
                if word["word"].strip()
            ]
            timed.append(in_order(pieces, length))
        return timed


def fitting(prompt: list[int], term_count: int, max_length: int) -> list[int]:
    """The end of the prompt that has room behind the terms: together they have half of the context.

    The library bounds each of them by half, and what both leave over would be all that Whisper could write.
    """
    room = max(0, max_length // 2 - 1 - term_count)
    return prompt[max(0, len(prompt) - room) :]


def _heard(text: str, found: Any, words: list[TimedWord] | None) -> Heard:
    length = len(found.sequences_ids[0])
    log_probability = float(found.scores[0]) * length / (length + 1)
    silent = found.no_speech_prob > _NO_SPEECH_PROBABILITY and log_probability < _NO_SPEECH_LOG_PROBABILITY
    return Heard("", log_probability, []) if silent else Heard(text, log_probability, words)


def missing(model: str, error: BaseException) -> WeightsMissing:
    """What a failed loading means for whoever runs asr."""
    kinds: list[str] = []
    cause: BaseException | None = error
    while cause is not None:
        kinds.append(type(cause).__name__)
        cause = cause.__cause__ or cause.__context__
    reason = str(error).strip().partition("\n")[0] or repr(error)
    return WeightsMissing(model, gated="GatedRepoError" in kinds, reason=reason)
