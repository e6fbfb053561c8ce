"""Deleted recordings: the tombstone is all that is left of them."""

from collections.abc import Iterator

from common import topology

from tests.faults.book import Book
from tests.faults.ledger.finding import Finding, at
from tests.faults.reading import Found


def check(book: Book, found: Found) -> Iterator[Finding]:
    present = {row["id"]: row["status"] for row in found.tables["assets"]}
    for entry in book.entries:
        if not entry.deleted or entry.asset_id is None:
            continue
        if entry.asset_id in present:
            yield at("stuck", entry, f"it was deleted, and is still {present[entry.asset_id]}")
        left = found.named.get(entry.asset_id, {})
        if left and entry.asset_id not in present:
            yield at("wrong", entry, f"it was deleted, and left rows behind: {left}")
        for service in topology.OWNERS:
            state = found.states[service].get(entry.asset_id)
            if state is None or state["deleted_at"] is None:
                yield at("lost", entry, f"{service} never heard that it was deleted")
