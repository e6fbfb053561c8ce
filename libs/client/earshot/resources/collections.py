"""Collections: what assets are kept and shared in."""

from collections.abc import Iterator

from earshot.models import Collection, Page
from earshot.paging import pages
from earshot.transport import Transport


class Collections:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(self, name: str, *, description: str | None = None, keep_media: str | None = None) -> Collection:
        """`keep_media` is audio, original or none."""
        body = {"name": name, "description": description, "keep_media": keep_media}
        given = {field: value for field, value in body.items() if value is not None}
        return self._transport.fetch(Collection, "POST", "/api/collections", json=given)

    def get(self, collection_id: str) -> Collection:
        return self._transport.fetch(Collection, "GET", f"/api/collections/{collection_id}")

    def all(self) -> Iterator[Collection]:
        return pages(self._transport, Page[Collection], "/api/collections", {})

    def delete(self, collection_id: str) -> None:
        self._transport.request("DELETE", f"/api/collections/{collection_id}")
