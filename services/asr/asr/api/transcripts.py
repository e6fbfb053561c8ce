"""HTTP in: transcripts in every format, their revisions and speakers."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from common.db import Connection, Database
from common.errors import not_found
from common.identity import AssetViewer
from common.ids import short_id
from common.transcript import Speaker, Transcript
from fastapi import APIRouter, Query, Response
from pydantic import BaseModel

from asr.domain.formats import FORMS, TextFormat
from asr.domain.join import join_parts
from asr.handlers.joining import heading_of
from asr.queries import recognition, transcripts
from asr.reading import for_reader, read_held

Format = Literal["json"] | TextFormat
VIEWER: dict[str, Any] = {"x-earshot-role": "viewer"}
_OTHER_FORMS: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            form.media_type: {"schema": {"type": "string"}} for name, form in FORMS.items() if name != "podcast"
        }
    }
}


class TranscriptRevision(BaseModel):
    """One finished transcript of a recording, without its text; ``made_by`` is null where no person made it."""

    revision: int
    run: int
    language: str
    engine: str
    duration_seconds: float
    warnings: list[str]
    segment_count: int
    word_count: int
    change: str
    made_by: UUID | None
    created_at: datetime


class RevisionList(BaseModel):
    items: list[TranscriptRevision]
    next_cursor: str | None


class SpeakerTalk(Speaker):
    """A speaker, and how much they say in the newest transcript."""

    segment_count: int
    speech_seconds: float


class SpeakerList(BaseModel):
    items: list[SpeakerTalk]
    next_cursor: str | None = None


def make_router(db: Database) -> APIRouter:
    """The routes below one recording."""
    router = APIRouter(prefix="/api/recordings/{asset_id}", tags=["Transcripts and speakers"])

    @router.get(
        "/transcript",
        summary="Read the transcript",
        response_model=Transcript,
        response_model_exclude_none=True,
        responses=_OTHER_FORMS,
        openapi_extra=VIEWER,
    )
    async def transcript(
        asset_id: UUID,
        caller: AssetViewer,
        form: Annotated[
            Format,
            Query(alias="format", description="json, or a file: subtitles, text, or the podcast namespace's JSON"),
        ] = "json",
        words: Annotated[bool, Query(description="With every word's own times (json)")] = True,
        revision: Annotated[int | None, Query(ge=1, description="An earlier revision")] = None,
    ) -> Response:
        """Finished parts of a running job are served with `complete: false`; before the first there is none."""
        async with db.acquire() as conn:
            found = await for_reader(conn, await _read(conn, asset_id, revision), caller.user_id)
        return _json(found, words=words) if form == "json" else _text(found, form)

    @router.get(
        "/transcript/revisions",
        summary="List the transcript's revisions",
        response_model=RevisionList,
        openapi_extra=VIEWER,
    )
    async def revisions(
        asset_id: UUID,
        caller: AssetViewer,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
        cursor: Annotated[int | None, Query(description="`next_cursor` of the page before")] = None,
    ) -> RevisionList:
        """Newest first."""
        async with db.acquire() as conn:
            rows = await transcripts.list_revisions(conn, asset_id, cursor, limit + 1)
        items = [TranscriptRevision.model_validate(row, from_attributes=True) for row in rows[:limit]]
        return RevisionList(items=items, next_cursor=str(items[-1].revision) if len(rows) > limit else None)

    @router.get("/speakers", summary="List the speakers", response_model=SpeakerList, openapi_extra=VIEWER)
    async def speakers(asset_id: UUID, caller: AssetViewer) -> SpeakerList:
        """The voices of the newest transcript, in the order in which they are first heard."""
        async with db.acquire() as conn:
            found = await for_reader(conn, await _read(conn, asset_id, None), caller.user_id)
        return SpeakerList(items=[_talk(found, speaker) for speaker in found.speakers])

    return router


async def _read(conn: Connection, asset_id: UUID, revision: int | None) -> Transcript:
    """The newest finished transcript, else what is recognised so far. Raises ApiError 404."""
    held = await read_held(conn, asset_id, revision)
    if held is not None:
        return held.transcript
    row = await recognition.read_transcription(conn, asset_id) if revision is None else None
    parts = await recognition.recognised_words(conn, asset_id) if row else []
    if row is None or not parts:
        raise not_found("There is no transcript yet.", advice="Look at the recording's status.")
    warnings = await recognition.part_warnings(conn, asset_id)
    return join_parts(heading_of(row, 0, complete=False, warnings=warnings), parts)


def _json(transcript: Transcript, *, words: bool) -> Response:
    leave_out = None if words else {"segments": {"__all__": {"words"}}}
    body = transcript.model_dump_json(exclude_none=True, exclude=leave_out)
    return Response(body, media_type="application/json", headers=_headers(transcript))


def _text(transcript: Transcript, wanted: TextFormat) -> Response:
    form = FORMS[wanted]
    name = f"transcript-{short_id(transcript.asset_id)}.{form.extension}"
    headers = {**_headers(transcript), "Content-Disposition": f'inline; filename="{name}"'}
    return Response(form.render(transcript), media_type=form.media_type, headers=headers)


def _headers(transcript: Transcript) -> dict[str, str]:
    """The revision, as edits will name it; what is not complete changes without one."""
    return {"ETag": f'"{transcript.revision}"'} if transcript.complete else {"Cache-Control": "no-store"}


def _talk(transcript: Transcript, speaker: Speaker) -> SpeakerTalk:
    own = [segment for segment in transcript.segments if segment.speaker == speaker.id]
    seconds = round(sum(segment.end - segment.start for segment in own), 2)
    return SpeakerTalk(**speaker.model_dump(), segment_count=len(own), speech_seconds=seconds)
