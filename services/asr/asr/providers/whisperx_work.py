"""The work inside WhisperX's process: windows of all questions, prepared, batched, recognised, timed side by side."""

import itertools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Any

import numpy as np
import soundfile  # pyright: ignore[reportMissingTypeStubs]

from asr.domain.batching import Waiting, Window
from asr.domain.timing import TimedWord, evenly
from asr.providers.whisperx_aligners import Aligners
from asr.providers.whisperx_memory import Frugal, MemoryShort
from asr.providers.whisperx_models import RATE, Heard, Prompt, Sound, WeightsMissing, Whisper
from asr.providers.whisperx_vad import Detector, detector_of

Say = Callable[[dict[str, Any]], None]
Load = Callable[[dict[str, Any], str], Whisper]
_BEAT_SECONDS = 5.0
# A question that waits longer for the weights is given back, to be asked again: law 4.
_LONGEST_LOADING_SECONDS = 240.0
_GPU_BATCH, _CPU_BATCH = 16, 4
NO_ALIGNER = "word_times: There is no alignment model for the language {language}, so word times are less exact."
_FIND_LANGUAGE = Prompt("")


@dataclass
class Question:
    """What was asked, and how many of its windows are not answered."""

    id: int
    act: str
    path: str
    spans: list[tuple[float, float]]
    prompt: Prompt
    left: int
    asked_at: float = field(default_factory=monotonic)
    dropped: bool = False
    found: list[dict[str, float]] = field(default_factory=list[dict[str, float]])


@dataclass
class Piece:
    """One window of a question, with its sound once that is read."""

    question: Question
    at: int
    start: float
    sound: Sound
    features: Sound

    @property
    def seconds(self) -> float:
        return len(self.sound) / RATE


class Work:
    """``take`` what is asked; ``say`` is called from several threads, one whole line at a time.

    ``load``: what makes a model of the options and a compute type.
    """

    def __init__(self, options: dict[str, Any], say: Say, load: Load = Whisper) -> None:
        self._options = options
        self._load_model = load
        self._saying = threading.Lock()
        self._say_unlocked = say
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        self._waiting = Waiting()
        self._pieces: dict[int, Piece] = {}
        self._questions: dict[int, Question] = {}
        self._loading: list[Question] = []
        self._ready = False
        self._broken: Exception | None = None
        threads = options["threads"] or 1
        self._preparing = ThreadPoolExecutor(max(1, threads), "preparing")
        self._timing = ThreadPoolExecutor(max(1, threads // 2), "timing")
        self._told: set[str] = set()

    def start(self) -> None:
        threading.Thread(target=self._run, name="recognising", daemon=True).start()
        threading.Thread(target=self._beat, name="beating", daemon=True).start()

    def take(self, asked: dict[str, Any]) -> None:
        if asked["act"] == "drop":
            self._drop(asked["id"])
            return
        prompt = Prompt(asked.get("language", ""), asked.get("initial_prompt", ""), asked.get("key_terms", ""))
        spans = [(start, end) for start, end in asked["spans"]]
        question = Question(asked["id"], asked["act"], asked["path"], spans, prompt, len(spans))
        with self._changed:
            self._questions[question.id] = question
            if not self._ready and self._broken is None:
                self._loading.append(question)
                return
        self._begin(question)

    def _begin(self, question: Question) -> None:
        if self._broken is not None:
            self._fail(question, self._broken)
            return
        for at, (start, end) in enumerate(question.spans):
            self._preparing.submit(self._guarded, self._prepare, question, at, start, end)

    def _guarded(self, act: Callable[..., None], question: Question, *given: Any) -> None:
        """Whatever goes wrong with a question is its answer."""
        try:
            act(question, *given)
        except Exception as error:  # noqa: BLE001
            self._fail(question, error)

    # --- sound, on CPU threads ---

    def _prepare(self, question: Question, at: int, start: float, end: float) -> None:
        if question.dropped:
            return
        sound = _read(question.path, start, end)
        if question.act == "recognise" and not self._hears_speech(sound):
            self._answer(question, at, [], [])
            return
        piece = Piece(question, at, start, sound, self._held.whisper.features(sound))
        prompt = replace(question.prompt, language="") if self._options["code_switching"] else question.prompt
        self._add(piece, _FIND_LANGUAGE if question.act == "find_language" else prompt)

    def _add(self, piece: Piece, prompt: Prompt) -> None:
        with self._changed:
            window = Window(next(self._numbers), prompt, piece.seconds)
            self._pieces[window.number] = piece
            self._waiting.add(window)
            self._changed.notify()

    # --- the accelerator, one thread ---

    def _run(self) -> None:
        try:
            self._load()
        except Exception as error:  # noqa: BLE001
            self._broken = error
        with self._changed:
            self._ready = self._broken is None
            begun, self._loading = self._loading, []
        for question in begun:
            self._begin(question)
        while self._ready:
            with self._changed:
                while not (batch := self._waiting.take(self._held.batch_size)):
                    self._changed.wait()
                pieces = [self._pieces.pop(window.number) for window in batch]
            self._accelerate([piece for piece in pieces if not piece.question.dropped], batch[0].group)

    def _load(self) -> None:
        options = self._options
        self._held = Frugal(
            lambda compute_type: self._load_model(options, compute_type),
            options["compute_type"],
            lambda whisper: options["batch_size"] or (_GPU_BATCH if whisper.device == "cuda" else _CPU_BATCH),
        )
        self._hears_speech: Detector = detector_of(options["vad"], self._held.whisper.device)
        self._aligners = Aligners(options, self._held.whisper.device)
        self._held.whisper.warm()
        self._say({"loaded": self._held.whisper.device, "compute_type": self._held.whisper.compute_type})

    def _accelerate(self, pieces: list[Piece], prompt: Any) -> None:
        if not pieces:
            return
        try:
            features = [piece.features for piece in pieces]
            if not prompt.language:
                self._sort(pieces, self._held.languages(features), prompt)
                return
            aligned = self._aligners.has(prompt.language)
            heard = self._held.recognise(features, prompt, None if aligned else [piece.seconds for piece in pieces])
            self._tell_warnings()
        except Exception as error:  # noqa: BLE001
            for question in {piece.question.id: piece.question for piece in pieces}.values():
                self._fail(question, error)
            return
        for piece, one in zip(pieces, heard, strict=True):
            self._timing.submit(self._guarded, self._time, piece.question, piece, one, prompt.language)

    def _sort(self, pieces: list[Piece], found: list[dict[str, float]], prompt: Prompt) -> None:
        """Windows whose language is known now: answers to who asked for it, the others to be recognised."""
        for piece, languages in zip(pieces, found, strict=True):
            question = piece.question
            if question.act != "find_language":
                self._add(piece, replace(prompt, language=max(languages, key=languages.__getitem__)))
                continue
            question.found.append(languages)
            if len(question.found) == len(question.spans):
                self._say({"id": question.id, "language": _likeliest(question.found)})
                self._questions.pop(question.id, None)

    # --- times of words, on CPU threads ---

    def _time(self, question: Question, piece: Piece, heard: Heard, language: str) -> None:
        if question.dropped:
            return
        warnings = self._held.warnings
        if heard.words is not None and self._aligners.wanted:
            warnings = [*warnings, NO_ALIGNER.format(language=language)]
        words = heard.words
        if words is None:
            words = self._aligners.align(heard.text, language, piece.sound) if heard.text else []
        probability = round(float(np.exp(heard.log_probability)), 3)
        self._answer(question, piece.at, _placed(words, heard.text, piece, probability), warnings if heard.text else [])

    # --- answers ---

    def _answer(self, question: Question, at: int, words: list[Any], warnings: list[str]) -> None:
        self._say({"id": question.id, "at": at, "words": words, "warnings": warnings})
        with self._changed:
            question.left -= 1
            if not question.left:
                self._questions.pop(question.id, None)

    def _fail(self, question: Question, error: BaseException) -> None:
        self._drop(question.id)
        self._say({"id": question.id, "error": told_of(error)})

    def _tell_warnings(self) -> None:
        for warning in self._held.warnings:
            if warning not in self._told:
                self._told.add(warning)
                self._say({"warning": warning})

    def _drop(self, number: int) -> None:
        with self._changed:
            question = self._questions.pop(number, None)
            if question is None:
                return
            question.dropped = True
            for window, piece in list(self._pieces.items()):
                if piece.question is question:
                    del self._pieces[window]
                    self._waiting.drop(window)

    def _say(self, line: dict[str, Any]) -> None:
        with self._saying:
            self._say_unlocked(line)

    def _beat(self) -> None:
        """While the weights are loaded, perhaps from far away, the parent hears that we live."""
        stop = threading.Event()
        while not self._ready and self._broken is None:
            stop.wait(_BEAT_SECONDS)
            self._say({"loading": True})
            with self._changed:
                late = [q for q in self._loading if monotonic() - q.asked_at > _LONGEST_LOADING_SECONDS]
                self._loading = [question for question in self._loading if question not in late]
            for question in late:
                self._drop(question.id)
                self._say({"id": question.id, "error": {"kind": "loading", "message": "still loading"}})


def _read(path: str, start: float, end: float) -> Sound:
    with soundfile.SoundFile(path) as file:
        first, last = round(start * RATE), round(end * RATE)
        file.seek(min(first, file.frames))
        return file.read(max(0, min(last, file.frames) - first), dtype="float32").astype(np.float32)


def _placed(words: list[TimedWord], text: str, piece: Piece, probability: float) -> list[Any]:
    """Words as they are said, with times of the recording; none is lost because nothing could time it."""
    if text and not words:
        words = evenly(text, piece.seconds)
    return [
        (
            word.word,
            round(piece.start + (word.start or 0.0), 3),
            round(piece.start + (word.end or 0.0), 3),
            probability if word.probability is None else round(word.probability, 3),
        )
        for word in words
    ]


def _likeliest(found: list[dict[str, float]]) -> str:
    languages = {language for one in found for language in one}
    return max(sorted(languages), key=lambda language: sum(one.get(language, 0.0) for one in found))


def told_of(error: BaseException) -> dict[str, Any]:
    """What the parent learns of a failure: its kind, and its words."""
    if isinstance(error, WeightsMissing):
        return {"kind": "gated" if error.gated else "missing", "model": error.model, "message": error.reason}
    kind = "memory" if isinstance(error, MemoryShort) else "failed"
    return {"kind": kind, "message": f"{type(error).__name__}: {error}"}
