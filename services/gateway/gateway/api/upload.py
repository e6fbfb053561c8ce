"""Uploading a recording: the file streams through to the fetcher while it arrives, whatever the fields' order."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any
from uuid import UUID

from common.errors import ApiError, invalid, too_large
from common.events import Source
from fastapi import APIRouter, Request, Response
from pydantic import ValidationError
from starlette.requests import ClientDisconnect

from gateway.api import models
from gateway.api.multipart import BadForm, Event, PartBegun, read_events, read_field, read_file
from gateway.api.once import OnceKey, fingerprint
from gateway.api.recordings import RecordingFields, location_of, take_in, target_collection
from gateway.auth.principal import CurrentUser, Principal
from gateway.door import Door, TheDoor
from gateway.providers.uploads import Uploaded, Uploads

router = APIRouter(prefix="/api/recordings", tags=["recordings"])

# Room for the form's fields and boundaries beside the file.
_FORM_BYTES = 1024 * 1024
_MOST_FIELDS = 200


def _form_schema() -> dict[str, Any]:
    fields = RecordingFields.model_json_schema()
    properties = {"file": {"type": "string", "format": "binary"}, **fields["properties"]}
    schema = {"type": "object", "required": ["file"], "properties": properties}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


class Form:
    """What has been read of an upload: fields by name, and the file once it is stored."""

    def __init__(self, door: Door, user: Principal) -> None:
        self._door = door
        self._user = user
        self._values: dict[str, list[str]] = {}
        self.uploads = Uploads(door.upstreams, door.signer)
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

    def fields(self) -> RecordingFields:
        """Raises ApiError 422."""
        given: dict[str, Any] = {name: values[-1] for name, values in self._values.items() if values[-1] != ""}
        if "key_terms" in given:
            given["key_terms"] = [t.strip() for v in self._values["key_terms"] for t in v.split(",") if t.strip()]
        try:
            return RecordingFields.model_validate(given)
        except ValidationError as error:
            errors = [
                {"field": ".".join(map(str, item["loc"])), "message": item["msg"]} for item in error.errors()
            ]
            raise invalid(f"{errors[0]['field']}: {errors[0]['message']}", errors=errors) from error

    async def _take_file(self, filename: str, events: AsyncIterator[Event]) -> None:
        if self.stored is not None:
            raise BadForm("The form has more than one file.")
        # What is already known to be wrong is said before the file is sent, not after.
        async with self._door.service.db.acquire() as conn:
            await target_collection(conn, self._user.user_id, self.fields().collection_id)
        self.filename = filename[:500]
        content = _limited(read_file(events), self._door.settings.max_upload_bytes)
        self.stored = await self.uploads.store(self.filename, content)


@router.post("/upload", status_code=202, summary="Add a recording by uploading it", openapi_extra=_form_schema())
async def upload_recording(
    request: Request, user: CurrentUser, door: TheDoor, response: Response, key: OnceKey = None
) -> models.Accepted:
    """Send `multipart/form-data` with the part `file`; the other fields may come before or after it."""
    _check_length(request, door)
    form = Form(door, user)
    try:
        await _read(request, form)
        accepted = await _accept(form, key)
    except BaseException:
        if form.stored is not None:
            await form.uploads.drop(form.stored.upload_id)
        raise
    response.headers["Location"] = location_of(accepted)
    return accepted
