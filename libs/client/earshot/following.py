"""Following assets until they are finished, through short absences of the server."""

import time
from collections.abc import Iterator, Sequence

from earshot.client import Client
from earshot.errors import EarshotError
from earshot.models import FINISHED, Status

PATIENCE_SECONDS = 60.0


def follow(
    client: Client,
    asset_ids: Sequence[str],
    every_seconds: float = 0.5,
    patience_seconds: float = PATIENCE_SECONDS,
) -> Iterator[tuple[str, Status]]:
    """(asset id, status) of each unfinished asset again and again; the last of each is its end.

    Raises EarshotError when the server stays away for longer than `patience_seconds`.
    """
    unfinished = list(asset_ids)
    away_since: float | None = None
    while unfinished:
        for asset_id in tuple(unfinished):
            try:
                status = client.assets.status(asset_id)
            except EarshotError as error:
                away_since = away_since or time.monotonic()
                if not error.transient or time.monotonic() - away_since > patience_seconds:
                    raise
                continue
            away_since = None
            if status.status in FINISHED:
                unfinished.remove(asset_id)
            yield asset_id, status
        if unfinished:
            time.sleep(every_seconds)
