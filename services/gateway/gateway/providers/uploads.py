"""The fetcher's uploads: a file goes through in pieces and is never held here."""

from collections.abc import AsyncIterator
from urllib.parse import quote
from uuid import UUID

from common.errors import ApiError
from common.identity import SERVICE_HEADER, Signer
from common.logs import get_logger
from common.subtitles import FoundSubtitles
from pydantic import BaseModel

from gateway.providers.upstreams import Upstreams, refusal

log = get_logger()


class Uploaded(BaseModel):
    """What the fetcher stored of an upload."""

    upload_id: UUID
    size_bytes: int
    sha256: str


class Uploads:
    """Stores and drops files at the fetcher, as the gateway itself."""

    def __init__(self, upstreams: Upstreams, signer: Signer) -> None:
        self._upstreams = upstreams
        self._signer = signer

    async def store(self, filename: str, content: AsyncIterator[bytes]) -> Uploaded:
        """Raises ApiError 413 or 422 in the fetcher's words, 503 when it is away, and whatever ``content`` raises."""
        headers = [
            (SERVICE_HEADER, self._signer.service_token()),
            ("X-Upload-Filename", quote(filename, safe="")),
            ("Content-Type", "application/octet-stream"),
        ]
        request = self._upstreams.request("fetcher", "POST", "/internal/uploads", headers, content=content)
        response = await self._upstreams.ask("fetcher", request)
        if response.status_code == 201:
            return Uploaded.model_validate_json(response.content)
        log.warning("upload_refused", status=response.status_code)
        raise refusal("fetcher", response, for_the_user=(413, 422))

    async def subtitles(self, upload_id: UUID) -> FoundSubtitles:
        """The upload's subtitle files; what is a ZIP is taken apart. Raises ApiError 422, or 503 as ``store``."""
        headers = [(SERVICE_HEADER, self._signer.service_token())]
        request = self._upstreams.request("fetcher", "POST", f"/internal/uploads/{upload_id}/subtitles", headers)
        response = await self._upstreams.ask("fetcher", request)
        if response.status_code == 200:
            return FoundSubtitles.model_validate_json(response.content)
        raise refusal("fetcher", response, for_the_user=(422,))

    async def drop(self, upload_id: UUID) -> None:
        """For an upload that nothing refers to; what this misses the fetcher sweeps."""
        headers = [(SERVICE_HEADER, self._signer.service_token())]
        request = self._upstreams.request("fetcher", "DELETE", f"/internal/uploads/{upload_id}", headers)
        try:
            response = await self._upstreams.send("fetcher", request)
        except ApiError:
            log.warning("upload_left_behind", upload_id=str(upload_id))
            return
        await response.aclose()
