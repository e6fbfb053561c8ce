"""WhisperX: Whisper in batches, with aligned words, in a process of its own that any number of parts share."""

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from importlib.metadata import version
from pathlib import Path
from typing import Any

from common.errors import CannotProcess, TryAgain
from common.logs import get_logger
from common.settings import cpu_count
from common.transcript import Word

from asr.domain.spans import Span
from asr.providers import weights
from asr.providers.engine import EngineFailed, Recognised, Wishes
from asr.providers.languages import WHISPER_LANGUAGES
from asr.providers.shared_child import Answer, SharedChild
from asr.settings_whisperx import WhisperXSettings

log = get_logger()

_MODULE = "asr.providers.whisperx_process"
# Raised when our way of using the models changes their words.
_RECIPE = 1
# A batch of 30 s windows on a slow CPU; while weights are loaded, the process says so.
_QUIET_SECONDS = 300.0
# Windows that the language of a recording is found from, spread over it.
_LANGUAGE_WINDOWS = 4


class WhisperX:
    """One process holds the models; it is let go when there has been nothing to recognise for a while."""

    name: str = "whisperx"

    def __init__(self, settings: WhisperXSettings, idle_seconds: float) -> None:
        """Raises ValueError when the alignment models that are set cannot be read."""
        self._settings = settings
        self._options = options_of(settings)
        self._child = SharedChild(_MODULE, self._options, self._hear)
        self._idle_seconds = idle_seconds
        self._letting_go: asyncio.TimerHandle | None = None
        self._english_only = weights.english_only(settings.whisperx_model)

    @property
    def window_seconds(self) -> float:
        return self._settings.whisperx_window_seconds

    @property
    def process_id(self) -> int | None:
        """Of the process that holds the models, while there is one."""
        return self._child.pid

    @property
    def fingerprint(self) -> str:
        # How fast it goes changes no word.
        matters = {k: v for k, v in self._options.items() if k not in ("batch_size", "threads", "device_index")}
        versions = [version(name) for name in ("whisperx", "faster-whisper", "ctranslate2")]
        return f"whisperx {versions} recipe {_RECIPE} {json.dumps(matters, sort_keys=True)}"

    def understands(self, language: str) -> bool:
        return language == "en" if self._english_only else language in WHISPER_LANGUAGES

    async def find_language(self, audio: Path, utterances: Sequence[Span]) -> str:
        """The likeliest over a few windows of the recording. Raises EngineFailed, CannotProcess, TryAgain."""
        if self._english_only or not utterances:
            return "en"
        windows = utterances[:: max(1, len(utterances) // _LANGUAGE_WINDOWS)][:_LANGUAGE_WINDOWS]
        question = {"act": "find_language", "path": str(audio), "spans": windows}
        async with aclosing(self._ask(question, answers=1)) as answers:
            return (await anext(answers))["language"]

    async def recognise(self, audio: Path, utterances: Sequence[Span], wishes: Wishes) -> AsyncGenerator[Recognised]:
        """In the order given, each as soon as it is there. Raises EngineFailed, CannotProcess, TryAgain."""
        question = {
            "act": "recognise",
            "path": str(audio),
            "spans": utterances,
            "language": wishes.language,
            "initial_prompt": wishes.initial_prompt or self._settings.whisperx_initial_prompt,
            "key_terms": ", ".join(wishes.key_terms),
        }
        ready: dict[int, Recognised] = {}
        following = 0
        async with aclosing(self._ask(question, answers=len(utterances))) as answers:
            async for answer in answers:
                at: int = answer["at"]
                ready[at] = _recognised(utterances[at], answer)
                while following in ready:
                    yield ready.pop(following)
                    following += 1

    async def _ask(self, question: dict[str, Any], *, answers: int) -> AsyncGenerator[Answer]:
        asked = self._child.ask(question, answers=answers, quiet_seconds=_QUIET_SECONDS)
        try:
            async with aclosing(asked):
                async for answer in asked:
                    if "error" in answer:
                        raise await self._failure(answer["error"])
                    yield answer
        finally:
            self._rest()

    async def _failure(self, told: dict[str, Any]) -> CannotProcess | TryAgain:
        if told["kind"] in ("missing", "gated", "memory"):
            # What was lacking may be there the next time, but only a new process looks again.
            await self._child.stop()
        log.warning("whisperx_failed", kind=told["kind"], reason=told["message"])
        return failure(told, self._settings)

    def _hear(self, line: Answer) -> None:
        if "warning" in line:
            log.warning("whisperx_warned", warning=line["warning"])
        elif "loaded" in line:
            log.info("whisperx_loaded", device=line["loaded"], compute_type=line["compute_type"])

    def _rest(self) -> None:
        """The models go from memory when there has been nothing to recognise for a while."""
        if self._letting_go is not None:
            self._letting_go.cancel()
        self._letting_go = asyncio.get_running_loop().call_later(self._idle_seconds, self._let_go)

    def _let_go(self) -> None:
        if self._child.busy:
            self._rest()
        else:
            self._child.kill()

    async def close(self) -> None:
        if self._letting_go is not None:
            self._letting_go.cancel()
        await self._child.stop()


def _recognised(window: Span, answer: Answer) -> Recognised:
    words = [Word(word=w, start=s, end=e, probability=p) for w, s, e, p in answer["words"]]
    return Recognised(window, words, warnings=tuple(answer["warnings"]))


def options_of(settings: WhisperXSettings) -> dict[str, Any]:
    """What the process is told first. Raises ValueError."""
    prefix = "whisperx_"
    options = {name.removeprefix(prefix): value for name, value in settings if name.startswith(prefix)}
    return options | {
        "model_dir": str(options["model_dir"]) if options["model_dir"] else None,
        "threads": options["threads"] or cpu_count(),
        "align_models": _align_models(options["align_models"]),
    }


def _align_models(text: str) -> dict[str, str]:
    pairs = [pair.partition("=") for pair in text.split(",") if pair.strip()]
    if any(not language.strip() or not model.strip() for language, _, model in pairs):
        raise ValueError(f"ASR_WHISPERX_ALIGN_MODELS={text!r} is not language=model, comma separated")
    return {language.strip(): model.strip() for language, _, model in pairs}


def failure(told: dict[str, Any], settings: WhisperXSettings) -> CannotProcess | TryAgain:
    """What a failure inside the process means for the recording, with advice for whoever runs asr."""
    model = settings.whisperx_model
    how = weights.how_to_get(model, settings.whisperx_model_dir)
    match told["kind"]:
        case "missing":
            return _lacking(f"The weights of the speech model {model} are not on this machine.", how)
        case "gated":
            page = f"https://huggingface.co/{weights.repository(told['model'])}"
            return _lacking(
                f"The speech model {told['model']} is given only to those who accept its terms.",
                f"Accept them at {page}, set HF_TOKEN to a token of that account, then retry.",
            )
        case "memory":
            return _lacking(
                f"The speech model {model} does not fit into memory, not even with 8-bit numbers.",
                "Set ASR_WHISPERX_MODEL to a smaller model, for example small, or use a machine with more memory.",
            )
        case "loading":
            return TryAgain(
                f"The weights of the speech model {model} are still being loaded or downloaded.",
                category="engine_unavailable",
                advice=how,
                attempts=12,
            )
        case _:
            return EngineFailed(f"whisperx: {told['message']}")


def _lacking(message: str, advice: str) -> CannotProcess:
    return CannotProcess(message, category="engine_unavailable", advice=advice, retryable=True)
