"""Assets and the jobs that process them."""

from collections.abc import Iterator
from typing import Any

from earshot.models import Asset, Job, Page, Status, TimelineEvent
from earshot.paging import pages
from earshot.transport import Transport, given


class Assets:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def all(self, *, limit: int | None = None, **filters: Any) -> Iterator[Asset]:
        """Newest first. `filters`: kind, status, collection_id, tag, q, recorded_after and so on, as in the API."""
        return pages(self._transport, Page[Asset], "/api/assets", filters, limit)

    def get(self, asset_id: str) -> Asset:
        return self._transport.fetch(Asset, "GET", f"/api/assets/{asset_id}")

    def status(self, asset_id: str) -> Status:
        return self._transport.fetch(Status, "GET", f"/api/assets/{asset_id}/status")

    def timeline(self, asset_id: str) -> Iterator[TimelineEvent]:
        return pages(self._transport, Page[TimelineEvent], f"/api/assets/{asset_id}/timeline", {})

    def retry(
        self,
        asset_id: str,
        from_stage: str | None = None,
        *,
        recognise: bool = False,
        priority: str | None = None,
    ) -> None:
        """Process again, from the last stage that finished unless `from_stage` names one.

        `recognise`: listen to the sound of a recording that has its text from captions, for exact times.
        `priority`: of this run, `bulk` where it must not delay others; else the asset's own.
        """
        body = given({"from_stage": from_stage, "priority": priority})
        if recognise:
            body["recognise"] = True
        self._transport.request("POST", f"/api/assets/{asset_id}/retry", json=body)

    def change(self, asset_id: str, **changes: Any) -> Asset:
        """`changes`: title, tags, recorded_at or collection_id; what is left out stays."""
        return self._transport.fetch(Asset, "PATCH", f"/api/assets/{asset_id}", json=changes)

    def cancel(self, asset_id: str) -> None:
        self._transport.request("POST", f"/api/assets/{asset_id}/cancel")

    def delete(self, asset_id: str) -> None:
        self._transport.request("DELETE", f"/api/assets/{asset_id}")


class Jobs:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def all(self, *, limit: int | None = None, **filters: Any) -> Iterator[Job]:
        """Newest first. `filters`: status, stage, collection_id."""
        return pages(self._transport, Page[Job], "/api/jobs", filters, limit)

    def get(self, job_id: str) -> Job:
        return self._transport.fetch(Job, "GET", f"/api/jobs/{job_id}")
