"""Parked messages: what the server could not handle. For administrators."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx

from earshot.models import Parked, ParkedMessage, ParkedPage, Replayed
from earshot.paging import pages
from earshot.transport import Transport, given

PATH = "/api/admin/parked"
# Thousands of messages are replayed in one request.
MANY_TIMEOUT = httpx.Timeout(60.0, read=600.0)


class ParkedMessages:
    """`parked_id` is a full id, or a short id where it is unique."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def all(self, *, limit: int | None = None, **filters: Any) -> Iterator[Parked]:
        """Newest first. `filters`: service, type."""
        return pages(self._transport, ParkedPage, PATH, filters, limit)

    def page(self, *, limit: int = 50, cursor: str | None = None, **filters: Any) -> ParkedPage:
        """One page, with the names of services that could not be asked. At most 200."""
        query = {"limit": limit, "cursor": cursor, **filters}
        return self._transport.fetch(ParkedPage, "GET", PATH, params=given(query))

    def get(self, parked_id: str) -> ParkedMessage:
        return self._transport.fetch(ParkedMessage, "GET", f"{PATH}/{quote(parked_id, safe='')}")

    def replay(self, parked_id: str) -> Replayed:
        """Hand it back to the queue it came from. A second time it is not there any more: an error with status 404."""
        return self._transport.fetch(Replayed, "POST", f"{PATH}/{quote(parked_id, safe='')}/replay")

    def replay_all(self, *, everything: bool = False, **filters: Any) -> Replayed:
        """Replay all of a `type`; or whatever their type, when `everything` says so. Also of one `service`."""
        query = given({**filters, "all": "true" if everything else None})
        return self._transport.fetch(Replayed, "POST", f"{PATH}/replay", params=query, timeout=MANY_TIMEOUT)

    def drop(self, parked_id: str) -> None:
        """For good."""
        self._transport.request("DELETE", f"{PATH}/{quote(parked_id, safe='')}")
