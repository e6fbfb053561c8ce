"""API keys of the caller."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from earshot.models import Key, Page
from earshot.paging import pages
from earshot.transport import Transport


class Keys:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(self, name: str, scopes: Sequence[str] | None = None, expires_at: datetime | None = None) -> Key:
        """The key itself is in this answer and never again; `scopes` None leaves them to the server's default."""
        body: dict[str, Any] = {"name": name}
        if scopes:
            body["scopes"] = list(scopes)
        if expires_at is not None:
            body["expires_at"] = expires_at.isoformat()
        return self._transport.fetch(Key, "POST", "/api/keys", json=body)

    def all(self) -> Iterator[Key]:
        return pages(self._transport, Page[Key], "/api/keys", {})

    def revoke(self, key_id: str) -> None:
        self._transport.request("DELETE", f"/api/keys/{key_id}")
