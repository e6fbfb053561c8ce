"""Uploads, streamed from the gateway straight into the object store."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import unquote
from uuid import UUID

from common import crash
from common.db import Database
from common.errors import ApiError, invalid, too_large, unavailable
from common.identity import CallingService
from common.ids import uuid7
from common.store import ObjectStore, ObjectTooLarge, StoreUnavailable, Written
from fastapi import APIRouter, Header, Request, Response
from pydantic import BaseModel, Field
from starlette.requests import ClientDisconnect

from fetcher import metrics, queries
from fetcher.providers.sources import Sources, upload_key

_TOO_LARGE_ADVICE = "Compress the recording (a lower bit rate, or sound only) or cut it into several."
_FILENAME_CHARACTERS = 500


class UploadReceipt(BaseModel):
    """A complete upload; name it by ``upload_id`` in a registration before it expires."""

    upload_id: UUID
    size_bytes: int = Field(gt=0)
    sha256: str


@dataclass(frozen=True)
class Uploads:
    """The routes of uploads; only services reach them."""

    db: Database
    store: ObjectStore
    sources: Sources
    max_bytes: int

    def routes(self) -> APIRouter:
        router = APIRouter(prefix="/internal/uploads", include_in_schema=False)
        router.add_api_route("", self.receive, methods=["POST"], status_code=201, response_model=UploadReceipt)
        router.add_api_route("/{upload_id}", self.drop, methods=["DELETE"], status_code=204)
        return router

    async def receive(
        self,
        request: Request,
        service: CallingService,
        x_upload_filename: Annotated[str | None, Header()] = None,
    ) -> UploadReceipt:
        """The raw body is the file. 413 over the limit, 422 when it is empty."""
        declared = request.headers.get("content-length", "")
        if declared.isdigit() and int(declared) > self.max_bytes:
            raise self._too_large()
        upload_id = uuid7()
        filename = unquote(x_upload_filename or "")[:_FILENAME_CHARACTERS] or None
        async with self.db.acquire() as conn:
            await queries.begin_upload(conn, upload_id, filename)
        complete = False
        try:
            written = await self._store(upload_id, request.stream())
            crash.point("fetcher.upload_stored")
            async with self.db.acquire() as conn:
                complete = await queries.complete_upload(conn, upload_id, written.size_bytes, written.sha256)
        finally:
            if not complete:
                await self.sources.drop_upload(upload_id)
        metrics.uploaded.inc(written.size_bytes)
        return UploadReceipt(upload_id=upload_id, size_bytes=written.size_bytes, sha256=written.sha256)

    async def _store(self, upload_id: UUID, body: AsyncIterator[bytes]) -> Written:
        try:
            written = await self.store.write_stream(upload_key(upload_id), body, max_bytes=self.max_bytes)
        except ObjectTooLarge as error:
            raise self._too_large() from error
        except ClientDisconnect as error:
            raise invalid("The upload broke off.", advice="Upload the file again.") from error
        except StoreUnavailable as error:
            raise unavailable("The file store does not answer at the moment.") from error
        if written.size_bytes == 0:
            raise invalid("The uploaded file is empty.", advice="Check the original recording.")
        return written

    async def drop(self, upload_id: UUID, service: CallingService) -> Response:
        """An upload that no asset will use. No error when it is not there."""
        await self.sources.drop_upload(upload_id)
        return Response(status_code=204)

    def _too_large(self) -> ApiError:
        return too_large(f"The file is larger than {self.max_bytes} bytes.", advice=_TOO_LARGE_ADVICE)
