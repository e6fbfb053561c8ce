"""Whisper's process on a simulated clock: how its windows are batched, and what the accelerator makes of it.

The accelerator is a stated linear model: a batch takes FIXED + ROW x rows x (its longest window / 30 s), the same order
as Whisper large on a data-centre GPU. Reading sound and making a spectrogram takes PREPARING of a CPU thread for each
window, timing its words TIMING. The worker holds PARTS_AT_ONCE parts of many recordings and takes another whenever one
is done, as the consumer does.
"""

import heapq
import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from asr.domain.batching import Waiting, Window, padding
from asr.domain.cut import Part, cut_parts
from asr.domain.spans import Span
from asr.domain.windows import windows_of

FIXED, ROW = 0.150, 0.020
PREPARING, TIMING, THREADS = 0.050, 0.080, 8
BATCH, PARTS_AT_ONCE, PART_SECONDS = 16, 8, 300.0


@dataclass(frozen=True)
class Recording:
    language: str
    parts: list[Part]


def recordings(seed: int, count: int = 60) -> list[Recording]:
    """Of 2 to 60 minutes; talk as in meetings; every eighth in another language."""
    chance = random.Random(seed)
    made: list[Recording] = []
    for at in range(count):
        utterances: list[Span] = []
        now, end = 0.0, chance.uniform(120, 3600)
        while now < end:
            now += chance.uniform(0.45, 1.6)
            length = min(20.0, chance.lognormvariate(1.0, 0.7))
            utterances.append(Span(now, now + length))
            now += length
        parts = cut_parts(windows_of(utterances, 30.0), PART_SECONDS, 300.0)
        made.append(Recording("de" if at % 8 == 7 else "en", parts))
    return made


def cost(batch: list[Window]) -> float:
    return FIXED + ROW * len(batch) * max(window.seconds for window in batch) / 30.0


@dataclass
class Worker:
    """The stages of ``whisperx_work`` with times in the place of work."""

    parts: Iterator[tuple[str, Part]]
    waiting: Waiting = field(default_factory=Waiting)
    threads: list[float] = field(default_factory=lambda: [0.0] * THREADS)
    events: list[tuple[float, int, Window | None, int]] = field(default_factory=list)
    left: dict[int, int] = field(default_factory=dict)
    part_of: dict[int, int] = field(default_factory=dict)
    batches: list[list[Window]] = field(default_factory=list)
    numbers: int = 0
    busy: float = 0.0

    def take_part(self, now: float) -> None:
        """The consumer's next delivery: its windows go to the threads."""
        taken = next(self.parts, None)
        if taken is None:
            return
        language, part = taken
        held = len(self.left)
        self.left[held] = len(part.utterances)
        for utterance in part.utterances:
            window = Window(self.numbers, language, utterance.seconds)
            self.part_of[window.number] = held
            self.numbers += 1
            heapq.heappush(self.events, (self.on_a_thread(now, PREPARING), window.number, window, held))

    def on_a_thread(self, now: float, seconds: float) -> float:
        """When it will be done by the thread that is free first."""
        done = max(now, heapq.heappop(self.threads)) + seconds
        heapq.heappush(self.threads, done)
        return done

    def run(self) -> float:
        """Until nothing is left; the second at which the last word is timed."""
        now = end = 0.0
        for _ in range(PARTS_AT_ONCE):
            self.take_part(0.0)
        while self.events or len(self.waiting):
            while self.events and (self.events[0][0] <= now or not len(self.waiting)):
                at, _, window, part = heapq.heappop(self.events)
                now = max(now, at)
                if window is not None:
                    self.waiting.add(window)
                else:
                    self.finish(part, at)
            if batch := self.waiting.take(BATCH):
                self.batches.append(batch)
                self.busy += cost(batch)
                now += cost(batch)
                for window in batch:
                    done = self.on_a_thread(now, TIMING)
                    end = max(end, done)
                    heapq.heappush(self.events, (done, window.number, None, self.part_of[window.number]))
        return end

    def finish(self, part: int, now: float) -> None:
        self.left[part] -= 1
        if not self.left[part]:
            self.take_part(now)


def one_file_at_a_time(made: list[Recording], threads: int) -> float:
    """Prepare a batch of one file, recognise it, time its words; then the next. WhisperX's own loop has one thread."""
    seconds = 0.0
    for recording in made:
        windows = [utterance for part in recording.parts for utterance in part.utterances]
        for first in range(0, len(windows), BATCH):
            batch = [Window(at, "", window.seconds) for at, window in enumerate(windows[first : first + BATCH])]
            seconds += cost(batch) + (PREPARING + TIMING) * -(-len(batch) // threads)
    return seconds


def arriving(made: list[Recording]) -> Iterator[tuple[str, Part]]:
    return ((recording.language, part) for recording in made for part in recording.parts)


@dataclass(frozen=True)
class Scheduled:
    """``busy`` and ``padding`` are shares, 0 to 1; the others say how many times as long another way takes."""

    windows: int
    recognised: int
    busy: float
    padding: float
    beside_one_file: float  # at a time, on one thread, as in WhisperX's own loop
    beside_one_file_on_threads: float


def schedule(seed: int) -> Scheduled:
    made = recordings(seed)
    worker = Worker(arriving(made))
    took = worker.run()
    rows = sum(map(len, worker.batches))
    return Scheduled(
        windows=sum(len(part.utterances) for recording in made for part in recording.parts),
        recognised=rows,
        busy=worker.busy / took,
        padding=sum(padding(batch) * len(batch) for batch in worker.batches) / rows,
        beside_one_file=one_file_at_a_time(made, threads=1) / took,
        beside_one_file_on_threads=one_file_at_a_time(made, threads=THREADS) / took,
    )
