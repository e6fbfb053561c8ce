"""Conservation at the gateway: every request became one asset, every run one job, and every job came to an end."""

from collections import Counter
from collections.abc import Iterator
from uuid import UUID

from tests.faults.book import Book, Entry
from tests.faults.ledger.finding import Finding, at, kept
from tests.faults.reading import Found, Row

_OVER = ("ready", "failed", "cancelled")
# An asset may fail, and be edited, any number of times; everything else is noted once for each run.
_REPEATED = ("processing.failed", "asset.updated")


def check(book: Book, found: Found) -> Iterator[Finding]:
    for words in book.unanswered:
        yield Finding("stuck", "gateway", f"nobody answered {words}")
    for words, times in book.bugs.items():
        yield Finding("wrong", "gateway", f"answered {times} times with {words}")
    yield from _one_asset_each(book, found)
    assets = {row["id"]: row for row in found.tables["assets"]}
    jobs, stages, timeline = found.by_asset("jobs"), found.by_asset("stages"), found.by_asset("timeline")
    for entry in kept(book):
        assert entry.asset_id is not None
        asset = assets.get(entry.asset_id)
        if asset is None:
            yield at("lost", entry, "the asset is gone")
            continue
        yield from _runs(entry, asset, jobs.get(entry.asset_id, []))
        yield from _ends(entry, asset, jobs.get(entry.asset_id, []), stages.get(entry.asset_id, []))
        yield from _edits(entry, asset)
        yield from _happenings(entry, jobs.get(entry.asset_id, []), timeline.get(entry.asset_id, []))


def _one_asset_each(book: Book, found: Found) -> Iterator[Finding]:
    named: dict[str, UUID | None] = {row["key"]: row["resource_id"] for row in found.tables["keys"]}
    named |= {row["request_id"]: row["asset_id"] for row in found.tables["requests"]}
    for entry in book.entries:
        if entry.asset_id is None:
            yield at("lost", entry, "it was asked for and never became an asset")
        elif named.get(entry.plan.name) not in (entry.asset_id, None):
            yield at("doubled", entry, f"its key stands for another asset, {named[entry.plan.name]}")
    asked = {entry.asset_id for entry in book.entries} | set(named.values())
    for row in found.tables["assets"]:
        if row["id"] not in asked:
            yield Finding("doubled", f"asset {row['id']}", f"nobody asked for it: {row['title']}")


def _runs(entry: Entry, asset: Row, jobs: list[Row]) -> Iterator[Finding]:
    if asset["run"] < entry.run:
        yield at("lost", entry, f"run {entry.run} was promised, {asset['run']} is the last")
    if asset["run"] > entry.run + entry.maybe_runs:
        yield at("doubled", entry, f"run {asset['run']}, though at most {entry.run + entry.maybe_runs} were asked for")
    present = Counter(job["run"] for job in jobs)
    for run in range(1, asset["run"] + 1):
        if present.pop(run, 0) != 1:
            yield at("lost", entry, f"run {run} has no job")
    for run, times in present.items():
        yield at("doubled", entry, f"{times} jobs of run {run}, which nobody began")


def _ends(entry: Entry, asset: Row, jobs: list[Row], stages: list[Row]) -> Iterator[Finding]:
    for job in jobs:
        run, status = job["run"], job["status"]
        if status not in _OVER:
            yield at("stuck", entry, f"run {run} is {status}")
        elif status == "failed" and entry.plan.flaw is None:
            yield at("lost", entry, f"run {run} failed, though nothing was wrong with it: {_reason(stages, run)}")
        elif status == "ready" and entry.plan.flaw is not None:
            yield at("wrong", entry, f"run {run} is ready, though {entry.plan.flaw} was wrong with it")
        elif status != "cancelled" and run in entry.cancelled:
            yield at("wrong", entry, f"run {run} is {status}, though it was cancelled")
        if status == "ready" and {row["status"] for row in stages if row["run"] == run} != {"done"}:
            yield at("wrong", entry, f"run {run} is ready, but not all its stages are done")
    strange = [j["run"] for j in jobs if j["status"] == "cancelled" and j["run"] not in entry.cancelled]
    if len(strange) > entry.maybe_cancels:
        yield at("wrong", entry, f"the runs {strange} are cancelled, which nobody wanted")
    if jobs and asset["status"] != jobs[-1]["status"]:
        yield at("wrong", entry, f"the asset is {asset['status']}, its last job {jobs[-1]['status']}")


def _reason(stages: list[Row], run: int) -> str:
    return "; ".join(
        f"{row['name']}: {row['error']['category']}: {row['error']['message']}"
        for row in stages
        if row["run"] == run and row["error"]
    )


def _edits(entry: Entry, asset: Row) -> Iterator[Finding]:
    if (asset["title"], asset["collection_id"]) != (entry.title, entry.collection_id):
        yield at("lost", entry, f"it is {asset['title']!r} in {asset['collection_id']}, not {entry.title!r}")
    version = asset["version"] - 1
    if not entry.edits <= version <= entry.edits + entry.maybe_edits:
        yield at("doubled", entry, f"{version} edits, though {entry.edits} (+{entry.maybe_edits}) were made")


def _happenings(entry: Entry, jobs: list[Row], timeline: list[Row]) -> Iterator[Finding]:
    told_apart = Counter(
        (row["run"], row["event"], row["details"].get("revision")) for row in timeline if row["event"] not in _REPEATED
    )
    noted = Counter((run, event) for run, event, _ in told_apart)
    for (run, event, _), times in told_apart.items():
        if times > 1:
            yield at("doubled", entry, f"{event} stands {times} times in the timeline of run {run}")
    for job in jobs:
        wanted = ["asset.registered" if job["run"] == 1 else "processing.restarted"]
        wanted += ["asset.indexed"] if job["status"] == "ready" else []
        for event in wanted:
            if not noted[job["run"], event]:
                yield at("lost", entry, f"{event} is missing in the timeline of run {job['run']}")
