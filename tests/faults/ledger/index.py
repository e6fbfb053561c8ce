"""The index: every chunk once, with one vector and its postings, about the right recording; statistics that add up."""

from collections import Counter
from collections.abc import Iterator
from uuid import UUID

from tests.faults.book import Book, Entry
from tests.faults.ledger.finding import Finding, at, kept
from tests.faults.ledger.transcripts import said
from tests.faults.reading import Found, Row


def check(book: Book, found: Found) -> Iterator[Finding]:
    assets = {row["id"]: row for row in found.tables["assets"]}
    indexed: dict[UUID, Row] = {row["asset_id"]: row for row in found.tables["indexed"]}
    chunks = found.by_asset("chunks")
    vectors = Counter((row["asset_number"], row["chunk_number"]) for row in found.vectors)
    for entry in kept(book):
        asset = assets.get(entry.asset_id)
        if entry.asset_id is None or asset is None or entry.plan.flaw is not None or asset["status"] != "ready":
            continue
        row = indexed.get(entry.asset_id)
        if row is None:
            yield at("lost", entry, "it is ready, and not in the index")
            continue
        yield from _followed(entry, asset, row)
        yield from _chunks(entry, row, chunks.get(entry.asset_id, []), vectors)
    yield from _postings(found)
    yield from _left_over(found)
    yield from _statistics(found)


def _followed(entry: Entry, asset: Row, row: Row) -> Iterator[Finding]:
    if (row["title"], row["collection_id"]) != (asset["title"], asset["collection_id"]):
        yield at("lost", entry, f"the index has it as {row['title']!r} in {row['collection_id']}")
    if row["revision"] != asset["revision"] or row["heard_revision"] != row["revision"]:
        yield at("lost", entry, f"revision {row['revision']} is indexed, {asset['revision']} is the last")
    if row["run"] != asset["run"]:
        yield at("wrong", entry, f"run {row['run']} is indexed, {asset['run']} is ready")


def _chunks(entry: Entry, row: Row, chunks: list[Row], vectors: Counter[tuple[int, int]]) -> Iterator[Finding]:
    words = [word for chunk in chunks for word in said(chunk["content"])]
    if words != entry.words:
        kind = "doubled" if len(words) > len(entry.words) else "lost" if not words else "wrong"
        yield at(kind, entry, f"its chunks say {words}, not {entry.words}")
    if [chunk["chunk_index"] for chunk in chunks] != list(range(row["chunk_count"])):
        yield at("wrong", entry, f"it has {row['chunk_count']} chunks, numbered {[c['chunk_index'] for c in chunks]}")
    for chunk in chunks:
        times = vectors[row["number"], chunk["number"]]
        if times != 1:
            kind = "doubled" if times else "lost"
            yield at(kind, entry, f"chunk {chunk['chunk_index']} has {times} vectors")


def _postings(found: Found) -> Iterator[Finding]:
    posted = {row["chunk_number"]: (row["asset_number"], row["term_ids"]) for row in found.tables["postings"]}
    numbers = {row["asset_id"]: row["number"] for row in found.tables["indexed"]}
    for chunk in found.tables["chunks"]:
        wanted = (numbers.get(chunk["asset_id"]), sorted(chunk["term_ids"]))
        if posted.pop(chunk["number"], None) != wanted:
            yield Finding("wrong", f"chunk {chunk['number']}", "its postings are not the words it holds")
    for number in posted:
        yield Finding("doubled", f"chunk {number}", "postings are left of a chunk that is gone")


def _left_over(found: Found) -> Iterator[Finding]:
    chunks = {row["number"] for row in found.tables["chunks"]}
    for row in found.vectors:
        if row["chunk_number"] not in chunks:
            yield Finding("doubled", f"chunk {row['chunk_number']}", "a vector is left of a chunk that is gone")


def _statistics(found: Found) -> Iterator[Finding]:
    """Counted anew; a chunk that was counted twice, or forgotten, would weigh wrong in every search."""
    for row in found.tables["terms"]:
        if row["said"] != row["counted"]:
            kind = "doubled" if row["said"] > row["counted"] else "lost"
            yield Finding(kind, f"term {row['term']}", f"counted in {row['said']} chunks, is in {row['counted']}")
    for row in found.tables["corpus"]:
        if row["said"] != row["counted"]:
            kind = "doubled" if row["said"] > row["counted"] else "lost"
            yield Finding(kind, "the corpus", f"{row['said']} chunks counted, {row['counted']} there")
