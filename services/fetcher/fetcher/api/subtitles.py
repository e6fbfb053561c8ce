"""What an upload holds of subtitles, told before assets are made of it: a ZIP becomes an upload for each file."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from common.db import Database
from common.errors import ApiError, CannotProcess, not_found, unavailable
from common.identity import CallingService
from common.ids import uuid7
from common.store import ObjectMissing, ObjectStore, StoreUnavailable
from common.subtitles import FoundSubtitles, RefusedFile, SubtitleFile
from fastapi import APIRouter

from fetcher import queries
from fetcher.domain.captions import problems, read_captions
from fetcher.providers.archives import ArchiveLimits, Entry, is_zip, unpack
from fetcher.providers.scratch import Scratch
from fetcher.providers.sources import Sources, upload_key
from fetcher.queries import UploadRow

_UNNAMED = "subtitles"


@dataclass(frozen=True)
class Subtitles:
    """The route of subtitle files; only services reach it."""

    db: Database
    store: ObjectStore
    sources: Sources
    scratch: Scratch
    limits: ArchiveLimits

    def routes(self) -> APIRouter:
        router = APIRouter(prefix="/internal/uploads", include_in_schema=False)
        router.add_api_route("/{upload_id}/subtitles", self.find, methods=["POST"], response_model=FoundSubtitles)
        return router

    async def find(self, upload_id: UUID, service: CallingService) -> FoundSubtitles:
        """Each file that can be read, as an upload to register, and each other one with its reason.

        A ZIP's own upload goes. 404 when there is no such upload, 422 when it is neither subtitles nor a ZIP.
        """
        async with self.db.acquire() as conn:
            upload = await queries.upload_of(conn, upload_id)
        if upload is None or upload.size_bytes is None:
            raise not_found("There is no such upload.")
        # Named like an asset's folder, so that what a killed process leaves goes with the sweeper.
        async with self.scratch.workspace(upload_id, _always) as workspace:
            try:
                return await self._look_into(upload, workspace.folder / "upload")
            except CannotProcess as error:
                raise _refusal(error) from error
            except ObjectMissing as error:
                raise not_found("There is no such upload.") from error
            except StoreUnavailable as error:
                raise unavailable("The file store does not answer at the moment.") from error
            finally:
                workspace.clear()

    async def _look_into(self, upload: UploadRow, path: Path) -> FoundSubtitles:
        if (upload.size_bytes or 0) > self.limits.total_bytes:
            raise problems.archive_too_large(self.limits.total_bytes)
        await self.store.fetch_file(upload_key(upload.upload_id), path)
        if await asyncio.to_thread(_starts_like_zip, path):
            found = await self._take_apart(path)
            await self.sources.drop_upload(upload.upload_id)
            return found
        if path.stat().st_size > self.limits.file_bytes:
            raise problems.subtitles_too_large(self.limits.file_bytes)
        await asyncio.to_thread(lambda: read_captions(path.read_bytes()))
        return FoundSubtitles(files=[SubtitleFile(upload_id=upload.upload_id, filename=upload.filename or _UNNAMED)])

    async def _take_apart(self, path: Path) -> FoundSubtitles:
        found = FoundSubtitles()
        try:
            async for entry in _stepwise(unpack(path, self.limits)):
                await self._take(entry, found)
        except BaseException:
            for file in found.files:
                await self.sources.drop_upload(file.upload_id)
            raise
        return found

    async def _take(self, entry: Entry, found: FoundSubtitles) -> None:
        try:
            if entry.content is None:
                raise entry.refusal or problems.damaged_archive()
            await asyncio.to_thread(read_captions, entry.content)
        except CannotProcess as error:
            found.refused.append(
                RefusedFile(filename=entry.name, category=error.category, reason=error.message, advice=error.advice)
            )
            return
        found.files.append(await self._keep(entry.name, entry.content))

    async def _keep(self, filename: str, content: bytes) -> SubtitleFile:
        upload_id = uuid7()
        async with self.db.acquire() as conn:
            await queries.begin_upload(conn, upload_id, filename)
        written = await self.store.write_stream(upload_key(upload_id), _pieces(content))
        async with self.db.acquire() as conn:
            await queries.complete_upload(conn, upload_id, written.size_bytes, written.sha256)
        return SubtitleFile(upload_id=upload_id, filename=filename)


async def _always() -> None:
    """The caller waits for the answer."""


def _starts_like_zip(path: Path) -> bool:
    with path.open("rb") as file:
        return is_zip(file.read(4))


async def _stepwise(entries: Iterator[Entry]) -> AsyncIterator[Entry]:
    """Unpacking takes the processor: each step in a thread."""
    while (entry := await asyncio.to_thread(next, entries, None)) is not None:
        yield entry


async def _pieces(content: bytes) -> AsyncIterator[bytes]:
    yield content


def _refusal(error: CannotProcess) -> ApiError:
    return ApiError(422, error.category, error.message, advice=error.advice)
