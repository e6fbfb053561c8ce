"""Subtitle files become recordings without sound: one for each file, alone or out of a ZIP."""

from uuid import UUID

from common.errors import ApiError, invalid
from common.events import Source
from common.ids import uuid7
from common.once import Once, OnceKey
from common.subtitles import FoundSubtitles, RefusedFile
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field
from starlette.requests import ClientDisconnect

from gateway.api import models
from gateway.api.recordings import PlacedFields, register_wish
from gateway.api.refusals import Refusal
from gateway.api.upload import Form, check_length, form_schema, read_form
from gateway.auth.access import no_asset
from gateway.auth.principal import CurrentUser, Principal
from gateway.door import Door, TheDoor
from gateway.providers.uploads import Uploads
from gateway.queries import jobs
from gateway.queries.once import KEYS

router = APIRouter(prefix="/api/transcripts", tags=["recordings"])


class TakenIn(BaseModel):
    """One job for each subtitle file; each job's asset is a recording without sound."""

    jobs: list[models.Job]
    refused: list[RefusedFile] = Field(description="Files of the ZIP that cannot be read; the others are taken")


@router.post(
    "/upload",
    status_code=202,
    response_model=TakenIn,
    summary="Add transcripts by uploading subtitle files",
    openapi_extra=form_schema(PlacedFields),
)
async def upload_transcripts(
    request: Request, user: CurrentUser, door: TheDoor, response: Response, key: OnceKey = None
) -> TakenIn | Response:
    """Send `multipart/form-data` with the part `file`: SubRip, WebVTT or TTML, or a ZIP of them.

    Files of a ZIP are titled by their names. 422 when not one file can be read.
    """
    most = door.settings.max_subtitles_bytes
    form = Form(door, user, PlacedFields, most)
    uploads = Uploads(door.upstreams, door.signer)
    found = FoundSubtitles()
    # An ApiError or a client that leaves means that nothing was registered. After any other error that is not
    # known, and the files stay: the fetcher sweeps what nobody uses.
    try:
        check_length(request, most)
        fields, stored = await read_form(request, form)
        found = await uploads.subtitles(stored.upload_id)
        _check(found, fields)
        asked = (fields.model_dump_json(), form.filename, stored.sha256)
        creation = Once.of(KEYS, user.user_id, key, "POST /api/transcripts/upload", *asked)
        asset_ids, fresh = await _take_in(door, user, fields, found, creation)
    except ApiError as refusal:
        await form.drop()
        await _drop(uploads, found)
        return Refusal(request, refusal)
    except ClientDisconnect:
        await form.drop()
        raise
    if not fresh:
        await _drop(uploads, found)
    if len(asset_ids) == 1:
        response.headers["Location"] = f"/api/recordings/{asset_ids[0]}"
    return TakenIn(jobs=await _jobs(door, user, asset_ids), refused=found.refused)


def _check(found: FoundSubtitles, fields: PlacedFields) -> None:
    """Raises ApiError 422."""
    if fields.title and len(found.files) > 1:
        raise invalid("title: one title cannot name several transcripts.", advice="Leave it out: files have names.")
    if found.files:
        return
    first = found.refused[0]
    raise ApiError(
        422,
        first.category,
        f"None of the ZIP's files can be read. {first.filename}: {first.reason}",
        advice=first.advice,
        errors=[{"field": one.filename, "message": one.reason} for one in found.refused],
    )


async def _take_in(
    door: Door, user: Principal, fields: PlacedFields, found: FoundSubtitles, creation: Once
) -> tuple[list[UUID], bool]:
    """Register an asset for each file, all or none, once per Idempotency-Key: their ids, and whether they are new."""
    async with door.service.transaction() as tx:
        first, fresh = await creation.claim(tx.conn, uuid7())
        # A key stands for one id: the others are counted from it, so that a repetition finds them.
        asset_ids = [UUID(int=first.int + number) for number in range(len(found.files))]
        if fresh:
            for asset_id, file in zip(asset_ids, found.files, strict=True):
                source = Source(
                    type="upload", upload_id=file.upload_id, filename=file.filename or None, content="captions"
                )
                await register_wish(tx, user, fields, source, asset_id)
    return asset_ids, fresh


async def _jobs(door: Door, user: Principal, asset_ids: list[UUID]) -> list[models.Job]:
    """Of the assets that the user may still see. Raises ApiError 404 when none is left."""
    async with door.service.db.acquire() as conn:
        found = await jobs.current_jobs(conn, user.user_id, asset_ids)
    if not found:
        raise no_asset()
    return [models.Job.of(job) for job in found]


async def _drop(uploads: Uploads, found: FoundSubtitles) -> None:
    """Nothing will refer to these files."""
    for file in found.files:
        await uploads.drop(file.upload_id)
