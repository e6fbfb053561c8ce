"""Bringing the file of an asset into its workspace: from the web, a platform, an upload, from below incoming/."""

from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from common.db import Database
from common.errors import CannotProcess
from common.events import AssetRegistered
from common.store import ObjectMissing, ObjectStore

from fetcher import queries
from fetcher.domain import problems
from fetcher.domain.captions.language import code_of
from fetcher.domain.platforms import Page, names_a_file
from fetcher.providers.platforms.visits import Platforms, Wish
from fetcher.providers.scratch import Workspace
from fetcher.providers.web.download import Downloader, Watch
from fetcher.providers.web.links import parse_link
from fetcher.providers.web.partial import Partial

_INCOMING = "incoming/"


def upload_key(upload_id: UUID) -> str:
    """Where an upload waits in the object store."""
    return f"uploads/{upload_id}"


@dataclass(frozen=True)
class Found:
    """A whole local file, and the platform's page that it came from, if it came from one."""

    path: Path
    page: Page | None = None


@dataclass(frozen=True)
class Sources:
    """Each way of bringing ends with a whole local file of at most ``max_bytes``."""

    db: Database
    store: ObjectStore
    downloader: Downloader
    platforms: Platforms
    max_bytes: int

    async def bring(self, wanted: AssetRegistered, workspace: Workspace, watch: Watch) -> Found:
        """Raises CannotProcess, TryAgain and what ``watch`` raises."""
        source = wanted.source
        if source.url is not None:
            partial = Partial(workspace.folder)
            return Found(partial.path, await self._fetch(source.url, wanted, partial, watch))
        path = workspace.folder / "source"
        if source.upload_id is not None:
            await self._copy_upload(source.upload_id, path)
        else:
            await self._copy_object(source.object_uri or "", path)
        return Found(path)

    async def _fetch(self, url: str, wanted: AssetRegistered, partial: Partial, watch: Watch) -> Page | None:
        """The page it came from, where that is one of a platform.

        Reading a page takes a process of its own: a link that names a file is taken for one until a page comes.
        """
        link = str(parse_link(url))
        if wanted.source.content == "captions":
            await self.downloader.download(url, partial, watch)
            return None
        wish = _wish(wanted)
        named = names_a_file(link)
        page = None if named else await self.platforms.visit(link, wish, partial, watch)
        if page is not None:
            return page
        try:
            await self.downloader.download(url, partial, watch)
        except CannotProcess as refused:
            if not named or refused.category != "not_media":
                raise
            page = await self.platforms.visit(link, wish, partial, watch)
            if page is None:
                raise
        return page

    async def _copy_upload(self, upload_id: UUID, path: Path) -> None:
        async with self.db.acquire() as conn:
            upload = await queries.upload_of(conn, upload_id)
        if upload is None or upload.size_bytes is None:
            raise problems.upload_gone()
        try:
            await self.store.fetch_file(upload_key(upload_id), path)
        except ObjectMissing as error:
            raise problems.upload_gone() from error

    async def _copy_object(self, object_uri: str, path: Path) -> None:
        if not object_uri.startswith(_INCOMING) or ".." in object_uri.split("/"):
            raise problems.forbidden_object(object_uri)
        try:
            size_bytes = await self.store.size(object_uri)
            if size_bytes > self.max_bytes:
                raise problems.too_large(self.max_bytes, size_bytes)
            await self.store.fetch_file(object_uri, path)
        except ObjectMissing as error:
            raise problems.object_gone(object_uri) from error
        except ValueError as error:
            # The store's keys know letters, digits and ._- only, so nothing can lie there.
            raise problems.object_gone(object_uri) from error

    async def drop_upload(self, upload_id: UUID) -> None:
        """The upload has served; bytes first, so that its row leads the sweeper to them until they are gone."""
        await self.store.delete(upload_key(upload_id))
        async with self.db.acquire() as conn:
            await queries.delete_upload(conn, upload_id)


def _wish(wanted: AssetRegistered) -> Wish:
    asked = wanted.options.transcribe and wanted.options.captions in ("prefer", "only")
    return Wish(asked, code_of(wanted.options.language), wanted.keep_media == "original")
