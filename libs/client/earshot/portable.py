"""What an export looks like on disk: a folder, or a ZIP of it, that any Earshot can import. Nothing in it is trusted.

earshot-export.json    what it is, whether it is finished, the collections
assets.jsonl           one asset a line: titles, dates, tags, links, and which files belong to it
transcripts/<id>.json  as `GET /api/recordings/{id}/transcript?format=json` answers, words included
summaries/<id>.json    as `GET /api/assets/{id}/summary` answers
media/<id>.<suffix>    the playback copy, where it was asked for
"""

import json
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from hashlib import file_digest, sha256
from pathlib import Path
from typing import IO, Annotated, Any, Literal, Protocol
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from earshot.errors import EarshotError

MANIFEST, ASSETS = "earshot-export.json", "assets.jsonl"
FORMAT, VERSION = "earshot-export", 1
# The names are made by us; whatever else stands in an archive is no place to read from.
PATH = r"^(transcripts|summaries|media)/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.[a-z0-9]{1,5}$"
MOST_LINE_BYTES = 1024 * 1024
PIECE_BYTES = 1024 * 1024
Kind = Literal["transcript", "summary", "media"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class File(_Part):
    """`path` below the export."""

    path: Annotated[str, StringConstraints(pattern=PATH)]
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    size_bytes: int = Field(ge=0)


class ExportedCollection(_Part):
    id: UUID
    name: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    description: str | None = None
    keep_media: str | None = None
    key_terms: list[str] = Field(default_factory=list, max_length=100)
    initial_prompt: str | None = None


class ExportedAsset(_Part):
    id: UUID
    kind: str
    title: Annotated[str, StringConstraints(min_length=1, max_length=500)]
    collection_id: UUID
    recorded_at: datetime | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    language: str | None = None
    duration_seconds: float | None = None
    tags: list[str] = Field(default_factory=list)
    link: str | None = None
    files: dict[Kind, File] = Field(default_factory=dict[Kind, File])


class Manifest(_Part):
    """`assets_sha256`: of assets.jsonl once `complete`."""

    format: Literal["earshot-export"]
    version: int
    id: UUID
    exported_at: datetime
    choice: str = ""
    complete: bool = False
    assets: int = 0
    assets_sha256: str | None = None
    collections: list[ExportedCollection] = Field(default_factory=list[ExportedCollection])


class Place(Protocol):
    def open(self, name: str) -> AbstractContextManager[IO[bytes]]:
        """Raises EarshotError when it is not there."""
        ...

    def close(self) -> None: ...


class Folder:
    def __init__(self, root: Path) -> None:
        self._root = root

    def open(self, name: str) -> AbstractContextManager[IO[bytes]]:
        path = self._root / name
        # A link may lead anywhere, and an export has none.
        if not path.is_file() or path.resolve() != self._root.resolve() / name:
            raise missing(name)
        return path.open("rb")

    def close(self) -> None:
        return None


class Zip:
    def __init__(self, path: Path) -> None:
        try:
            self._archive = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
            raise EarshotError(
                f"{path} is a damaged archive: {error}.", advice="Copy it again, or export again."
            ) from error

    def open(self, name: str) -> AbstractContextManager[IO[bytes]]:
        try:
            return self._archive.open(name)
        except KeyError:
            raise missing(name) from None
        except (zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
            raise damaged(name, str(error)) from error

    def close(self) -> None:
        self._archive.close()


def place_at(path: Path) -> Place:
    if path.is_dir():
        return Folder(path)
    if path.is_file():
        return Zip(path)
    raise EarshotError(f"There is no export at {path}.", advice="Give the folder or ZIP that earshot export made.")


def read_manifest(place: Place) -> Manifest:
    """Raises EarshotError for what is no export, or one of a later version."""
    with place.open(MANIFEST) as file:
        body = file.read(16 * MOST_LINE_BYTES)
    try:
        manifest = Manifest.model_validate_json(body)
    except ValidationError as error:
        raise damaged(MANIFEST, _first(error)) from error
    if manifest.version > VERSION:
        raise EarshotError(
            f"The export is of version {manifest.version}; this Earshot reads up to {VERSION}.", advice="Upgrade it."
        )
    return manifest


def read_assets(place: Place, manifest: Manifest) -> list[ExportedAsset]:
    """All of them, in the order of their ids. Raises EarshotError when the list is not as it was written."""
    assets: dict[UUID, ExportedAsset] = {}
    seen = sha256()
    with place.open(ASSETS) as file:
        for number, line in enumerate(_lines(file), 1):
            seen.update(line)
            try:
                asset = ExportedAsset.model_validate_json(line)
            except ValidationError as error:
                raise damaged(f"{ASSETS}, line {number}", _first(error)) from error
            assets[asset.id] = asset
    if manifest.complete and seen.hexdigest() != manifest.assets_sha256:
        raise damaged(ASSETS, "it is not what was written")
    return [assets[each] for each in sorted(assets)]


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    try:
        while line := file.readline(MOST_LINE_BYTES):
            yield line
    except (zipfile.BadZipFile, EOFError) as error:
        raise damaged(ASSETS, str(error)) from error


def fetch(place: Place, file: File, target: Path) -> Path:
    """A copy at `target`, compared with its SHA-256. Raises EarshotError when it is another."""
    seen, size_bytes = sha256(), 0
    try:
        with place.open(file.path) as source, target.open("wb") as copy:
            while piece := source.read(PIECE_BYTES):
                size_bytes += len(piece)
                if size_bytes > file.size_bytes:
                    raise damaged(file.path, "it is longer than it was")
                seen.update(piece)
                copy.write(piece)
    except (zipfile.BadZipFile, EOFError) as error:
        raise damaged(file.path, str(error)) from error
    if seen.hexdigest() != file.sha256:
        raise damaged(file.path, "it is not what was written")
    return target


def write_whole(path: Path, body: bytes) -> None:
    """Whole or not at all, readable by this user only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".new")
    beside.touch(mode=0o600)
    beside.write_bytes(body)
    beside.replace(path)


def file_at(root: Path, path: str) -> File:
    with (root / path).open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
    return File(path=path, sha256=digest, size_bytes=(root / path).stat().st_size)


def as_line(asset: ExportedAsset) -> bytes:
    return json.dumps(asset.model_dump(mode="json", exclude_none=True), ensure_ascii=False).encode() + b"\n"


def pack(folder: Path, target: Path) -> None:
    """The folder as one ZIP, stored: media are packed already. The folder goes."""
    beside = target.with_name(target.name + ".new")
    beside.touch(mode=0o600)
    with zipfile.ZipFile(beside, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder).as_posix())
    beside.replace(target)
    shutil.rmtree(folder)


def missing(name: str) -> EarshotError:
    return EarshotError(
        f"The export has no {name}.", error_type="damaged", advice="Is this what earshot export made, and all of it?"
    )


def damaged(name: str, why: str) -> EarshotError:
    return EarshotError(
        f"The export is damaged: {name}: {why}.", error_type="damaged", advice="Copy it again, or export again."
    )


def _first(error: ValidationError) -> str:
    first: Any = error.errors(include_url=False)[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
