"""A library, or part of it, written into a folder; broken off, it goes on where it was."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from earshot import portable
from earshot.client import Client
from earshot.errors import EarshotError
from earshot.models import Asset
from earshot.patience import patiently
from earshot.portable import ASSETS, MANIFEST, ExportedAsset, ExportedCollection, File, Kind, Manifest

SUFFIXES = {"audio/mp4": "m4a", "audio/ogg": "ogg", "audio/mpeg": "mp3", "audio/flac": "flac", "audio/wav": "wav"}


@dataclass
class Export:
    """`assets` are those that lie in the folder whole."""

    client: Client
    root: Path
    manifest: Manifest
    media: bool
    assets: dict[UUID, ExportedAsset] = field(default_factory=dict[UUID, ExportedAsset])

    def take(self, asset: Asset) -> bool:
        """Write it down with its files; False when it lies here as it is now."""
        known = self.assets.get(UUID(asset.id))
        if known is not None and known.updated_at == asset.updated_at:
            return False
        exported = ExportedAsset(
            id=UUID(asset.id),
            kind=asset.kind,
            title=asset.title,
            collection_id=UUID(asset.collection_id),
            recorded_at=asset.recorded_at,
            created_at=asset.created_at,
            updated_at=asset.updated_at,
            language=asset.language,
            duration_seconds=asset.duration_seconds,
            tags=asset.tags,
            link=(asset.source or {}).get("url"),
            files=dict(self._files(asset)),
        )
        with (self.root / ASSETS).open("ab") as lines:
            lines.write(portable.as_line(exported))
        self.assets[exported.id] = exported
        return True

    def _files(self, asset: Asset) -> Iterator[tuple[Kind, File]]:
        if asset.kind != "recording":
            return
        transcript = _known(lambda: self.client.recordings.transcript_text(asset.id, "json", words=True))
        if transcript is not None and json.loads(transcript).get("complete"):
            yield "transcript", self._write(f"transcripts/{asset.id}.json", transcript.encode())
        summary = _known(lambda: self.client.summaries.get(asset.id))
        if summary is not None and summary.status == "ready":
            body = json.dumps(summary.to_json(), ensure_ascii=False)
            yield "summary", self._write(f"summaries/{asset.id}.json", body.encode())
        if self.media and patiently(lambda: self.client.recordings.has_media(asset.id)):
            yield "media", patiently(lambda: self._media(asset))

    def _write(self, path: str, body: bytes) -> File:
        portable.write_whole(self.root / path, body)
        return portable.file_at(self.root, path)

    def _media(self, asset: Asset) -> File:
        with self.client.recordings.media(asset.id) as media:
            suffix = SUFFIXES.get(media.content_type.partition(";")[0], "bin")
            path = self.root / f"media/{asset.id}.{suffix}"
            path.parent.mkdir(exist_ok=True)
            beside = path.with_name(path.name + ".new")
            with beside.open("wb") as file:
                for piece in media.pieces:
                    file.write(piece)
        beside.replace(path)
        return portable.file_at(self.root, f"media/{path.name}")

    def finish(self, seen: set[UUID], collections: list[ExportedCollection]) -> Manifest:
        """Only what is there by now: what was deleted since an earlier try goes from the folder, too."""
        for each in set(self.assets) - seen:
            for file in self.assets.pop(each).files.values():
                (self.root / file.path).unlink(missing_ok=True)
        lines = b"".join(portable.as_line(self.assets[each]) for each in sorted(self.assets))
        portable.write_whole(self.root / ASSETS, lines)
        finished = self.manifest.model_copy(
            update={
                "complete": True,
                "assets": len(self.assets),
                "assets_sha256": sha256(lines).hexdigest(),
                "collections": collections,
            }
        )
        portable.write_whole(self.root / MANIFEST, finished.model_dump_json(indent=2).encode())
        return finished


def begin(client: Client, root: Path, choice: dict[str, Any], media: bool) -> Export:
    """In a new folder, or on what an earlier try of the same choice left. Raises EarshotError for any other folder."""
    said = json.dumps({"from": client.url, "media": media, **choice}, sort_keys=True)
    if not root.exists() or not any(root.iterdir()):
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        manifest = Manifest(
            format="earshot-export", version=portable.VERSION, id=uuid4(), exported_at=datetime.now(UTC), choice=said
        )
        portable.write_whole(root / MANIFEST, manifest.model_dump_json(indent=2).encode())
        return Export(client, root, manifest, media)
    if not (root / MANIFEST).is_file():
        raise EarshotError(f"{root} is not empty, and no export.", advice="Give a new folder.")
    place = portable.Folder(root)
    manifest = portable.read_manifest(place)
    if manifest.complete:
        raise EarshotError(f"{root} holds an export that is finished.", advice="Give a new folder.")
    if manifest.choice != said:
        raise EarshotError(f"{root} holds an export of something else.", advice="Give a new folder.")
    _drop_torn_line(root / ASSETS)
    known = portable.read_assets(place, manifest) if (root / ASSETS).is_file() else []
    return Export(client, root, manifest, media, {asset.id: asset for asset in known})


def collections_of(client: Client, export: Export) -> list[ExportedCollection]:
    wanted = {asset.collection_id for asset in export.assets.values()}
    found = [collection.to_json() for collection in client.collections.all() if UUID(collection.id) in wanted]
    return [ExportedCollection.model_validate(one) for one in found]


def _drop_torn_line(path: Path) -> None:
    """What a killed process was writing."""
    if path.is_file() and not (body := path.read_bytes()).endswith(b"\n"):
        portable.write_whole(path, body[: body.rfind(b"\n") + 1])


def _known(ask: Any) -> Any:
    """None where there is nothing of the kind."""
    try:
        return patiently(ask)
    except EarshotError as error:
        if error.status_code == 404:
            return None
        raise
