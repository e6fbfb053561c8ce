"""Uploading a recording: the file streams through to the fetcher while it arrives, whatever the fields' order."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any, Generic, TypeVar

from common.errors import ApiError, invalid, too_large
from common.events import Source
from common.multipart import BadForm, Event, PartBegun, read_events, read_field, read_file
from common.once import Once, OnceKey
from fastapi import APIRouter, Request, Response
from pydantic import ValidationError
from starlette.requests import ClientDisconnect

from gateway.api import models
from gateway.api.processing import show_accepted
from gateway.api.recordings import PlacedFields, RecordingFields, check_target, take_in
from gateway.api.refusals import Refusal
from gateway.auth.principal import CurrentUser, Principal
from gateway.door import Door, TheDoor
from gateway.providers.uploads import Uploaded, Uploads
from gateway.queries.once import KEYS

router = APIRouter(prefix="/api/recordings", tags=["recordings"])

# Room for the form's fields and boundaries beside the file.
_FORM_BYTES = 1024 * 1024
_MOST_FIELDS = 200


Fields = TypeVar("Fields", bound=PlacedFields)


def form_schema(shape: type[PlacedFields]) -> dict[str, Any]:
    """For OpenAPI: the file, and the fields beside it."""
    fields = shape.model_json_schema()
    properties = {"file": {"type": "string", "format": "binary"}, **fields["properties"]}
    schema = {"type": "object", "required": ["file"], "properties": properties}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


class Form(Generic[Fields]):
    """What has been read of an upload: fields by name, and the file once it is stored."""

    def __init__(self, door: Door, user: Principal, shape: type[Fields], most_bytes: int) -> None:
        self._door = door
        self._user = user
        self._shape = shape
        self._most_bytes = most_bytes
        self._values: dict[str, list[str]] = {}
        self._uploads = Uploads(door.upstreams, door.signer)
        self.filename = ""
        self.stored: Uploaded | None = None

    async def read(self, events: AsyncIterator[Event]) -> None:
        async for event in events:
            if not isinstance(event, PartBegun):
                continue
            if event.name == "file":
                await self._take_file(event.filename or "", events)
            else:
                self._values.setdefault(event.name, []).append(await read_field(events))
                if sum(map(len, self._values.values())) > _MOST_FIELDS:
                    raise BadForm("The form has too many fields.")

    def fields(self) -> Fields:
        """Raises ApiError 422."""
        given: dict[str, Any] = {name: values[-1] for name, values in self._values.items() if values[-1] != ""}
        if "key_terms" in given:
            given["key_terms"] = [t.strip() for v in self._values["key_terms"] for t in v.split(",") if t.strip()]
        try:
            return self._shape.model_validate(given)
        except ValidationError as error:
            errors: list[dict[str, object]] = [
                {"field": ".".join(map(str, item["loc"])), "message": item["msg"]} for item in error.errors()
            ]
            raise invalid(f"{errors[0]['field']}: {errors[0]['message']}", errors=errors) from error

    async def drop(self) -> None:
        """Forget the stored file: nothing will refer to it."""
        if self.stored is not None:
            await self._uploads.drop(self.stored.upload_id)

    async def _take_file(self, filename: str, events: AsyncIterator[Event]) -> None:
        if self.stored is not None:
            raise BadForm("The form has more than one file.")
        # What is already known to be wrong is said before the file is sent, not after.
        async with self._door.service.db.acquire() as conn:
            await check_target(conn, self._user.user_id, self.fields())
        self.filename = filename[:500]
        content = _limited(read_file(events), self._most_bytes)
        self.stored = await self._uploads.store(self.filename, content)


@router.post(
    "/upload",
    status_code=202,
    response_model=models.Accepted,
    summary="Add a recording by uploading it",
    openapi_extra=form_schema(RecordingFields),
)
async def upload_recording(
    request: Request, user: CurrentUser, door: TheDoor, response: Response, key: OnceKey = None
) -> models.Accepted | Response:
    """Send `multipart/form-data` with the part `file`; the other fields may come before or after it."""
    most = door.settings.max_upload_bytes
    form = Form(door, user, RecordingFields, most)
    # An ApiError or a client that leaves means that nothing was registered. After any other error that is not
    # known, and the file stays: the fetcher sweeps what nobody uses.
    try:
        check_length(request, most)
        fields, stored = await read_form(request, form)
        source = Source(type="upload", upload_id=stored.upload_id, filename=form.filename or None)
        asked = (fields.model_dump_json(), form.filename, stored.sha256)
        creation = Once.of(KEYS, user.user_id, key, "POST /api/recordings/upload", *asked)
        asset_id, fresh = await take_in(door, user, fields, source, creation)
    except ApiError as refusal:
        await form.drop()
        return Refusal(request, refusal)
    except ClientDisconnect:
        await form.drop()
        raise
    if not fresh:
        await form.drop()
    response.headers["Location"] = f"/api/recordings/{asset_id}"
    return await show_accepted(door, asset_id)


def check_length(request: Request, most: int) -> None:
    """Raises ApiError 413 before anything is read, where the client says how much it will send."""
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > most + _FORM_BYTES:
        raise _too_large(most)


async def read_form(request: Request, form: Form[Fields]) -> tuple[Fields, Uploaded]:
    """Raises ApiError 400, 413 or 422."""
    try:
        async with aclosing(read_events(request.headers.get("content-type", ""), request.stream())) as events:
            await form.read(events)
    except BadForm as bad:
        raise ApiError(400, "bad_request", str(bad), advice="Send multipart/form-data with a part 'file'.") from bad
    if form.stored is None:
        raise invalid("file: the form has no part named 'file'.")
    if form.stored.size_bytes == 0:
        raise ApiError(422, "empty", "The file is empty.", advice="Check that the right file was chosen.")
    return form.fields(), form.stored


async def _limited(pieces: AsyncIterator[bytes], most: int) -> AsyncIterator[bytes]:
    size_bytes = 0
    async for piece in pieces:
        size_bytes += len(piece)
        if size_bytes > most:
            raise _too_large(most)
        yield piece


def _too_large(most: int) -> ApiError:
    return too_large(
        f"The file is larger than {most} bytes, the most that this server takes.",
        advice="Split it, or ask the operator to raise the limit.",
    )
