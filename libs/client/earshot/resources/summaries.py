"""Summaries and chapters of recordings."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from earshot.errors import EarshotError
from earshot.models import Chapters, Summary
from earshot.resources.recordings import once
from earshot.transport import Transport, given

# What may be edited: all of it is sent, as it shall be.
PARTS = ("bottom_line", "action_items", "decisions", "topics", "speakers", "sections")
_LOOK_SECONDS = 1.0


class Summaries:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def get(self, asset_id: str, version: int | None = None) -> Summary:
        """The newest version, or an earlier one. An error with status 404 where none was asked for yet."""
        return self._transport.fetch(Summary, "GET", _path(asset_id), params=given({"version": version}))

    def write(self, asset_id: str, *, model: str | None = None, template: Mapping[str, Any] | None = None) -> Summary:
        """Have one written, also in the place of one that was edited; `status` is running until it is there.

        `model`: "extractive" needs none. `template`: `{"name", "sections": [{"title", "instruction"}], "instruction"}`.
        """
        body = given({"model": model, "template": template})
        return self._transport.fetch(Summary, "POST", _path(asset_id), json=body, headers=once())

    def wait(self, asset_id: str, progress: Callable[[float], None] | None = None) -> Summary:
        """Until it is written. Raises EarshotError when that failed; `progress` is told 0 to 1."""
        while True:
            found = self.get(asset_id)
            if found.error is not None:
                raise EarshotError(found.error.message, error_type="summary_failed", advice=found.error.advice)
            if found.status != "running":
                return found
            if progress is not None:
                progress(found.progress or 0.0)
            time.sleep(_LOOK_SECONDS)

    def edit(self, asset_id: str, version: int, **parts: Any) -> Summary:
        """`parts` by name as in `PARTS`; what is left out is empty then. `version` is the one that was read: the server
        refuses the edit (412) when there is a newer one."""
        headers = {"If-Match": f'"{version}"'}
        return self._transport.fetch(Summary, "PUT", _path(asset_id), json=parts, headers=headers)

    def chapters(self, asset_id: str) -> Chapters:
        return self._transport.fetch(Chapters, "GET", f"/api/assets/{asset_id}/chapters")

    def chapters_text(self, asset_id: str, as_format: str) -> str:
        """The chapters as json, vtt or podcast."""
        query = {"format": as_format}
        return self._transport.request("GET", f"/api/assets/{asset_id}/chapters", params=query).text


def _path(asset_id: str) -> str:
    return f"/api/assets/{asset_id}/summary"
