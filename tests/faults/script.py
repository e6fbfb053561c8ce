"""What the load will do, decided by the seed alone: which recordings, in which way, and what is done to each later.

A job is one run of a recording. A fresh one costs several times the processor time of one that begins again at the
index, so most jobs are runs of recordings that are there already; the mix is stated here.
"""

import itertools
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

from tests.faults import tones

Choice = TypeVar("Choice")
Act = Literal["retry", "edit", "move", "cancel", "delete", "correct"]
Flaw = Literal["not_media", "missing", "engine"]
Way = Literal["upload", "url", "broker", "incoming", "captions"]

COLLECTIONS = 3
FIRST_NUMBER = 10_000_000
# Weights. Retries are named by the stage they begin at.
WAYS: dict[Way, float] = {"upload": 50, "url": 28, "broker": 16, "incoming": 6}
UTTERANCES = {1: 70, 3: 10, 6: 14, 8: 6}
ACTS: dict[tuple[Act, str | None], float] = {
    ("retry", "index"): 52,
    ("retry", "transcribe"): 18,
    ("retry", "fetch"): 10,
    ("edit", None): 8,
    ("move", None): 6,
    ("cancel", None): 10,
}
MOST_STEPS = 12
FLAWS: dict[Flaw | None, float] = {None: 970, "not_media": 10, "missing": 10, "engine": 10}
# Shares.
SILENT, TWINS, BULK, UNKEPT, DELETED, DELETED_EARLY, REPEATED = 0.02, 0.08, 0.3, 0.3, 0.15, 0.5, 0.4
# Said in every first utterance.
CORRECTION = {"alpha": "omega"}
# A cancellation or deletion meets its run anywhere on the road.
_ROAD_SECONDS = 2.5


@dataclass(frozen=True)
class Step:
    """One thing done to a recording; ``after_seconds`` is counted from the moment its last run was accepted.

    A retry begins at ``stage`` when the run before it is over; a deletion that is not ``early`` waits for that, too.
    """

    act: Act
    stage: str | None = None
    after_seconds: float = 0.0
    early: bool = False


@dataclass(frozen=True)
class Plan:
    """One recording; ``number`` is what it says. Twins say the same, byte by byte."""

    index: int
    number: int
    utterances: int
    way: Way
    collection: int
    priority: Literal["interactive", "bulk"]
    keep_media: Literal["audio", "none"]
    flaw: Flaw | None
    # How many more times a request by the broker is published.
    repeats: int
    steps: tuple[Step, ...]

    @property
    def name(self) -> str:
        return f"rig-{self.index}"

    @property
    def words(self) -> list[str]:
        """What its transcript says."""
        return tones.words_of(self.number, self.utterances)

    @property
    def corrected(self) -> list[str]:
        """What it says once somebody has corrected it."""
        return [CORRECTION.get(word, word) for word in self.words]

    @property
    def captions(self) -> bytes:
        """What it says as a subtitle file: a cue for each utterance."""
        said = zip(self.words[::2], self.words[1::2], strict=True)
        cues = [f"00:{at:02}.000 --> 00:{at + 1:02}.000\n{' '.join(words)}\n" for at, words in enumerate(said)]
        return "\n".join(["WEBVTT\n", *cues]).encode()

    @property
    def sound(self) -> bytes:
        return tones.record(self.number, self.utterances) if self.utterances else tones.silence()


def plans(seed: int) -> Iterator[Plan]:
    """Without end; each depends on the seed and its index alone."""
    return (plan(seed, index) for index in itertools.count())


def plan(seed: int, index: int) -> Plan:
    chance = random.Random(f"{seed} recording {index}")
    number, utterances = _content(chance, index)
    way, flaw = _pick(chance, WAYS), _pick(chance, FLAWS)
    if index and chance.random() < TWINS:
        elder = random.Random(f"{seed} recording {index - 1}")
        number, utterances = _content(elder, index - 1)
    way = {"not_media": "upload", "missing": "url"}.get(flaw or "", way)
    unkept = way == "url" and flaw is None and chance.random() < UNKEPT
    return Plan(
        index=index,
        number=number,
        utterances=utterances,
        way=way,
        collection=chance.randrange(COLLECTIONS),
        priority="bulk" if chance.random() < BULK else "interactive",
        keep_media="none" if unkept else "audio",
        flaw=flaw,
        repeats=chance.randint(1, 3) if chance.random() < REPEATED else 0,
        steps=_steps(chance, unkept=unkept) if flaw is None else (),
    )


def _content(chance: random.Random, index: int) -> tuple[int, int]:
    silent = chance.random() < SILENT
    return FIRST_NUMBER + index, 0 if silent else _pick(chance, UTTERANCES)


def _steps(chance: random.Random, *, unkept: bool) -> tuple[Step, ...]:
    steps = [_step(chance) for _ in range(chance.randint(1, MOST_STEPS))]
    if unkept:
        # Its sound is gone once it is transcribed.
        steps = [step for step in steps if step.stage != "transcribe"]
    if chance.random() < DELETED:
        early = chance.random() < DELETED_EARLY
        steps.append(Step("delete", None, chance.uniform(0, _ROAD_SECONDS) if early else 0.0, early))
    return tuple(steps)


def _step(chance: random.Random) -> Step:
    act, stage = _pick(chance, ACTS)
    return Step(act, stage, chance.uniform(0, _ROAD_SECONDS) if act == "cancel" else 0.0)


def _pick(chance: random.Random, weights: Mapping[Choice, float]) -> Choice:
    return chance.choices(list(weights), list(weights.values()))[0]
