"""Recordings: adding them, their media and their transcripts."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypedDict, Unpack
from uuid import uuid4

import httpx

from earshot.models import Accepted, Analytics, Transcript
from earshot.transport import Answered, Transport, given, parse, raise_for_error
from earshot.upload import CountedFile, Progress, media_type

PARTIAL_CONTENT = 206
# The server answers an upload when it has stored it, which may take a while after the last byte was sent.
UPLOAD_TIMEOUT = httpx.Timeout(60.0, read=900.0)


class RecordingFields(TypedDict, total=False):
    """What may be said about a recording when it is added; all of it is optional."""

    collection_id: str
    title: str
    recorded_at: datetime
    language: str
    min_speakers: int
    max_speakers: int
    transcribe: bool
    diarize: bool
    engine: str
    key_terms: list[str]
    captions: str
    keep_media: str
    priority: str
    webhook_url: str
    # Where people find what is sent as a file.
    source_url: str
    # A recording that was added as a subtitle file: this is its sound.
    asset_id: str


@dataclass(frozen=True)
class Media:
    """Bytes `start` to `end` (exclusive) of `total_bytes`, handed out in pieces."""

    content_type: str
    start: int
    end: int
    total_bytes: int
    pieces: Iterator[bytes]


class Recordings:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def add_url(self, url: str, **fields: Unpack[RecordingFields]) -> Accepted:
        """Let the server fetch a recording by itself; answers as soon as the server has noted it."""
        body = {"url": url, **as_json(fields)}
        return self._transport.fetch(Accepted, "POST", "/api/recordings", json=body, headers=once())

    def upload(
        self, path: Path, progress: Progress | None = None, key: str | None = None, **fields: Unpack[RecordingFields]
    ) -> Accepted:
        """Send a file in pieces, never whole in memory; answers when the server has stored it.

        `key`: the same twice within a day is one recording.
        """
        headers = {"Idempotency-Key": key} if key else None
        return send_file(self._transport, Accepted, "/api/recordings/upload", path, progress, fields, headers)

    def transcript(self, asset_id: str, *, words: bool = True, revision: int | None = None) -> Transcript:
        """The finished parts while the job runs (`complete` is False); 404 before the first part."""
        return parse(Transcript, self.transcript_text(asset_id, "json", words=words, revision=revision))

    def transcript_text(
        self,
        asset_id: str,
        as_format: str,
        *,
        words: bool | None = None,
        revision: int | None = None,
    ) -> str:
        """The transcript as json, srt, vtt, txt, md or podcast."""
        asked = {"format": as_format, "words": words, "revision": revision}
        query = given(asked)
        return self._transport.request("GET", f"/api/recordings/{asset_id}/transcript", params=query).text

    def analytics(self, asset_id: str) -> Analytics:
        """Who spoke how much, how fast and over whom in the newest finished transcript; 404 before there is one."""
        return self._transport.fetch(Analytics, "GET", f"/api/recordings/{asset_id}/analytics")

    def has_media(self, asset_id: str) -> bool:
        """Whether its sound is kept."""
        response = self._transport.request_any("HEAD", f"/api/recordings/{asset_id}/media", headers={"Accept": "*/*"})
        if response.status_code != 404:
            raise_for_error(response)
        return response.is_success

    @contextmanager
    def media(self, asset_id: str, start: int = 0, end: int | None = None) -> Generator[Media]:
        """The playback copy, or bytes [start, end) of it."""
        whole = start == 0 and end is None
        headers = {} if whole else {"Range": f"bytes={start}-{'' if end is None else end - 1}"}
        path = f"/api/recordings/{asset_id}/media"
        with self._transport.stream("GET", path, headers={"Accept": "*/*", **headers}) as response:
            yield media_of(response)


def send_file(
    transport: Transport,
    answer: type[Answered],
    address: str,
    path: Path,
    progress: Progress | None,
    fields: RecordingFields,
    headers: dict[str, str] | None = None,
) -> Answered:
    """The file as the part `file` of a form, the fields beside it."""
    with path.open("rb") as file:
        counted = CountedFile(file, path.stat().st_size, progress or (lambda sent, total: None))
        files: Any = {"file": (path.name, counted, media_type(path))}
        form = as_form(as_json(fields))
        return transport.fetch(answer, "POST", address, data=form, files=files, headers=headers, timeout=UPLOAD_TIMEOUT)


def media_of(response: httpx.Response) -> Media:
    content_type = response.headers.get("Content-Type", "application/octet-stream")
    unit, _, served = response.headers.get("Content-Range", "").partition(" ")
    if response.status_code != PARTIAL_CONTENT or unit != "bytes":
        size = int(response.headers.get("Content-Length", 0))
        return Media(content_type, 0, size, size, response.iter_bytes())
    part, _, total = served.partition("/")
    first, _, last = part.partition("-")
    return Media(content_type, int(first), int(last) + 1, int(total), response.iter_bytes())


def once() -> dict[str, str]:
    """The same request sent twice by the network creates one recording."""
    return {"Idempotency-Key": str(uuid4())}


def as_json(fields: RecordingFields) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in fields.items()}


def as_form(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: str(value).lower() if isinstance(value, bool) else value for name, value in fields.items()}
