"""An export becomes recordings of one's own, with new ids; broken off, it goes on, and nothing comes twice.

What has been done is noted after each step in the user's state folder. A process that dies between a request and its
note repeats the request under the same Idempotency-Key, which the server answers with what it has.
"""

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast
from uuid import UUID

from earshot import portable
from earshot.client import Client
from earshot.errors import EarshotError
from earshot.models import FINISHED, Collection
from earshot.patience import patiently
from earshot.portable import ExportedAsset, ExportedCollection, Kind, Manifest, Place
from earshot.resources.recordings import RecordingFields
from earshot.resources.summaries import PARTS

EVERY_SECONDS = 0.5
_NUMBERS = frozenset({"citations"})


@dataclass
class Journal:
    """Per exported asset: the id that it has here, and the steps that are done."""

    path: Path
    ids: dict[UUID, str] = field(default_factory=dict[UUID, str])
    steps: set[tuple[UUID, str]] = field(default_factory=set[tuple[UUID, str]])

    @classmethod
    def read(cls, path: Path) -> "Journal":
        journal = cls(path)
        for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
            try:
                noted = json.loads(line)
            except ValueError:
                # What a killed process was writing: the step is repeated.
                continue
            journal._take(UUID(noted["asset"]), noted["step"], noted.get("id"))
        return journal

    def note(self, asset: ExportedAsset, step: str, asset_id: str | None = None) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.touch(mode=0o600)
        with self.path.open("a", encoding="utf-8") as file:
            # A torn line of an earlier process must not swallow this one.
            file.write("\n" + json.dumps({"asset": str(asset.id), "step": step, "id": asset_id}) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self._take(asset.id, step, asset_id)

    def _take(self, exported: UUID, step: str, asset_id: str | None) -> None:
        self.steps.add((exported, step))
        if asset_id:
            self.ids[exported] = asset_id

    def has(self, asset: ExportedAsset, step: str) -> bool:
        return (asset.id, step) in self.steps


@dataclass(frozen=True)
class Trouble:
    """What could not be brought, and why."""

    id: str
    title: str
    reason: str


@dataclass
class Import:
    """`collections`: exported id to the collection here."""

    client: Client
    place: Place
    manifest: Manifest
    journal: Journal
    collections: dict[UUID, Collection]
    media: bool

    def add(self, asset: ExportedAsset) -> Trouble | None:
        """The asset with its text, title, date, link and tags."""
        if not self.journal.has(asset, "added"):
            wanted = self._wanted(asset)
            if wanted is None:
                return _trouble(asset, "nothing of it that can be imported is in the export")
            self.journal.note(asset, "added", self._send(asset, wanted))
        if not self.journal.has(asset, "tagged"):
            asset_id = self.journal.ids[asset.id]
            if asset.tags:
                patiently(lambda: self.client.assets.change(asset_id, tags=asset.tags))
            self.journal.note(asset, "tagged")
        return None

    def _wanted(self, asset: ExportedAsset) -> Kind | None:
        """The text where there is one; else the sound, which is transcribed."""
        if asset.kind != "recording":
            return None
        if "transcript" in asset.files:
            return "transcript"
        return "media" if self.media and "media" in asset.files else None

    def _send(self, asset: ExportedAsset, what: Kind) -> str:
        fields: RecordingFields = {
            "collection_id": self.collections[asset.collection_id].id,
            "title": asset.title,
            "priority": "bulk",
        }
        if asset.recorded_at is not None:
            fields["recorded_at"] = asset.recorded_at
        if asset.link and asset.link.startswith(("http://", "https://")):
            fields["source_url"] = asset.link
        key = f"import-{self.manifest.id}-{asset.id}"
        with self._file(asset, what) as path:
            if what == "media":
                return patiently(lambda: self.client.recordings.upload(path, key=key, **fields)).asset.id
            taken = patiently(lambda: self.client.transcripts.upload(path, key=key, **fields))
        return taken.jobs[0].asset_id

    def complete(self, asset: ExportedAsset) -> Trouble | None:
        """Its sound and its summary, which need its text to be there."""
        asset_id = self.journal.ids[asset.id]
        kept = self.collections[asset.collection_id].keep_media != "none"
        sound = self.media and kept and "media" in asset.files and "transcript" in asset.files
        summary = "summary" in asset.files
        for step, wanted, act in (("sounded", sound, self._add_sound), ("summarised", summary, self._summarise)):
            if not wanted or self.journal.has(asset, step):
                continue
            if not self._is_ready(asset_id):
                return self._failed(asset, asset_id)
            act(asset, asset_id)
            self.journal.note(asset, step)
        return None if self._is_ready(asset_id) else self._failed(asset, asset_id)

    def _is_ready(self, asset_id: str) -> bool:
        """Waits for the end of what is under way."""
        while (status := patiently(lambda: self.client.assets.status(asset_id)).status) not in FINISHED:
            time.sleep(EVERY_SECONDS)
        return status == "ready"

    def _failed(self, asset: ExportedAsset, asset_id: str) -> Trouble:
        found = patiently(lambda: self.client.assets.get(asset_id))
        return _trouble(asset, found.error.message if found.error else f"it is {found.status}")

    def _add_sound(self, asset: ExportedAsset, asset_id: str) -> None:
        """Only to be played. What an earlier try has brought without noting it is left as it is."""
        if patiently(lambda: self.client.recordings.has_media(asset_id)):
            return
        fields: RecordingFields = {"asset_id": asset_id, "transcribe": False, "priority": "bulk"}
        key = f"import-{self.manifest.id}-{asset.id}-sound"
        with self._file(asset, "media") as path:
            patiently(lambda: self.client.recordings.upload(path, key=key, **fields))

    def _summarise(self, asset: ExportedAsset, asset_id: str) -> None:
        """The server's own summary first, which the exported one takes the place of; its citations are not kept."""
        with self._file(asset, "summary") as path:
            parts = summary_parts(path.read_bytes())
        patiently(lambda: self.client.summaries.write(asset_id, model="extractive"))
        version = self.client.summaries.wait(asset_id).version
        self.client.summaries.edit(asset_id, version, **parts)

    def _file(self, asset: ExportedAsset, what: Kind) -> "_Copied":
        return _Copied(self.place, asset.files[what])


class _Copied:
    """A file of the export, compared with its SHA-256, as long as the block lasts."""

    def __init__(self, place: Place, file: portable.File) -> None:
        self._place, self._file = place, file
        self._folder = TemporaryDirectory(prefix="earshot-import-")

    def __enter__(self) -> Path:
        try:
            return portable.fetch(self._place, self._file, Path(self._folder.name) / Path(self._file.path).name)
        except BaseException:
            self._folder.cleanup()
            raise

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()


def summary_parts(body: bytes) -> dict[str, Any]:
    """What an edit takes: the statements without the numbers of citations, which are others here."""
    try:
        summary = json.loads(body)
        return {name: _without_numbers(summary[name]) for name in PARTS if name in summary}
    except (ValueError, TypeError, RecursionError) as error:
        raise portable.damaged("a summary", "it is no JSON") from error


def _without_numbers(value: Any) -> Any:
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        return {name: _without_numbers(each) for name, each in members.items() if name not in _NUMBERS}
    return [_without_numbers(each) for each in cast("list[Any]", value)] if isinstance(value, list) else value


def collections_for(
    client: Client, exported: list[ExportedCollection], into: Collection | None
) -> Iterator[Collection]:
    """One's own of the same name, else a new one; or all in `into`."""
    own: dict[str, Collection] = {}
    for collection in client.collections.all():
        if (collection.role or "owner") in ("owner", "editor"):
            own.setdefault(collection.name, collection)
    for one in exported:
        if into is None and one.name not in own:
            own[one.name] = client.collections.create(
                one.name,
                description=one.description,
                keep_media=one.keep_media,
                key_terms=one.key_terms,
                initial_prompt=one.initial_prompt,
            )
        yield into or own[one.name]


def begin(
    client: Client, place: Place, into: Collection | None, media: bool, states: Path
) -> tuple[Import, list[ExportedAsset]]:
    """Raises EarshotError for an export that is damaged, or was not finished."""
    manifest = portable.read_manifest(place)
    if not manifest.complete:
        raise EarshotError("The export was not finished.", advice="Run the same earshot export again; it goes on.")
    assets = portable.read_assets(place, manifest)
    unknown = {asset.collection_id for asset in assets} - {one.id for one in manifest.collections}
    if unknown:
        raise portable.damaged(portable.ASSETS, "it names a collection that is not in the export")
    targets = list(collections_for(client, manifest.collections, into))
    here = {one.id: target for one, target in zip(manifest.collections, targets, strict=True)}
    name = sha256(f"{client.url} {into.id if into else ''}".encode()).hexdigest()[:8]
    journal = Journal.read(states / f"import-{manifest.id}-{name}.jsonl")
    return Import(client, place, manifest, journal, here, media), assets


def _trouble(asset: ExportedAsset, reason: str) -> Trouble:
    return Trouble(str(asset.id), asset.title, reason)
