"""Transcribing many recordings again: which ones, a plan that outlives the process, and each of them once.

The plan says of each recording the run that it had when it was chosen. A recording whose run is higher by now has been
taken up, by this command or by somebody else, so that nothing has to be written down while the requests go out.
"""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from earshot.client import Client
from earshot.errors import EarshotError
from earshot.models import FINISHED, Asset
from earshot.patience import patiently

UNDER_WAY = ("pending", "processing")
EVERY_SECONDS = 2.0
Json = dict[str, Any]


@dataclass(frozen=True)
class Choice:
    """Which recordings; `filters` as the API takes them, `engine` the one that made the newest transcript."""

    ids: tuple[str, ...] = ()
    filters: Json = field(default_factory=dict[str, Any])
    engine: str | None = None

    def name(self, url: str) -> str:
        """The same for the same choice on the same server."""
        told = json.dumps([url, sorted(self.ids), self.filters, self.engine], sort_keys=True)
        return sha256(told.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Planned:
    """A recording that is to be transcribed again, and its run when it was chosen."""

    id: str
    short_id: str
    title: str
    run: int
    duration_seconds: float


@dataclass(frozen=True)
class Passed:
    """A recording that is left as it is, and why."""

    id: str
    short_id: str
    title: str
    reason: str


@dataclass
class Plan:
    chosen_at: datetime
    recordings: list[Planned]

    @property
    def hours(self) -> float:
        return sum(one.duration_seconds for one in self.recordings) / 3600


def choose(client: Client, choice: Choice) -> Iterator[Planned | Passed]:
    """Every recording of the choice in turn: planned, or passed over with its reason."""
    if choice.ids:
        found: Iterator[Asset] = (client.assets.get(each) for each in choice.ids)
    else:
        found = client.assets.all(kind="recording", **choice.filters)
    for asset in found:
        if choice.engine is not None and engine_of(client, asset) != choice.engine:
            continue
        reason = why_not(client, asset)
        if reason:
            yield Passed(asset.id, asset.short_id, asset.title, reason)
        else:
            yield Planned(asset.id, asset.short_id, asset.title, asset.run, asset.duration_seconds or 0.0)


def engine_of(client: Client, asset: Asset) -> str | None:
    """Of the newest transcript; None before there is one."""
    newest = patiently(lambda: list(client.transcripts.revisions(asset.id, limit=1)))
    return newest[0].engine if newest else None


def why_not(client: Client, asset: Asset) -> str | None:
    if asset.kind != "recording":
        return "not a recording"
    if asset.status in UNDER_WAY:
        return "under way"
    if asset.status == "deleting":
        return "deleted"
    if not patiently(lambda: client.recordings.has_media(asset.id)):
        return "no sound is kept of it"
    return None


def send(client: Client, one: Planned, priority: str) -> Passed | None:
    """Begin the recording's next run unless it has begun; None when it has."""
    try:
        asset = patiently(lambda: client.assets.get(one.id))
        if asset.run > one.run:
            return None
        if asset.status in UNDER_WAY:
            return _passed(one, "under way")
        patiently(lambda: _retry(client, one, priority))
    except EarshotError as error:
        if error.status_code == 404:
            return _passed(one, "deleted")
        if error.status_code in (403, 409):
            return _passed(one, error.detail)
        raise
    return None


def _retry(client: Client, one: Planned, priority: str) -> None:
    try:
        client.assets.retry(one.id, "transcribe", priority=priority)
    except EarshotError as error:
        # The answer to an earlier try may have been lost on the way.
        if error.status_code != 409 or client.assets.get(one.id).run == one.run:
            raise


def _passed(one: Planned, reason: str) -> Passed:
    return Passed(one.id, one.short_id, one.title, reason)


def follow(
    client: Client, sent: Sequence[Planned], collection_id: str | None, every_seconds: float = EVERY_SECONDS
) -> Iterator[list[Asset]]:
    """Those that have finished since the last look, until all have; few requests however many they are."""
    unfinished = {one.id for one in sent}
    while unfinished:
        busy = patiently(lambda: _under_way(client, collection_id)) & unfinished
        ended = [asset for each in sorted(unfinished - busy) if (asset := _end_of(client, each)) is not None]
        unfinished -= {asset.id for asset in ended}
        yield ended
        if unfinished:
            time.sleep(every_seconds)


def _under_way(client: Client, collection_id: str | None) -> set[str]:
    """Pending ones first: one that moves on meanwhile is seen twice, not never."""
    return {
        asset.id
        for status in UNDER_WAY
        for asset in client.assets.all(kind="recording", status=status, collection_id=collection_id)
    }


def _end_of(client: Client, asset_id: str) -> Asset | None:
    """None while it is not at its end."""
    try:
        asset = patiently(lambda: client.assets.get(asset_id))
    except EarshotError as error:
        if error.status_code != 404:
            raise
        return Asset(
            id=asset_id, short_id=asset_id[-8:], kind="recording", title="", collection_id="", status="deleting"
        )
    return asset if asset.status in FINISHED else None


def cancel(client: Client, plan: Plan) -> int:
    """Call off what the plan began and has not finished. Returns how many."""
    return sum(_cancel(client, one) for one in plan.recordings)


def _cancel(client: Client, one: Planned) -> bool:
    try:
        asset = patiently(lambda: client.assets.get(one.id))
        if asset.run != one.run + 1 or asset.status not in UNDER_WAY:
            return False
        client.assets.cancel(one.id)
    except EarshotError as error:
        if error.status_code in (404, 409):
            return False
        raise
    return True


def keep_plan(path: Path, plan: Plan) -> None:
    """Whole or not at all, readable by this user only: titles may be private."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".new")
    beside.touch(mode=0o600)
    body = {"chosen_at": plan.chosen_at.isoformat(), "recordings": [asdict(one) for one in plan.recordings]}
    beside.write_text(json.dumps(body), encoding="utf-8")
    beside.replace(path)


def read_plan(path: Path) -> Plan | None:
    """None when there is none. Raises EarshotError for a file that is no plan."""
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
        recordings = [Planned(**one) for one in body["recordings"]]
        return Plan(datetime.fromisoformat(body["chosen_at"]).astimezone(UTC), recordings)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise EarshotError(f"{path} cannot be read as a plan.", advice="Choose anew with --new.") from error
