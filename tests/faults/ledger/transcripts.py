"""Transcripts: one revision for each run that transcribed, in order, and every one says its own recording's number."""

import json
from collections import Counter
from collections.abc import Iterator

from tests.faults.book import Book, Entry
from tests.faults.ledger.finding import Finding, at, kept
from tests.faults.reading import Found, Row


def said(text: str) -> list[str]:
    """Words in lower case, without what makes sentences of them."""
    return [word.strip(".").lower() for word in text.split()]


def check(book: Book, found: Found) -> Iterator[Finding]:
    transcripts, jobs = found.by_asset("transcripts"), found.by_asset("jobs")
    transcriptions, parts = found.by_asset("transcriptions"), found.by_asset("parts")
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
            yield from _done(entry, transcriptions.get(entry.asset_id, []), parts.get(entry.asset_id, []))


def _content(entry: Entry, revisions: list[Row], found: Found) -> Iterator[Finding]:
    for row in revisions:
        if said(row["text"]) != entry.plan.words:
            yield at("wrong", entry, f"revision {row['revision']} says {row['text']!r}, not {entry.plan.words}")
        yield from _document(entry, row, found)


def _document(entry: Entry, row: Row, found: Found) -> Iterator[Finding]:
    path = found.files.get(row["transcript_uri"])
    if path is None:
        yield at("lost", entry, f"the document of revision {row['revision']} is not in the store")
        return
    document = json.loads(path.read_text())
    words = [word for segment in document["segments"] for word in said(segment["text"])]
    about = (document["asset_id"], document["revision"], words)
    if about != (str(entry.asset_id), row["revision"], entry.plan.words):
        yield at("wrong", entry, f"the document of revision {row['revision']} is {about}")


def _order(entry: Entry, revisions: list[Row]) -> Iterator[Finding]:
    if [row["revision"] for row in revisions] != list(range(1, len(revisions) + 1)):
        yield at("lost", entry, f"its revisions are {[row['revision'] for row in revisions]}")
    runs = [row["run"] for row in revisions]
    if runs != sorted(runs):
        yield at("wrong", entry, f"its revisions are of the runs {runs}: a superseded run left one")
    for run, times in Counter(runs).items():
        if times > 1:
            yield at("doubled", entry, f"run {run} made {times} revisions")


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
