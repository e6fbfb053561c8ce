"""The form of `POST /v1/audio/transcriptions`, read as it arrives."""

from collections.abc import AsyncIterator, Collection
from contextlib import aclosing
from pathlib import Path
from typing import Annotated, Any, Literal, cast

from common.errors import ApiError, too_large
from common.multipart import BadForm, Event, PartBegun, read_events, read_field, read_file
from common.openai import bad_request, model_not_found
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from starlette.datastructures import Headers

from asr.speech import Asked

Granularity = Literal["word", "segment"]
# Clients and tools send them without asking whom they speak to: whatever engine is set.
_ANY_MODEL = frozenset(
    {
        "default",
        "auto",
        "whisper-1",
        "gpt-transcribe",
        "gpt-4o-transcribe",
        "gpt-4o-mini-transcribe",
        "gpt-4o-transcribe-diarize",
    }
)
_STREAMED = ("json", "text", "diarized_json")
# Room for the form's fields and boundaries beside the file.
_FORM_BYTES = 1024 * 1024
_MOST_FIELDS = 100
# Whoever sends more than that is cut off.
_PASSED_BYTES = 1 << 30


def _last(value: Any) -> Any:
    return cast("list[Any]", value)[-1] if isinstance(value, list) else value


Once = BeforeValidator(_last)


class SpeechForm(BaseModel):
    """OpenAI's parameters; those that say nothing to our engines are accepted and ignored."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)

    model: Annotated[str, Once] = Field(
        min_length=1,
        max_length=200,
        description="`default`, a model of OpenAI's (the engine that is set), or an engine",
    )
    language: Annotated[str | None, Once] = Field(default=None, max_length=20, description="ISO 639-1")
    prompt: Annotated[str, Once] = Field(
        default="", max_length=10_000, description="Names and terms as they are spelled, separated by commas"
    )
    response_format: Annotated[Literal["json", "text", "srt", "vtt", "verbose_json", "diarized_json"], Once] = "json"
    temperature: Annotated[float, Once] = Field(default=0.0, ge=0, le=1, description="Accepted, of no effect")
    granularities: list[Granularity] = Field(default=["segment"], alias="timestamp_granularities[]")
    stream: Annotated[bool, Once] = False

    def asked(self, engines: Collection[str]) -> Asked:
        terms = (term.strip() for term in self.prompt.replace("\n", ",").split(","))
        return Asked(
            engine=self.model if self.model in engines else None,
            language=self.language or None,
            key_terms=tuple(term for term in terms if term),
            speakers=self.response_format == "diarized_json",
        )


def _form_schema() -> dict[str, Any]:
    schema = SpeechForm.model_json_schema()
    properties = {"file": {"type": "string", "format": "binary"}, **schema["properties"]}
    body = {"type": "object", "required": ["file", "model"], "properties": properties}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": body}}}}


FORM = _form_schema()


async def read_form(
    headers: Headers, body: AsyncIterator[bytes], room: Path, max_bytes: int
) -> tuple[dict[str, list[str]], Path]:
    """The fields, and the file in ``room``. Raises ApiError 400 or 413, perhaps before the body is read."""
    declared = headers.get("content-length", "")
    if declared.isdigit() and int(declared) > max_bytes + _FORM_BYTES:
        raise _too_large(max_bytes)
    fields: dict[str, list[str]] = {}
    file = room / "sound"
    try:
        async with aclosing(read_events(headers.get("content-type", ""), body)) as events:
            await _read(events, fields, file, max_bytes)
    except BadForm as bad:
        raise bad_request("file", str(bad)) from bad
    if not file.exists():
        raise bad_request("file", "The form has no part named 'file'.")
    return fields, file


async def read_past(body: AsyncIterator[bytes]) -> None:
    """The rest of a refused body: the gateway reads the answer only when it has sent all, and loses it if cut off."""
    passed = 0
    async for piece in body:
        passed += len(piece)
        if passed > _PASSED_BYTES:
            return


async def _read(events: AsyncIterator[Event], fields: dict[str, list[str]], file: Path, max_bytes: int) -> None:
    async for event in events:
        if not isinstance(event, PartBegun):
            continue
        if event.name == "file":
            if file.exists():
                raise BadForm("The form has more than one file.")
            await _store(read_file(events), file, max_bytes)
        else:
            fields.setdefault(event.name, []).append(await read_field(events))
            if sum(map(len, fields.values())) > _MOST_FIELDS:
                raise BadForm("The form has too many fields.")


async def _store(pieces: AsyncIterator[bytes], file: Path, max_bytes: int) -> None:
    size_bytes = 0
    with file.open("wb") as target:
        async for piece in pieces:
            size_bytes += len(piece)
            if size_bytes > max_bytes:
                raise _too_large(max_bytes)
            target.write(piece)


def check_form(fields: dict[str, list[str]], engines: Collection[str]) -> SpeechForm:
    """Raises ApiError 400, or 404 for a model that is not here."""
    values: dict[str, list[str]] = {name: given for name, given in fields.items() if any(given)}
    if "timestamp_granularities" in values:
        values.setdefault("timestamp_granularities[]", values["timestamp_granularities"])
    try:
        form = SpeechForm.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else "body"
        raise bad_request(name, f"{name}: {first['msg']}") from error
    if form.model not in _ANY_MODEL and form.model not in engines:
        raise model_not_found(form.model, f"Use default, or one of: {', '.join(engines)}.")
    if "timestamp_granularities[]" in values and form.response_format != "verbose_json":
        raise bad_request("timestamp_granularities", "timestamp_granularities need response_format verbose_json.")
    if form.stream and form.response_format not in _STREAMED:
        raise bad_request("stream", f"A stream is given as {', '.join(_STREAMED)}.")
    return form


def _too_large(max_bytes: int) -> ApiError:
    return too_large(
        f"The file is larger than {max_bytes} bytes.",
        advice="Compress or cut it, or add it as a recording: POST /api/recordings/upload.",
    )
