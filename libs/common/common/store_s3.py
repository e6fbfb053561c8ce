"""The object store on any S3: boto3 in threads, large streams as multipart uploads."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from common.store import CHUNK_BYTES, MARKER_KEY, Meter, ObjectMissing, StoreUnavailable, Written, checked_key

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client
    from types_boto3_s3.type_defs import CompletedPartTypeDef

# S3 asks for at least 5 MiB in every part but the last.
_PART_BYTES = 8 * 1024 * 1024
_MISSING = {"404", "NoSuchKey", "NotFound"}


class S3Store:
    """Objects below ``prefix`` of ``bucket``; credentials come from where boto3 looks for them."""

    def __init__(self, bucket: str, prefix: str, endpoint_url: str | None, region: str | None) -> None:
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""
        self._endpoint_url = endpoint_url
        self._region = region
        self._made: S3Client | None = None

    @property
    def _client(self) -> "S3Client":
        if self._made is None:
            config = Config(connect_timeout=5, read_timeout=60, retries={"max_attempts": 4, "mode": "standard"})
            make: Any = getattr(boto3, "client")  # noqa: B009 (hundreds of overloads, partly unknown to the stubs)
            self._made = make(
                "s3", endpoint_url=self._endpoint_url, region_name=self._region or "us-east-1", config=config
            )
        assert self._made is not None
        return self._made

    async def check(self) -> None:
        try:
            await self.size(MARKER_KEY)
        except ObjectMissing:
            raise RuntimeError(f"bucket {self._bucket} has not been marked by `earshot migrate`") from None

    async def create(self) -> None:
        def make() -> None:
            try:
                with _translated(self._bucket):
                    self._client.head_bucket(Bucket=self._bucket)
            except ObjectMissing:
                with _translated(self._bucket):
                    self._client.create_bucket(Bucket=self._bucket, **self._place())

        await asyncio.to_thread(make)

    def _place(self) -> Any:
        """Where a new bucket lies; the oldest region must not be named."""
        if self._region in (None, "us-east-1"):
            return {}
        return {"CreateBucketConfiguration": {"LocationConstraint": self._region}}

    async def put_file(self, key: str, path: Path) -> None:
        def put() -> None:
            with _translated(key):
                self._client.upload_file(str(path), self._bucket, self._key(key))

        await asyncio.to_thread(put)

    async def put_bytes(self, key: str, data: bytes) -> None:
        def put() -> None:
            with _translated(key):
                self._client.put_object(Bucket=self._bucket, Key=self._key(key), Body=data)

        await asyncio.to_thread(put)

    async def get_bytes(self, key: str) -> bytes:
        def get() -> bytes:
            with _translated(key):
                return self._client.get_object(Bucket=self._bucket, Key=self._key(key))["Body"].read()

        return await asyncio.to_thread(get)

    async def fetch_file(self, key: str, path: Path) -> None:
        def get() -> None:
            with _translated(key):
                self._client.download_file(self._bucket, self._key(key), str(path))

        await asyncio.to_thread(get)

    async def read(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        if end is not None and end <= start:
            return

        def begin() -> Any:
            with _translated(key):
                wanted = f"bytes={start}-{'' if end is None else end - 1}"
                return self._client.get_object(Bucket=self._bucket, Key=self._key(key), Range=wanted)["Body"]

        def step() -> bytes:
            with _translated(key):
                return body.read(CHUNK_BYTES)

        if await self.size(key) <= start:
            return
        body = await asyncio.to_thread(begin)
        with contextlib.closing(body):
            while chunk := await asyncio.to_thread(step):
                yield chunk

    async def size(self, key: str) -> int:
        def head() -> int:
            with _translated(key):
                return self._client.head_object(Bucket=self._bucket, Key=self._key(key))["ContentLength"]

        return await asyncio.to_thread(head)

    async def delete(self, key: str) -> None:
        def remove() -> None:
            with _translated(key):
                self._client.delete_object(Bucket=self._bucket, Key=self._key(key))

        await asyncio.to_thread(remove)

    async def keys(self, prefix: str) -> AsyncIterator[str]:
        token: str | None = None
        while True:
            page = await asyncio.to_thread(self._page, prefix, token)
            for item in page.get("Contents", []):
                key = str(item["Key"]).removeprefix(self._prefix)
                if not key.startswith("."):
                    yield key
            token = page.get("NextContinuationToken")
            if not token:
                return

    def _page(self, prefix: str, token: str | None) -> Any:
        with _translated(prefix):
            more: Any = {"ContinuationToken": token} if token else {}
            return self._client.list_objects_v2(Bucket=self._bucket, Prefix=self._prefix + prefix, **more)

    async def write_stream(self, key: str, chunks: AsyncIterator[bytes], *, max_bytes: int | None = None) -> Written:
        meter = Meter(max_bytes)
        upload = await asyncio.to_thread(self._begin, key)
        parts: list[CompletedPartTypeDef] = []
        try:
            buffer = bytearray()
            async for chunk in chunks:
                meter.take(chunk)
                buffer += chunk
                if len(buffer) >= _PART_BYTES:
                    parts.append(await asyncio.to_thread(self._part, key, upload, len(parts) + 1, bytes(buffer)))
                    buffer.clear()
            if buffer or not parts:
                parts.append(await asyncio.to_thread(self._part, key, upload, len(parts) + 1, bytes(buffer)))
            await asyncio.to_thread(self._complete, key, upload, parts)
        except BaseException:
            await asyncio.to_thread(self._abort, key, upload)
            raise
        return meter.written()

    def _begin(self, key: str) -> str:
        with _translated(key):
            return self._client.create_multipart_upload(Bucket=self._bucket, Key=self._key(key))["UploadId"]

    def _part(self, key: str, upload: str, number: int, data: bytes) -> "CompletedPartTypeDef":
        with _translated(key):
            answer = self._client.upload_part(
                Bucket=self._bucket, Key=self._key(key), UploadId=upload, PartNumber=number, Body=data
            )
        return {"ETag": answer["ETag"], "PartNumber": number}

    def _complete(self, key: str, upload: str, parts: "list[CompletedPartTypeDef]") -> None:
        with _translated(key):
            self._client.complete_multipart_upload(
                Bucket=self._bucket, Key=self._key(key), UploadId=upload, MultipartUpload={"Parts": parts}
            )

    def _abort(self, key: str, upload: str) -> None:
        with contextlib.suppress(ObjectMissing, StoreUnavailable), _translated(key):
            self._client.abort_multipart_upload(Bucket=self._bucket, Key=self._key(key), UploadId=upload)

    def _key(self, key: str) -> str:
        return self._prefix + checked_key(key)


@contextlib.contextmanager
def _translated(key: str) -> Generator[None]:
    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code in _MISSING:
            raise ObjectMissing(key) from error
        raise StoreUnavailable(f"the object store refused {key}: {code}") from error
    except BotoCoreError as error:
        raise StoreUnavailable(f"the object store does not answer: {error}") from error
