"""The journey of an asset through its stages: how facts, in any order and any number, move a job forward.

A stage only ever rises (pending, processing, failed, done); finishing beats failing, because a parked message may be
replayed, and a later stage finishing proves that the earlier ones did. Cancelling is the user's word and stands.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, get_args

StageName = Literal["fetch", "transcribe", "index"]
StageStatus = Literal["pending", "processing", "done", "failed", "cancelled"]
JobStatus = Literal["pending", "processing", "ready", "failed", "cancelled"]

STAGE_NAMES: tuple[StageName, ...] = get_args(StageName)
_RECORDING_STAGES: tuple[StageName, ...] = ("fetch", "transcribe", "index")


@dataclass(frozen=True)
class Failure:
    """Why a stage gave up, in words for a person."""

    stage: str
    category: str
    message: str
    advice: str
    retryable: bool


@dataclass(frozen=True)
class Stage:
    """One step of a job; ``progress`` from 0 to 1 as of ``measured_at``, ``message`` the latest words about it."""

    name: StageName
    status: StageStatus = "pending"
    progress: float = 0.0
    message: str | None = None
    measured_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    error: Failure | None = None


@dataclass(frozen=True)
class Journey:
    """All stages of one run, in order."""

    stages: tuple[Stage, ...]
    cancelled: bool = False

    @property
    def status(self) -> JobStatus:
        if self.cancelled:
            return "cancelled"
        if all(stage.status == "done" for stage in self.stages):
            return "ready"
        if any(stage.status == "failed" for stage in self.stages):
            return "failed"
        return "pending" if all(stage.status == "pending" for stage in self.stages) else "processing"

    @property
    def stage(self) -> StageName:
        """The stage that the job is at: the first unfinished one, or the last."""
        return next((stage for stage in self.stages if stage.status != "done"), self.stages[-1]).name

    @property
    def error(self) -> Failure | None:
        return next((stage.error for stage in self.stages if stage.status == "failed"), None)

    @property
    def resume_from(self) -> StageName | None:
        """Where a retry begins by itself: the first unfinished stage; None when the job is ready."""
        return None if self.status == "ready" else self.stage

    def has(self, name: str) -> bool:
        return any(stage.name == name for stage in self.stages)


def plan(*, transcribe: bool = True) -> Journey:
    """The stages of a new recording; without recognition there is nothing to index."""
    return Journey(tuple(Stage(name) for name in (_RECORDING_STAGES if transcribe else _RECORDING_STAGES[:1])))


def finish(journey: Journey, name: str, at: datetime) -> Journey:
    """The stage, and with it every earlier one, is done."""
    if not journey.has(name):
        return journey
    last = [stage.name for stage in journey.stages].index(name)
    stages: list[Stage] = []
    for stage in journey.stages[: last + 1]:
        # Nobody saw it begin: it cannot have begun before the stage ahead of it was done.
        begun = stages[-1].finished_at if stages else None
        stages.append(_done(stage, begun or at, at))
    return replace(journey, stages=(*stages, *journey.stages[last + 1 :]))


def fail(journey: Journey, failure: Failure, at: datetime) -> Journey:
    """The stage gave up; what is done, by whichever stage, stays done."""

    def failed(stage: Stage) -> Stage:
        if stage.status in ("done", "cancelled"):
            return stage
        return replace(stage, status="failed", error=failure, started_at=stage.started_at or at, finished_at=at)

    return _change(journey, failure.stage, failed)


def advance(journey: Journey, name: str, fraction: float, message: str | None, at: datetime) -> Journey:
    """Progress of a stage in work; a late or lower figure never takes it back."""

    def advanced(stage: Stage) -> Stage:
        if stage.status not in ("pending", "processing"):
            return stage
        begun = replace(stage, status="processing", started_at=stage.started_at or at)
        progress = min(1.0, max(0.0, fraction))
        if progress < stage.progress:
            return begun
        return replace(begun, progress=progress, message=message or stage.message, measured_at=at)

    return _change(journey, name, advanced)


def cancel(journey: Journey) -> Journey:
    """Unfinished stages are called off; a job that is over is left as it is."""
    if journey.status not in ("pending", "processing"):
        return journey
    stages = tuple(
        replace(stage, status="cancelled") if stage.status in ("pending", "processing") else stage
        for stage in journey.stages
    )
    return Journey(stages, cancelled=True)


def restart(journey: Journey, from_stage: str) -> Journey:
    """The journey of the next run: earlier stages stand, ``from_stage`` and all after it begin anew.

    Raises ValueError when a stage before ``from_stage`` is not done, or there is no such stage.
    """
    names = [stage.name for stage in journey.stages]
    if from_stage not in names:
        raise ValueError(f"There is no stage {from_stage!r}; the stages are {', '.join(names)}.")
    first = names.index(from_stage)
    for stage in journey.stages[:first]:
        if stage.status != "done":
            raise ValueError(f"It cannot begin again at {from_stage!r}: the stage {stage.name!r} has not finished.")
    return Journey(journey.stages[:first] + tuple(Stage(stage.name) for stage in journey.stages[first:]))


def _done(stage: Stage, begun: datetime, at: datetime) -> Stage:
    if stage.status == "done":
        return stage
    return Stage(stage.name, "done", 1.0, started_at=stage.started_at or begun, finished_at=at)


def _change(journey: Journey, name: str, change: Callable[[Stage], Stage]) -> Journey:
    stages = tuple(change(stage) if stage.name == name else stage for stage in journey.stages)
    return replace(journey, stages=stages)
