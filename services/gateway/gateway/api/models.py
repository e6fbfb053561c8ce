"""What the gateway answers: assets, their jobs and how far they are."""

from dataclasses import asdict
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from common.categories import CATEGORIES
from pydantic import AliasChoices, BaseModel, Field

from gateway.domain import journey
from gateway.domain.pace import eta_seconds, overall_progress
from gateway.queries import assets, jobs, timeline

Kind = Literal["recording", "document", "conversation"]
AssetStatus = Literal["pending", "processing", "ready", "failed", "cancelled", "deleting"]
JobStatus = Literal["pending", "processing", "ready", "failed", "cancelled"]
StageName = journey.StageName


class Problem(BaseModel):
    """Why processing failed, in words for a person."""

    stage: str
    category: str = Field(
        description=f"One of {', '.join(CATEGORIES)}; a newer service may say others. docs/errors.md tells each"
    )
    message: str
    advice: str = Field(description="What to do about it")
    retryable: bool = Field(description="Whether a retry may help with nothing else changed")

    @classmethod
    def of(cls, failure: journey.Failure | None) -> "Problem | None":
        return cls(**asdict(failure)) if failure else None


class AssetSource(BaseModel):
    """Where an asset came from."""

    type: Literal["url", "upload", "object"]
    url: str | None = Field(default=None, validation_alias=AliasChoices("url", "link"))
    filename: str | None = None


class Asset(BaseModel):
    """A recording, document or conversation."""

    id: UUID
    short_id: str
    kind: Kind
    title: str
    collection_id: UUID
    status: AssetStatus
    stage: str = Field(description="The stage it is at: the first unfinished one, or the last")
    run: int = Field(description="Which processing this is; a retry raises it")
    version: int = Field(description="Edits of title, date, tags and collection; the value for If-Match")
    source: AssetSource
    duration_seconds: float | None
    language: str | None
    media_facts: dict[str, Any] | None
    recorded_at: datetime | None
    tags: list[str]
    error: Problem | None
    expires_at: datetime | None = Field(
        description="When the retention of its collection deletes it; null where it is kept for good"
    )
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, asset: assets.Asset) -> "Asset":
        return cls.model_validate(asdict(asset))


class StageState(BaseModel):
    """One stage of a job; `progress` from 0 to 1."""

    name: str
    status: Literal["pending", "processing", "done", "failed", "cancelled"]
    progress: float
    message: str | None
    started_at: datetime | None
    finished_at: datetime | None
    error: Problem | None

    @classmethod
    def of(cls, stage: journey.Stage) -> "StageState":
        return cls(
            name=stage.name,
            status=stage.status,
            progress=stage.progress,
            message=stage.message,
            started_at=stage.started_at,
            finished_at=stage.finished_at,
            error=Problem.of(stage.error),
        )


class Status(BaseModel):
    """How far an asset is; `progress` from 0 to 1 over all stages, `eta_seconds` judged by observed speed."""

    status: AssetStatus
    stage: str
    run: int
    progress: float
    eta_seconds: float | None
    stages: list[StageState]

    @classmethod
    def of(cls, job: jobs.Job, duration_seconds: float | None, now: datetime, rates: dict[str, float]) -> "Status":
        return cls(
            status=job.journey.status,
            stage=job.journey.stage,
            run=job.run,
            progress=overall_progress(job.journey),
            eta_seconds=eta_seconds(job.journey, now, duration_seconds, rates),
            stages=[StageState.of(stage) for stage in job.journey.stages],
        )


class Timing(BaseModel):
    """When a stage ran and for how long."""

    started_at: datetime | None
    finished_at: datetime | None
    seconds: float | None

    @classmethod
    def of(cls, stage: journey.Stage) -> "Timing":
        started, finished = stage.started_at, stage.finished_at
        seconds = (finished - started).total_seconds() if started and finished else None
        return cls(started_at=started, finished_at=finished, seconds=seconds)


class Job(BaseModel):
    """One processing of an asset; a retry makes the next one."""

    id: UUID
    asset_id: UUID
    run: int
    status: JobStatus
    stage: str
    progress: float
    attempts: int = Field(description="How often the asset was set to work, this job included")
    error: Problem | None
    timings: dict[str, Timing]
    created_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, job: jobs.Job) -> "Job":
        return cls(
            id=job.id,
            asset_id=job.asset_id,
            run=job.run,
            status=job.journey.status,
            stage=job.stage,
            progress=overall_progress(job.journey),
            attempts=job.run,
            error=Problem.of(job.journey.error),
            timings={stage.name: Timing.of(stage) for stage in job.journey.stages},
            created_at=job.created_at,
            finished_at=job.finished_at,
        )


class Accepted(BaseModel):
    """An asset that was taken in, and the job that processes it."""

    asset: Asset
    job: Job


class TimelineEvent(BaseModel):
    """One thing that happened to an asset, in words for a person."""

    id: UUID
    run: int
    event: str
    stage: str | None
    message: str
    details: dict[str, Any]
    at: datetime

    @classmethod
    def of(cls, happening: timeline.Happening) -> "TimelineEvent":
        return cls.model_validate(asdict(happening))
