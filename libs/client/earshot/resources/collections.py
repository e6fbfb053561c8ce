"""Collections: what assets are kept and shared in."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypedDict, Unpack

from earshot.models import Collection, Page
from earshot.paging import pages
from earshot.transport import Transport, given


class CollectionFields(TypedDict, total=False):
    """`keep_media`: audio, original or none. `key_terms`: names and terms as they are spelled, told to the recogniser.

    `initial_prompt`: text in the style that transcripts shall have; empty: none. `retention_days`: after so many days
    each asset is deleted with everything made of it.
    """

    description: str | None
    keep_media: str | None
    key_terms: Sequence[str] | None
    initial_prompt: str | None
    retention_days: int | None


class Collections:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(self, name: str, **fields: Unpack[CollectionFields]) -> Collection:
        return self._transport.fetch(Collection, "POST", "/api/collections", json={"name": name, **given(fields)})

    def change(self, collection_id: str, **fields: Unpack[CollectionFields]) -> Collection:
        """What is left out, or None, stays as it is; the fields hold for recordings that are added from now on."""
        return self._transport.fetch(Collection, "PATCH", f"/api/collections/{collection_id}", json=given(fields))

    def keep_for_good(self, collection_id: str) -> Collection:
        """End the deleting by age."""
        return self._transport.fetch(
            Collection, "PATCH", f"/api/collections/{collection_id}", json={"retention_days": None}
        )

    def get(self, collection_id: str) -> Collection:
        return self._transport.fetch(Collection, "GET", f"/api/collections/{collection_id}")

    def all(self) -> Iterator[Collection]:
        return pages(self._transport, Page[Collection], "/api/collections", {})

    @contextmanager
    def export(self, collection_id: str, *, media: bool = False) -> Generator[Iterator[bytes]]:
        """All of it as one ZIP that `earshot import` takes in, in pieces as the server makes them.

        `media`: with the sound, as it is played. Reading raises EarshotError when it breaks off.
        """
        path, query = f"/api/collections/{collection_id}/export", {"media": str(media).lower()}
        with self._transport.stream("GET", path, params=query, headers={"Accept": "*/*"}) as response:
            yield response.iter_bytes()

    def export_to(self, collection_id: str, path: Path, *, media: bool = False) -> None:
        """The same as a file: whole or not at all, readable by this user only."""
        beside = path.with_name(path.name + ".new")
        beside.touch(mode=0o600)
        try:
            with self.export(collection_id, media=media) as pieces, beside.open("wb") as file:
                for piece in pieces:
                    file.write(piece)
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)

    def delete(self, collection_id: str) -> None:
        self._transport.request("DELETE", f"/api/collections/{collection_id}")
