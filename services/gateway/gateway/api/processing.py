"""Processing as users see it: status, timeline, jobs, retry and cancel."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from common.errors import Stale, conflict, not_found
from common.events import Priority
from fastapi import APIRouter, Body, Query
from pydantic import Field, model_validator

from gateway import processing
from gateway.api import models
from gateway.api.assets import show_asset
from gateway.api.fields import Asked
from gateway.api.paging import Page, PageAsked
from gateway.auth.access import EditedAsset, ViewedAsset, as_uuid, no_asset
from gateway.auth.principal import CurrentUser
from gateway.door import Door, TheDoor
from gateway.queries import assets, jobs, timeline
from gateway.queries.jobs import JobFilter

_ADVICE = {
    processing.NO_SOUND: "Add its sound: POST /api/recordings/upload with its id as asset_id. The text stays as it is."
}


class Retry(Asked):
    """Where to begin again; by itself at the first stage that has not finished."""

    from_stage: models.StageName | None = None
    recognise: bool = Field(
        default=False,
        description="Listen to the sound of a recording whose text is that of captions: its words get exact times",
    )
    priority: Priority | None = Field(
        default=None,
        description="Of this run: `bulk` for many at once, which must not delay others; the asset's own when left out",
    )

    @model_validator(mode="after")
    def _from_where_it_is_done(self) -> "Retry":
        if self.recognise and self.from_stage == "index":
            raise ValueError("recognise begins at transcribe or before")
        return self


async def get_status(seen: ViewedAsset, door: TheDoor) -> models.Status:
    """How far the asset is, stage by stage, and how long it may still take."""
    return await show_status(door, seen.asset_id)


async def show_status(door: Door, asset_id: UUID) -> models.Status:
    rates = await door.rates()
    async with door.service.db.acquire() as conn:
        asset = await assets.asset_by_id(conn, asset_id)
        job = await jobs.job_of_run(conn, asset_id, asset.run) if asset else None
    if asset is None or job is None:
        raise no_asset()
    return models.Status.of(job, asset.duration_seconds, datetime.now(UTC), rates)


async def get_timeline(seen: ViewedAsset, page: PageAsked, door: TheDoor) -> Page[models.TimelineEvent]:
    """What happened to the asset, oldest first."""
    async with door.service.db.acquire() as conn:
        rows = await timeline.happenings_after(conn, seen.asset_id, page.beyond, page.lookahead)
    return page.page(rows, models.TimelineEvent.of, lambda row: row.id)


async def retry_asset(
    seen: EditedAsset, door: TheDoor, wish: Annotated[Retry | None, Body()] = None
) -> models.Accepted:
    """Begin the next run; what earlier stages finished is kept."""
    try:
        async with door.service.transaction() as tx:
            wish = wish or Retry()
            await processing.retry(tx, seen.asset_id, wish.from_stage, recognise=wish.recognise, priority=wish.priority)
    except ValueError as error:
        raise conflict(str(error), advice=_ADVICE.get(str(error), "See its status.")) from error
    except Stale:
        raise no_asset() from None
    return await show_accepted(door, seen.asset_id)


async def cancel_asset(seen: EditedAsset, door: TheDoor) -> models.Accepted:
    """Call off the current run; finished text and media stay."""
    try:
        async with door.service.transaction() as tx:
            await processing.cancel(tx, seen.asset_id)
    except ValueError as error:
        raise conflict(str(error)) from error
    except Stale:
        raise no_asset() from None
    return await show_accepted(door, seen.asset_id)


async def show_accepted(door: Door, asset_id: UUID) -> models.Accepted:
    """The asset with the job of its current run. Raises ApiError 404."""
    asset = await show_asset(door, asset_id)
    async with door.service.db.acquire() as conn:
        job = await jobs.job_of_run(conn, asset_id, asset.run)
    if job is None:
        raise no_asset()
    return models.Accepted(asset=asset, job=models.Job.of(job))


async def list_jobs(
    page: PageAsked,
    user: CurrentUser,
    door: TheDoor,
    asset_id: Annotated[UUID | None, Query()] = None,
    status: models.JobStatus | None = None,
    stage: models.StageName | None = None,
    collection_id: UUID | None = None,
) -> Page[models.Job]:
    """Newest first."""
    which = JobFilter(asset_id=asset_id, status=status, stage=stage, collection_id=collection_id)
    async with door.service.db.acquire() as conn:
        rows = await jobs.jobs_before(conn, user.user_id, which, page.beyond, page.lookahead)
    return page.page(rows, models.Job.of, lambda row: row.id)


async def get_job(job_id: str, user: CurrentUser, door: TheDoor) -> models.Job:
    """One processing of an asset, with its timings."""
    found = as_uuid(job_id)
    async with door.service.db.acquire() as conn:
        job = await jobs.job_for(conn, user.user_id, found) if found else None
    if job is None:
        raise not_found("There is no such job.")
    return models.Job.of(job)


def processing_router(prefix: str, tag: str) -> APIRouter:
    """The routes under ``/api/assets`` or under a kind's own name."""
    router = APIRouter(prefix=prefix, tags=[tag])
    viewer, editor = {"x-earshot-role": "viewer"}, {"x-earshot-role": "editor"}
    router.get("/{asset_id}/status", summary="How far it is", openapi_extra=viewer)(get_status)
    router.get("/{asset_id}/timeline", summary="What happened to it", openapi_extra=viewer)(get_timeline)
    router.post("/{asset_id}/retry", status_code=202, summary="Process again", openapi_extra=editor)(retry_asset)
    router.post("/{asset_id}/cancel", summary="Stop processing", openapi_extra=editor)(cancel_asset)
    return router


def jobs_router() -> APIRouter:
    router = APIRouter(prefix="/api/jobs", tags=["jobs"])
    router.get("", summary="List jobs")(list_jobs)
    router.get("/{job_id}", summary="Read one")(get_job)
    return router
