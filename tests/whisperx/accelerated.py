"""How well the work around Whisper keeps an accelerator at work, with weights made on the spot.

Random weights say nothing, but they cost what trained ones cost: every window gets the same number of tokens, greedily.
The same windows go twice through the same model in the same process: by ``Work``, which is what a worker runs, and by
a loop that takes one file at a time on one thread, as WhisperX's own does.
"""

import itertools
import queue
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from time import perf_counter
from typing import Any

import soundfile
from asr.domain.cut import Part, cut_parts
from asr.domain.spans import Span, SpeechRules, find_speech
from asr.domain.windows import windows_of
from asr.providers.listening import listen
from asr.providers.whisperx import options_of
from asr.providers.whisperx_models import Heard, Prompt, Sound, Whisper
from asr.providers.whisperx_work import Work, _read
from asr.settings_whisperx import WhisperXSettings

from tests.whisperx.models import LARGE_V3, Shape, make_aligner, make_random_whisper

_PROMPT = Prompt("en")
# Of which it consists; CTranslate2 leaves half of the length for what comes before the text.
_PROMPT_TOKENS = 4
_QUIET_SECONDS = 600.0
_CALLS = ("encode", "generate", "align")


@dataclass(frozen=True)
class Plan:
    """What is measured. ``recording``: 16 kHz mono FLAC, taken as so many recordings as it has parts."""

    recording: Path
    shape: Shape
    device: str
    tokens: int  # said of each window
    batch: int
    align: bool = True
    parts_at_once: int = 8
    part_seconds: float = 300.0


@dataclass(frozen=True)
class Pace:
    """One way through all windows; ``inside_seconds``: of them in the model, encoding, decoding, aligning by attention.

    ``utilisation``: 0 to 1, what the driver of the GPU says, None without one.
    """

    sound_seconds: float
    speech_seconds: float
    seconds: float
    inside_seconds: float
    windows: int
    batches: int
    tokens: int
    utilisation: float | None

    @property
    def factor(self) -> float:
        """Seconds of work for each second of sound."""
        return self.seconds / self.sound_seconds

    @property
    def outside_share(self) -> float:
        return 1 - self.inside_seconds / self.seconds


@dataclass
class Clock:
    """What the model was asked for, and how long it took."""

    seconds: float = 0.0
    rows: list[int] = field(default_factory=list[int])
    tokens: int = 0


class Clocked:
    """CTranslate2's model, with a clock."""

    def __init__(self, model: Any, clock: Clock) -> None:
        self._model = model
        self._clock = clock

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._model, name)
        return self._timed(name, found) if name in _CALLS else found

    def _timed(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*given: Any, **named: Any) -> Any:
            begun = perf_counter()
            answer = call(*given, **named)
            self._clock.seconds += perf_counter() - begun
            if name == "generate":
                self._clock.rows.append(len(answer))
                self._clock.tokens += sum(len(one.sequences_ids[0]) for one in answer)
            return answer

        return timed


class Paced(Whisper):
    """Says ``tokens`` tokens of every window, however long it is, and looks at the clock."""

    def __init__(self, options: dict[str, Any], compute_type: str, tokens: int) -> None:
        super().__init__(options, compute_type)
        self.clock = Clock()
        self._longest = max(2 * tokens - _PROMPT_TOKENS, tokens)
        self._model.model = Clocked(self._model.model, self.clock)

    def recognise(self, features: list[Sound], prompt: Prompt, **more: Any) -> list[Heard]:
        return super().recognise(features, prompt, **{"longest_tokens": self._longest, **more})


class Rig:
    """One model in memory, and the windows of the plan."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        """Makes the weights below ``folder`` and loads them."""
        aligner = make_aligner(folder / "aligner", tiny=plan.shape != LARGE_V3) if plan.align else None
        settings = WhisperXSettings(
            whisperx_model=str(make_random_whisper(folder, plan.shape)),
            whisperx_device=plan.device,  # type: ignore[arg-type]
            whisperx_batch_size=plan.batch,
            whisperx_beam_size=1,
            whisperx_align=plan.align,
            whisperx_align_models=f"en={aligner}" if aligner else "",
        )
        self.plan = plan
        self.parts = _parts(plan)
        self._numbers = itertools.count(1)
        self._answers: queue.Queue[dict[str, Any]] = queue.Queue()
        self.work = Work(options_of(settings), self._answers.put, lambda o, kind: Paced(o, kind, plan.tokens))
        self.work.start()
        # Loads everything, and is not counted.
        self._ask([self.parts[0].utterances[:1]])

    @property
    def whisper(self) -> Paced:
        whisper = self.work._held.whisper
        assert isinstance(whisper, Paced)
        return whisper

    def through_work(self) -> Pace:
        """As in a worker that holds ``parts_at_once`` parts and takes another whenever one is done."""
        with self._measured() as pace:
            self._ask([part.utterances for part in self.parts])
        return pace()

    def one_file_at_a_time(self) -> Pace:
        windows = [window for part in self.parts for window in part.utterances]
        with self._measured() as pace:
            for first in range(0, len(windows), self.plan.batch):
                self._recognise_by_hand(windows[first : first + self.plan.batch])
        return pace()

    def _ask(self, questions: Sequence[Sequence[Span]]) -> None:
        left: dict[int, int] = {}
        following = iter(questions)

        def ask() -> None:
            if spans := next(following, None):
                number = next(self._numbers)
                left[number] = len(spans)
                path = str(self.plan.recording)
                self.work.take({"id": number, "act": "recognise", "path": path, "spans": spans, "language": "en"})

        for _ in range(self.plan.parts_at_once):
            ask()
        while left:
            answer = self._answers.get(timeout=_QUIET_SECONDS)
            if "error" in answer:
                raise RuntimeError(answer["error"]["message"])
            if "at" in answer:
                left[answer["id"]] -= 1
                if not left[answer["id"]]:
                    del left[answer["id"]]
                    ask()

    def _recognise_by_hand(self, windows: Sequence[Span]) -> None:
        sounds = [_read(str(self.plan.recording), *window) for window in windows]
        heard_in = [sound for sound in sounds if self.work._hears_speech(sound)]
        features = [self.whisper.features(sound) for sound in heard_in]
        aligned = self.work._aligners.has("en")
        seconds = None if aligned else [len(sound) / 16_000 for sound in heard_in]
        heard = self.whisper.recognise(features, _PROMPT, seconds=seconds) if features else []
        for one, sound in zip(heard, heard_in, strict=True):
            if aligned:
                self.work._aligners.align(one.text, "en", sound)

    @contextmanager
    def _measured(self) -> Iterator[Callable[[], Pace]]:
        clock = self.whisper.clock = self.whisper._model.model._clock = Clock()
        windows = [window for part in self.parts for window in part.utterances]
        sound_seconds = soundfile.info(self.plan.recording).duration
        busy: list[float] = []
        taken: list[float] = []
        with watching_gpu(busy):
            begun = perf_counter()
            yield lambda: Pace(
                sound_seconds=sound_seconds,
                speech_seconds=sum(window.seconds for window in windows),
                seconds=taken[0],
                inside_seconds=clock.seconds,
                windows=sum(clock.rows),
                batches=len(clock.rows),
                tokens=clock.tokens,
                utilisation=fmean(busy) if busy and self.plan.device == "cuda" else None,
            )
            taken.append(perf_counter() - begun)


def _parts(plan: Plan) -> list[Part]:
    """As the planner cuts."""
    utterances = find_speech(listen(plan.recording), SpeechRules(pause_seconds=0.45))
    return cut_parts(windows_of(utterances, 30.0), plan.part_seconds, 300.0)


@contextmanager
def watching_gpu(busy: list[float]) -> Iterator[None]:
    """Adds to ``busy``, five times a second, the share of time a GPU was at work by its own driver; nothing without."""
    command = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", "-lms", "200"]
    try:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    except FileNotFoundError:
        yield
        return
    try:
        yield
    finally:
        process.terminate()
        told = process.communicate()[0].splitlines()
        busy += [float(line) / 100 for line in told if line.strip().isdigit()]
