"""What an export says of itself: the shapes and names that `earshot export` writes and `earshot import` reads."""

import json
import re
import unicodedata
from datetime import datetime
from typing import Literal
from urllib.parse import quote
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

FORMAT, VERSION = "earshot-export", 1
MANIFEST, ASSETS = "earshot-export.json", "assets.jsonl"
Kind = Literal["transcript", "summary", "media"]

_SUFFIXES = {"audio/mp4": "m4a", "audio/ogg": "ogg", "audio/mpeg": "mp3", "audio/flac": "flac", "audio/wav": "wav"}
# What some file system or header takes for something else than a letter.
_SPECIAL = re.compile(r'[<>:"/\\|?*%]')
_MOST_CHARACTERS = 80


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class File(_Part):
    """`path` within the archive."""

    path: str
    sha256: str
    size_bytes: int


class ExportedCollection(_Part):
    id: UUID
    name: str
    description: str | None
    keep_media: str
    key_terms: list[str]
    initial_prompt: str


class ExportedAsset(_Part):
    """One line of the list; `link` is where people find it."""

    id: UUID
    kind: str
    title: str
    collection_id: UUID
    recorded_at: datetime | None
    created_at: datetime
    updated_at: datetime
    language: str | None
    duration_seconds: float | None
    tags: list[str]
    link: str | None
    files: dict[Kind, File]

    def as_line(self) -> bytes:
        return json.dumps(self.model_dump(mode="json", exclude_none=True), ensure_ascii=False).encode() + b"\n"


class Manifest(_Part):
    """Written last: whoever finds it has the whole. `assets_sha256` is of the list of assets."""

    format: str = FORMAT
    version: int = VERSION
    id: UUID
    exported_at: datetime
    choice: str
    complete: bool = True
    assets: int
    assets_sha256: str
    collections: list[ExportedCollection] = Field(min_length=1, max_length=1)

    def as_file(self) -> bytes:
        return self.model_dump_json(indent=2).encode()


def path_of(kind: Kind, asset_id: UUID, media_type: str = "") -> str:
    """`media_type` as the header says it; it gives media their suffix."""
    if kind == "media":
        return f"media/{asset_id}.{_SUFFIXES.get(media_type.partition(';')[0].strip().lower(), 'bin')}"
    return f"{'transcripts' if kind == 'transcript' else 'summaries'}/{asset_id}.json"


def attachment(name: str) -> str:
    """Content-Disposition of a ZIP of that name (RFC 6266): as it is, and in ASCII for whoever knows no other."""
    whole = _cleaned(name) or "export"
    # Taken apart, a letter may turn out to be a special one.
    plain = _cleaned(unicodedata.normalize("NFKD", whole).encode("ascii", "ignore").decode()) or "export"
    return f"attachment; filename=\"{plain}.zip\"; filename*=UTF-8''{quote(whole, safe='')}.zip"


def _cleaned(name: str) -> str:
    """Without what is special or does not show; neither hidden nor longer than file systems take."""
    shown = "".join(" " if unicodedata.category(letter).startswith("C") else letter for letter in name)
    return " ".join(_SPECIAL.sub(" ", shown).split())[:_MOST_CHARACTERS].strip(". ")
