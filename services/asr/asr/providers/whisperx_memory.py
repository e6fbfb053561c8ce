"""Going on with too little memory: half the batch, down to one window, then a smaller kind of number."""

from collections.abc import Callable, Sequence
from typing import Any

from asr.providers.whisperx_models import Heard, Prompt, Sound, Whisper

SMALLEST_COMPUTE_TYPE = "int8"
BATCH_HALVED = "memory_short: The accelerator's memory was too small for the batch, so fewer windows at once were used."
PRECISION_LOWERED = (
    "precision_lowered: The accelerator's memory was too small for the model, so it was used with 8-bit numbers, which "
    "costs a little accuracy."
)


class MemoryShort(Exception):
    """Not even one window fits, with the smallest numbers."""


def out_of_memory(error: BaseException) -> bool:
    """CTranslate2, torch and Python each say it in their own way."""
    return isinstance(error, MemoryError) or "out of memory" in str(error).lower()


class Frugal:
    """Holds the model, and remembers what had to be given up; ``warnings`` are lines for the transcript."""

    def __init__(self, load: Callable[[str], Whisper], compute_type: str, batch_size: Callable[[Whisper], int]) -> None:
        """Loads. Raises MemoryShort, WeightsMissing."""
        self._load = load
        self._lowered = False
        self._halved = False
        try:
            self.whisper = load(compute_type)
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            self.whisper = self._smaller(error)
        self.batch_size = batch_size(self.whisper)

    @property
    def warnings(self) -> list[str]:
        return [BATCH_HALVED] * self._halved + [PRECISION_LOWERED] * self._lowered

    def recognise(self, features: Sequence[Sound], prompt: Prompt, seconds: Sequence[float] | None) -> list[Heard]:
        """The whole batch, in as many pieces as memory asks for. Raises MemoryShort."""
        return self._run(features, seconds, lambda f, s: self.whisper.recognise(f, prompt, seconds=s))

    def languages(self, features: Sequence[Sound]) -> list[dict[str, float]]:
        return self._run(features, None, lambda f, _s: self.whisper.languages(f))

    def _run(
        self, features: Sequence[Sound], seconds: Sequence[float] | None, act: Callable[[Any, Any], list[Any]]
    ) -> list[Any]:
        done: list[Any] = []
        while len(done) < len(features):
            piece = slice(len(done), len(done) + self.batch_size)
            try:
                done += act(list(features[piece]), None if seconds is None else list(seconds[piece]))
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
                self._give_up_something(error)
        return done

    def _give_up_something(self, error: BaseException) -> None:
        if self.batch_size > 1:
            self.batch_size //= 2
            self._halved = True
        else:
            self.whisper = self._smaller(error)

    def _smaller(self, error: BaseException) -> Whisper:
        if self._lowered:
            raise MemoryShort(str(error)) from error
        self._lowered = True
        self.__dict__.pop("whisper", None)  # its memory is needed for the next one
        try:
            return self._load(SMALLEST_COMPUTE_TYPE)
        except (RuntimeError, MemoryError) as again:
            if out_of_memory(again):
                raise MemoryShort(str(again)) from again
            raise
