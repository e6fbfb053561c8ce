"""Anyone with broker access starts the road with ``ingestion.requested``: one asset per request and collection."""

from datetime import UTC, datetime

from common.delivery import Delivery
from common.errors import CannotProcess
from common.events import IngestionRequested, KeepMedia, Source
from common.ids import uuid7

from gateway.queries import collections, once
from gateway.registration import Wish, register


async def take_request(request: IngestionRequested, delivery: Delivery) -> None:
    """A request for a collection that does not exist has nobody to tell but the log."""
    async with delivery.record(lock=False) as rec:
        keep_media = await collections.keep_media_of(rec.conn, request.collection_id)
        if keep_media is None:
            raise CannotProcess(
                f"ingestion.requested names the collection {request.collection_id}, which does not exist",
                category="not_found",
                advice="Publish it again with the id of an existing collection.",
            )
        asset_id = uuid7()
        if await once.claim_request(rec.conn, request.collection_id, request.request_id, asset_id):
            await register(rec, asset_id, _wish(request, keep_media))


def _wish(request: IngestionRequested, keep_media: KeepMedia) -> Wish:
    return Wish(
        collection_id=request.collection_id,
        source=_source(request),
        keep_media=request.keep_media or keep_media,
        options=request.options,
        title=request.title,
        recorded_at=_aware(request.recorded_at),
        priority=request.priority,
        kind=request.kind,
    )


def _source(request: IngestionRequested) -> Source:
    if request.url is not None:
        return Source(type="url", url=str(request.url))
    return Source(type="object", object_uri=request.object_uri)


def _aware(time: datetime | None) -> datetime | None:
    """A time without a zone is taken as UTC."""
    return time.replace(tzinfo=UTC) if time is not None and time.tzinfo is None else time
