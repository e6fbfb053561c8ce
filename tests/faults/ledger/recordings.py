"""The fetcher and the object store: what is referred to is there, byte for byte, and nothing lies about."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from common.store import MARKER_KEY

from tests.faults.book import Book, Entry
from tests.faults.ledger.finding import Finding, at, kept
from tests.faults.reading import STORING, Found, Row

# Every service that hears of restarts must have come as far as the gateway.
_FOLLOWING = ("fetcher", "asr", "embedder")
_OURS = ("incoming/", ".incomplete/")


def check(book: Book, found: Found) -> Iterator[Finding]:
    runs = {row["id"]: row for row in found.tables["assets"]}
    recordings = found.by_asset("recordings")
    refs: dict[UUID, set[str]] = {}
    for row in found.refs["fetcher"]:
        refs.setdefault(row["asset_id"], set()).add(row["name"])
    for entry in kept(book):
        assert entry.asset_id is not None
        asset = runs.get(entry.asset_id)
        if asset is None or entry.plan.flaw is not None:
            continue
        yield from _followed(entry, asset, found)
        if asset["status"] == "ready":
            yield from _copies(entry, asset, recordings.get(entry.asset_id, []), refs.get(entry.asset_id, set()))
    yield from _contents(found)
    yield from _orphans(found)


def _followed(entry: Entry, asset: Row, found: Found) -> Iterator[Finding]:
    for service in _FOLLOWING:
        state = found.states[service].get(asset["id"])
        if state is not None and state["run"] > asset["run"]:
            yield at("wrong", entry, f"{service} is at run {state['run']}, the gateway at {asset['run']}")
        if asset["run"] > 1 and (state is None or state["run"] < asset["run"]):
            yield at("lost", entry, f"{service} never heard of run {asset['run']}")


def _copies(entry: Entry, asset: Row, recordings: list[Row], refs: set[str]) -> Iterator[Finding]:
    if len(recordings) != 1 or recordings[0]["run"] > asset["run"]:
        yield at("lost", entry, f"the fetcher knows {[row['run'] for row in recordings]} as its recording")
    wanted: set[str] = {"audio", "playback"} if entry.plan.keep_media == "audio" else set()
    if entry.plan.way == "captions":
        wanted = {"captions"}
    if refs != wanted:
        yield at("lost" if wanted - refs else "wrong", entry, f"it has the copies {sorted(refs)}, not {sorted(wanted)}")


def _contents(found: Found) -> Iterator[Finding]:
    for service in STORING:
        objects: dict[Any, Row] = {(row["kind"], row["sha256"]): row for row in found.objects[service]}
        referred = {(ref["kind"], ref["sha256"]) for ref in found.refs[service]}
        for kind, sha256 in referred:
            row = objects[kind, sha256]
            if row["stored_at"] is None or not found.holds(row["uri"], sha256):
                yield Finding("lost", f"{service} {row['uri']}", "is referred to, but its bytes are not there")
            if row["unreferenced_at"] is not None:
                yield Finding("wrong", f"{service} {row['uri']}", "is referred to, and marked for removal")


def _orphans(found: Found) -> Iterator[Finding]:
    """Bytes that no row leads to stay for ever."""
    known = {row["uri"] for service in STORING for row in found.objects[service]}
    known |= {f"uploads/{row['upload_id']}" for row in found.tables["uploads"]} | {MARKER_KEY}
    for key in found.files:
        if key not in known and not key.startswith(_OURS):
            yield Finding("wrong", key, "lies in the store, and no row leads to it")
