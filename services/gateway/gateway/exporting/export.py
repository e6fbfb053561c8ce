"""A collection on its way out: each asset with its files, then the list of all, then what says that it is whole."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from tempfile import SpooledTemporaryFile
from typing import IO
from uuid import UUID, uuid4

from common.identity import Caller

from gateway.api.models import AssetSource
from gateway.auth.access import resolve_collection
from gateway.auth.principal import Principal
from gateway.domain.export import ASSETS, MANIFEST, ExportedAsset, ExportedCollection, File, Kind, Manifest, path_of
from gateway.door import Door
from gateway.exporting.archive import Archive, Emit
from gateway.exporting.sources import Sources
from gateway.queries import access, assets
from gateway.queries.assets import Asset, AssetFilter
from gateway.queries.collections import Collection

_PAGE = 100
_LINES_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Export:
    """One user's export of a collection, `media` with the sound as it is played."""

    door: Door
    user: Principal
    collection: Collection
    media: bool
    request_id: str

    async def write(self, emit: Emit) -> int:
        """How many assets went out. Raises ApiError: 503 when a service is away, 404 when the right to read is lost.

        What has reached `emit` by then is no whole archive. Every service is asked before the first byte.
        """
        now = datetime.now(UTC)
        scratch = str(self.door.settings.scratch_dir)
        count = 0
        with Archive(emit, now) as archive, SpooledTemporaryFile(_LINES_BYTES, dir=scratch) as lines:
            async for asset in self._assets():
                exported = await self._take(archive, asset)
                if exported is not None:
                    lines.write(exported.as_line())
                    count += 1
            listed = await archive.add(ASSETS, _read(lines))
            await archive.add_document(MANIFEST, self._manifest(now, count, listed).as_file())
            await archive.finish()
        return count

    async def _assets(self) -> AsyncIterator[Asset]:
        """In the order of their ids, up to the newest that is there now."""
        which = AssetFilter(collection_id=self.collection.id)
        async with self.door.service.db.acquire() as conn:
            newest = await assets.assets_before(conn, self.user.user_id, which, None, 1)
        after: UUID | None = None
        while newest and (page := await self._page(after, newest[0].id)):
            for asset in page:
                yield asset
            after = page[-1].id

    async def _page(self, after: UUID | None, until: UUID) -> list[Asset]:
        async with self.door.service.db.acquire() as conn:
            rows = await assets.assets_after(conn, self.user.user_id, self.collection.id, after, until, _PAGE)
            # Who may not read it any more sees no rows, which must not look like the end of the collection.
            await resolve_collection(conn, self.user.user_id, str(self.collection.id))
        return rows

    async def _take(self, archive: Archive, asset: Asset) -> ExportedAsset | None:
        """Write its files; None when it was deleted or moved away meanwhile."""
        if asset.kind != "recording":
            return _exported(asset, {}) if await self._is_there(asset.id) else None
        sources = self._sources()
        documents: dict[Kind, bytes | None] = {
            "transcript": await sources.transcript(asset.id),
            "summary": await sources.summary(asset.id),
        }
        files: dict[Kind, File] = {}
        async with AsyncExitStack() as stack:
            sound = await stack.enter_async_context(sources.media(asset.id)) if self.media else None
            if not await self._is_there(asset.id):
                return None
            for kind, body in documents.items():
                if body is not None:
                    files[kind] = await archive.add_document(path_of(kind, asset.id), body)
            if sound is not None:
                path = path_of("media", asset.id, sound.media_type)
                files["media"] = await archive.add(path, sound.pieces, stored=True)
        return _exported(asset, files)

    async def _is_there(self, asset_id: UUID) -> bool:
        async with self.door.service.db.acquire() as conn:
            seen = await access.asset_access(conn, self.user.user_id, asset_id)
        return seen is not None and seen.collection_id == self.collection.id

    def _sources(self) -> Sources:
        # Nothing is changed here, whatever the user could.
        caller = Caller(
            self.user.user_id, self.user.acts_as_admin, asset_role="viewer", collection_id=self.collection.id
        )
        return Sources(self.door.upstreams, self.door.signer, caller, self.request_id)

    def _manifest(self, now: datetime, count: int, listed: File) -> Manifest:
        one = self.collection
        return Manifest(
            id=uuid4(),
            exported_at=now,
            choice=json.dumps({"collection_id": str(one.id), "media": self.media}, sort_keys=True),
            assets=count,
            assets_sha256=listed.sha256,
            collections=[
                ExportedCollection(
                    id=one.id,
                    name=one.name,
                    description=one.description,
                    keep_media=one.keep_media,
                    key_terms=one.key_terms,
                    initial_prompt=one.initial_prompt,
                )
            ],
        )


def _exported(asset: Asset, files: dict[Kind, File]) -> ExportedAsset:
    return ExportedAsset(
        id=asset.id,
        kind=asset.kind,
        title=asset.title,
        collection_id=asset.collection_id,
        recorded_at=asset.recorded_at,
        created_at=asset.created_at,
        updated_at=asset.updated_at,
        language=asset.language,
        duration_seconds=asset.duration_seconds,
        tags=asset.tags,
        link=AssetSource.model_validate(asset.source).url,
        files=files,
    )


async def _read(lines: IO[bytes]) -> AsyncIterator[bytes]:
    """From the beginning, whole lines or not."""
    lines.seek(0)
    while piece := lines.read(_LINES_BYTES // 4):
        yield piece
