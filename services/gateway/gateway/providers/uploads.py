"""The fetcher's uploads: a file goes through in pieces and is never held here."""

from collections.abc import AsyncIterator
from urllib.parse import quote
from uuid import UUID

import httpx
from common.errors import ApiError
from common.http import ErrorBody
from common.identity import SERVICE_HEADER, Signer
from common.logs import get_logger
from pydantic import BaseModel, ValidationError

from gateway.providers.upstreams import Upstreams, away

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
        response = await self._upstreams.send("fetcher", request)
        try:
            body = await response.aread()
        except httpx.TransportError as error:
            raise away("fetcher") from error
        finally:
            await response.aclose()
        if response.status_code == 201:
            return Uploaded.model_validate_json(body)
        log.warning("upload_refused", status=response.status_code)
        raise _refusal(response.status_code, body)

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


def _refusal(status_code: int, body: bytes) -> ApiError:
    """What the fetcher says of the file is for the user; any other refusal is between the two services."""
    try:
        said = ErrorBody.model_validate_json(body)
    except ValidationError:
        return away("fetcher")
    if status_code not in (413, 422):
        return away("fetcher")
    return ApiError(status_code, said.error_type, said.detail, advice=said.advice)
