"""Messages: nothing waits, poison is parked and innocents never, and every effect was said to the world once."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from common import topology

from tests.faults.book import Book
from tests.faults.ledger.finding import Finding, at
from tests.faults.reading import Found

# Said again for a good reason: a stage may fail, and fail again after a replay.
_REPEATED = ("processing.failed.v1", "ingestion.requested.v1")
_TOLD_APART = {
    "part.planned.v1": "part_index",
    "asset.purged.v1": "service",
    "asset.updated.v1": "version",
    "transcript.revised.v1": "revision",
    # A run that begins with indexing may index once more, when a transcript reaches the embedder after it.
    "asset.indexed.v1": "revision",
}


def check(book: Book, found: Found) -> Iterator[Finding]:
    yield from _waiting(found)
    yield from _parked(book, found)
    said = _said(book, found)
    for (fact, asset_id, run, apart), times in said.items():
        if times > 1:
            words = f"{fact} of run {run} {apart if apart is not None else ''} was said {times} times"
            yield Finding("doubled", f"asset {asset_id}", words)
    yield from _generations(found)
    yield from _unsaid(book, found, said)


def _waiting(found: Found) -> Iterator[Finding]:
    for service, rows in found.outboxes.items():
        if rows:
            yield Finding("stuck", f"{service}.outbox", f"{len(rows)} messages, such as {dict(rows[0])}")
    for queue, messages in found.queues.items():
        if messages:
            yield Finding("stuck", queue, f"{messages} messages wait")


def _parked(book: Book, found: Found) -> Iterator[Finding]:
    wanted = {(queue, message_id) for queue, ids in book.poison.items() for message_id in ids}
    for service, rows in found.parked.items():
        for row in rows:
            if (row["queue"], row["message_id"]) not in wanted:
                yield Finding(
                    "wrong", f"{service}.parked", f"an innocent: {row['type']} {row['asset_id']} {row['reason']}"
                )
            wanted.discard((row["queue"], row["message_id"]))
    for queue, message_id in wanted:
        yield Finding("lost", queue, f"the poison {message_id} was not parked")


Effect = tuple[str, str, int, Any]


def _said(book: Book, found: Found) -> Counter[Effect]:
    """How many different messages told the same effect; one message that came twice counts once."""
    poison = {str(message_id) for ids in book.poison.values() for message_id in ids}
    said: Counter[Effect] = Counter()
    for heard in found.facts:
        fact = heard.routing_key.removesuffix(".bulk")
        if heard.message_id in poison or fact in _REPEATED:
            continue
        body = json.loads(heard.body)
        apart = body.get(_TOLD_APART.get(fact, ""))
        said[fact, body.get("asset_id", ""), body.get("run", 0), apart] += 1
    return said


def _generations(found: Found) -> Iterator[Finding]:
    raised = Counter(
        (body["collection_id"], body["generation"])
        for heard in found.facts
        if heard.routing_key.startswith("asset.indexed.v1")
        for body in [json.loads(heard.body)]
    )
    for (collection_id, generation), times in raised.items():
        if times > 1:
            yield Finding("doubled", f"collection {collection_id}", f"generation {generation} was given {times} times")


def _unsaid(book: Book, found: Found, said: Counter[Effect]) -> Iterator[Finding]:
    """What stands in a table and was never heard on the exchange was lost on its way out."""
    told = {(fact, asset_id, run) for fact, asset_id, run, _ in said}
    wanted: dict[tuple[str, UUID, int], None] = {}
    for job in found.tables["jobs"]:
        first = "asset.registered.v1" if job["run"] == 1 else "processing.restarted.v1"
        wanted[first, job["asset_id"], job["run"]] = None
        if job["status"] == "ready":
            wanted["asset.indexed.v1", job["asset_id"], job["run"]] = None
    for row in found.tables["transcripts"]:
        by_machine = row["change"] in ("transcribed", "carried")
        wanted[f"transcript.{'completed' if by_machine else 'revised'}.v1", row["asset_id"], row["run"]] = None
    for fact, asset_id, run in wanted:
        if (fact, str(asset_id), run) not in told:
            yield Finding("lost", f"asset {asset_id}", f"{fact} of run {run} was never said")
    for entry in book.entries:
        purged = {
            apart for fact, asset_id, _, apart in said if fact == "asset.purged.v1" and asset_id == str(entry.asset_id)
        }
        if entry.deleted and purged != set(topology.OWNERS):
            yield at("lost", entry, f"only {sorted(purged)} said that they purged it")
