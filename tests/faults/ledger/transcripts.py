"""Transcripts: one revision for each run that transcribed and one for a correction, made again by each later run, in
order; and every one says its own recording's number."""

import json
from collections import Counter
from collections.abc import Iterator

from tests.faults.book import Book, Entry
from tests.faults.ledger.finding import Finding, at, kept
from tests.faults.reading import Found, Row

_BY_MACHINE, _AGAIN = "transcribed", "carried"


def said(text: str) -> list[str]:
    """Words in lower case, without what makes sentences of them."""
    return [word.strip(".").lower() for word in text.split()]


def check(book: Book, found: Found) -> Iterator[Finding]:
    transcripts, jobs = found.by_asset("transcripts"), found.by_asset("jobs")
    transcriptions, parts = found.by_asset("transcriptions"), found.by_asset("parts")
    captions = found.by_asset("captions")
    assets = {row["id"]: row for row in found.tables["assets"]}
    for entry in kept(book):
        asset = assets.get(entry.asset_id)
        if entry.asset_id is None or asset is None or entry.plan.flaw is not None:
            continue
        revisions = transcripts.get(entry.asset_id, [])
        yield from _content(entry, revisions, found)
        yield from _order(entry, revisions)
        yield from _one_each(entry, revisions, jobs.get(entry.asset_id, []))
        if asset["status"] == "ready":
            yield from _rounded(entry, asset, revisions, found)
            yield from _corrected(entry, revisions)
            if entry.plan.way == "captions":
                yield from _read(entry, captions.get(entry.asset_id, []), revisions)
            else:
                yield from _done(entry, transcriptions.get(entry.asset_id, []), parts.get(entry.asset_id, []))


def _content(entry: Entry, revisions: list[Row], found: Found) -> Iterator[Finding]:
    for row in revisions:
        words = entry.plan.words if row["change"] == _BY_MACHINE else entry.plan.corrected
        if said(row["text"]) != words:
            yield at("wrong", entry, f"revision {row['revision']} says {row['text']!r}, not {words}")
        yield from _document(entry, row, words, found)


def _document(entry: Entry, row: Row, wanted: list[str], found: Found) -> Iterator[Finding]:
    path = found.files.get(row["transcript_uri"])
    if path is None:
        yield at("lost", entry, f"the document of revision {row['revision']} is not in the store")
        return
    document = json.loads(path.read_text())
    words = [word for segment in document["segments"] for word in said(segment["text"])]
    about = (document["asset_id"], document["revision"], words)
    if about != (str(entry.asset_id), row["revision"], wanted):
        yield at("wrong", entry, f"the document of revision {row['revision']} is {about}")


def _order(entry: Entry, revisions: list[Row]) -> Iterator[Finding]:
    if [row["revision"] for row in revisions] != list(range(1, len(revisions) + 1)):
        yield at("lost", entry, f"its revisions are {[row['revision'] for row in revisions]}")
    runs = [row["run"] for row in revisions]
    if runs != sorted(runs):
        yield at("wrong", entry, f"its revisions are of the runs {runs}: a superseded run left one")
    for (run, change), times in Counter((row["run"], row["change"]) for row in revisions).items():
        if times > 1:
            yield at("doubled", entry, f"run {run} made {times} revisions ({change})")


def _corrected(entry: Entry, revisions: list[Row]) -> Iterator[Finding]:
    """A correction stands once; behind every later machine's text it stands again."""
    changes = [row["change"] for row in revisions]
    corrections = [change for change in changes if change not in (_BY_MACHINE, _AGAIN)]
    if len(corrections) != entry.corrected:
        yield at("lost" if entry.corrected else "wrong", entry, f"its revisions are {changes}")
    first = changes.index(corrections[0]) if corrections else len(changes)
    later = changes[first + 1 :]
    if later != [_BY_MACHINE, _AGAIN] * (len(later) // 2):
        yield at("lost", entry, f"its correction was not made again: {changes}")


def _read(entry: Entry, captions: list[Row], revisions: list[Row]) -> Iterator[Finding]:
    """The last run that began before the index read the captions."""
    made = max((row["run"] for row in revisions if row["change"] == _BY_MACHINE), default=0)
    if [row["completed_run"] for row in captions] != [made]:
        yield at(
            "stuck", entry, f"its captions are {[dict(row) for row in captions]}, the last transcript of run {made}"
        )


def _one_each(entry: Entry, revisions: list[Row], jobs: list[Row]) -> Iterator[Finding]:
    made = {row["run"] for row in revisions}
    for job in jobs:
        began = entry.began_at.get(job["run"])
        if job["status"] == "ready" and began in ("fetch", "transcribe") and job["run"] not in made:
            yield at("lost", entry, f"run {job['run']} began at {began} and is ready, but made no transcript")
        if began == "index" and job["run"] in made:
            yield at("doubled", entry, f"run {job['run']} began at the index, but made a transcript")


def _rounded(entry: Entry, asset: Row, revisions: list[Row], found: Found) -> Iterator[Finding]:
    """Everybody agrees on the last revision, and every revision's document is referred to."""
    state = found.states["asr"].get(asset["id"])
    counted = {"asr": state["revision"] if state else 0, "gateway": asset["revision"]}
    for service, revision in counted.items():
        if revision != len(revisions):
            yield at("lost", entry, f"{service} is at revision {revision} of {len(revisions)}")
    names = {ref["name"] for ref in found.refs["asr"] if ref["asset_id"] == asset["id"]}
    if names != {f"transcript-{row['revision']}" for row in revisions}:
        yield at("lost", entry, f"{len(revisions)} revisions, but references {sorted(names)}")


def _done(entry: Entry, transcriptions: list[Row], parts: list[Row]) -> Iterator[Finding]:
    states = [row["state"] for row in transcriptions]
    if states != ["completed"]:
        yield at("stuck", entry, f"its transcription is {states}, though it is ready")
    if not all(row["recognised"] for row in parts) or bool(parts) != bool(entry.plan.utterances):
        yield at("stuck", entry, f"{sum(row['recognised'] for row in parts)} of {len(parts)} parts are recognised")
