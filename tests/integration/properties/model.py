"""What people may expect of a recording, told in a few lines: the yardstick for the state machine."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from common import events as e

from tests.integration.properties.sounds import Sound
from tests.integration.properties.world import RECORDED_AT

STAGES = ("fetch", "transcribe", "index")
_FINISHES: dict[type[e.Message], int] = {
    e.RecordingFetched: 1,
    e.CaptionsFetched: 1,
    e.TranscriptCompleted: 2,
    e.AssetIndexed: 3,
}


@dataclass
class Expected:
    """A recording as its owner knows it; ``done`` counts the stages of the current run that are finished."""

    asset_id: UUID
    sound: Sound
    keep_media: str
    title: str
    collection_id: UUID
    recorded_at: datetime | None = RECORDED_AT
    run: int = 1
    version: int = 1
    done: int = 0
    begun: bool = False
    failed: set[str] = field(default_factory=set[str])
    cancelled: bool = False
    deleted: bool = False
    # Revision that a correction made -> what it reads.
    corrected: dict[int, tuple[str, ...]] = field(default_factory=dict[int, tuple[str, ...]])

    @property
    def words(self) -> tuple[str, ...]:
        """What the newest transcript reads, once there is one."""
        return self.corrected[max(self.corrected)] if self.corrected else self.sound.words

    def correct(self, revision: int, word: str, other: str) -> None:
        self.corrected[revision] = tuple(other if each == word else each for each in self.words)

    def reads(self, runs: Mapping[int, int]) -> dict[int, str]:
        """What each revision reads, given the run of each.

        A run that transcribes makes one revision of what the machine hears, and where somebody had corrected an
        earlier one, another behind it in which that is corrected again. No run transcribes twice.
        """
        texts: dict[int, tuple[str, ...]] = {}
        newest, transcribed, owing = self.sound.words, 0, None
        for revision, run in sorted(runs.items()):
            if owing is not None:
                assert run == owing, f"run {owing} did not correct again what it transcribed"
                texts[revision], owing = newest, None
            elif revision in self.corrected:
                texts[revision] = newest = self.corrected[revision]
            else:
                assert run > transcribed, f"run {run} transcribed twice"
                texts[revision], transcribed = self.sound.words, run
                owing = run if newest != self.sound.words else None
        assert owing is None
        return {revision: " ".join(words) for revision, words in texts.items()}

    @property
    def status(self) -> str:
        if self.cancelled:
            return "cancelled"
        if self.done == len(STAGES):
            return "ready"
        if self.failed - set(STAGES[: self.done]):
            return "failed"
        return "processing" if self.done or self.begun else "pending"

    @property
    def running(self) -> bool:
        return self.status in ("pending", "processing")

    def hear(self, fact: e.Message) -> None:
        """What the gateway has heard, in whatever order and however often, moves the recording forward only."""
        if self.deleted or getattr(fact, "run", None) != self.run or getattr(fact, "cause", None) == "correction":
            return
        self.done = max(self.done, _FINISHES.get(type(fact), 0))
        if isinstance(fact, e.PartPlanned):
            self.begun = True
        if isinstance(fact, e.ProcessingFailed) and fact.stage not in STAGES[: self.done]:
            self.failed.add(fact.stage)

    def edit(self, **change: Any) -> int:
        if self.deleted:
            return 404
        for name, value in change.items():
            setattr(self, name, value)
        self.version += 1
        return 200

    def cancel(self) -> int:
        if self.deleted:
            return 404
        if not self.running:
            return 409
        self.cancelled = True
        return 200

    def retry(self, from_stage: str | None) -> int:
        if self.deleted:
            return 404
        if self.running or (from_stage is None and self.status == "ready"):
            return 409
        # By itself it begins at the first unfinished stage; all of them finished, and called off: at the last.
        start = STAGES.index(from_stage) if from_stage else min(self.done, len(STAGES) - 1)
        if start > self.done:
            return 409
        self.run += 1
        self.done, self.begun, self.failed, self.cancelled = start, False, set(), False
        return 202

    def delete(self) -> int:
        if self.deleted:
            return 404
        self.deleted = True
        return 202
