"""The ledger is not blind: whatever is taken away, doubled, mixed up or left behind by hand, it finds."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.faults import ledger, reading, script
from tests.faults.book import Book, Entry
from tests.faults.reading import Found
from tests.faults.rig import Rig
from tests.faults.script import Plan, Step
from tests.faults.world import World

# One recording for each thing that is planted, plain but for what that needs.
_PLAN = replace(script.plan(0, 0), way="upload", flaw=None, repeats=0, steps=(), keep_media="audio", utterances=1)
SCRIPT: dict[str, dict[str, Any]] = {
    "plain": {},
    "long": {"utterances": 6, "steps": (Step("retry", "index"), Step("retry", "transcribe"))},
    "asked": {"way": "broker", "repeats": 2},
    "edited": {"steps": (Step("edit"), Step("move"))},
    "cancelled": {"steps": (Step("cancel", None, 0.0),)},
    "unkept": {"way": "url", "keep_media": "none", "steps": (Step("retry", "fetch"),)},
    "broken": {"flaw": "not_media"},
    "deleted": {"steps": (Step("delete"),)},
}


@dataclass
class Scene:
    """What was asked and what there is, with nothing wrong; rows are planted on ``conn`` and rolled back."""

    rig: Rig
    entries: dict[str, Entry]
    conn: Any

    @property
    def book(self) -> Book:
        return self.rig.book

    def id_of(self, name: str) -> UUID:
        asset_id = self.entries[name].asset_id
        assert asset_id is not None
        return asset_id

    async def found(self) -> Found:
        return await reading.read(self.conn, self.rig.world, list(self.rig.ear.facts.values()))


@asynccontextmanager
async def scene() -> AsyncGenerator[Scene]:
    plans = [replace(_PLAN, index=at, number=_PLAN.number + at, **what) for at, what in enumerate(SCRIPT.values())]
    async with World() as world, Rig(world) as rig:
        entries = await rig.beside(_live(rig, plans))
        assert await rig.settle() is not None
        async with world.database.acquire() as conn:
            yield Scene(rig, dict(zip(SCRIPT, entries, strict=True)), conn)


async def _live(rig: Rig, plans: list[Plan]) -> list[Entry]:
    return list(await asyncio.gather(*(rig.load.live(plan) for plan in plans)))


Plant = Callable[[Scene], Awaitable[None]]


def sql(statement: str, *names: str) -> Plant:
    """``$1`` and so on stand for the ids of the recordings with these names."""

    async def plant(at: Scene) -> None:
        await at.conn.execute(statement, *(at.id_of(name) for name in names))

    return plant


# Each is undone by the end of its transaction: what is planted, and how the ledger has to call it.
PLANTED: dict[str, tuple[str, Plant]] = {
    "an asset": ("lost", sql("DELETE FROM gateway.assets WHERE id = $1", "plain")),
    "a job": ("lost", sql("DELETE FROM gateway.jobs WHERE asset_id = $1 AND run = 2", "long")),
    "a transcript": ("lost", sql("DELETE FROM asr.transcripts WHERE asset_id = $1", "plain")),
    "a revision": ("lost", sql("DELETE FROM asr.transcripts WHERE asset_id = $1 AND revision = 1", "long")),
    "a chunk": (
        "lost",
        sql("DELETE FROM embedder.chunks WHERE asset_id = $1", "plain"),
    ),
    "vectors": ("lost", sql("DELETE FROM embedder.embeddings_1")),
    "postings": (
        "wrong",
        sql("DELETE FROM embedder.postings WHERE chunk_number = (SELECT min(number) FROM embedder.chunks)"),
    ),
    "statistics": ("lost", sql("UPDATE embedder.terms SET df = df - 1 WHERE term = 'alpha'")),
    "an edit": ("lost", sql("UPDATE gateway.assets SET title = 'rig-3 at first' WHERE id = $1", "edited")),
    "an edit in the index": (
        "lost",
        sql("UPDATE embedder.indexed_assets SET title = 'rig-3 at first' WHERE asset_id = $1", "edited"),
    ),
    "a note": ("lost", sql("DELETE FROM gateway.timeline WHERE asset_id = $1 AND event = 'asset.indexed'", "plain")),
    "a reference": ("lost", sql("DELETE FROM fetcher.object_refs WHERE asset_id = $1 AND name = 'audio'", "plain")),
    "a run that a service missed": ("lost", sql("UPDATE asr.asset_states SET run = 2 WHERE asset_id = $1", "long")),
    "a failure": (
        "lost",
        sql("UPDATE gateway.jobs SET status = 'failed' WHERE asset_id = $1", "plain"),
    ),
    "a tombstone": ("lost", sql("UPDATE asr.asset_states SET deleted_at = NULL WHERE asset_id = $1", "deleted")),
    "a second asset": (
        "doubled",
        sql(
            "INSERT INTO gateway.assets (id, short_id, kind, collection_id, title, title_given, status, stage, source, "
            "options, keep_media, priority) SELECT gen_random_uuid(), short_id, kind, collection_id, title, "
            "title_given, status, stage, source, options, keep_media, priority FROM gateway.assets WHERE id = $1",
            "asked",
        ),
    ),
    "a run nobody began": (
        "doubled",
        sql("UPDATE gateway.assets SET run = run + 1 WHERE id = $1", "plain"),
    ),
    "a second transcript of a run": (
        "doubled",
        sql("UPDATE asr.transcripts SET run = 1 WHERE asset_id = $1", "long"),
    ),
    "a second note": (
        "doubled",
        sql(
            "INSERT INTO gateway.timeline (id, asset_id, run, event, message) SELECT gen_random_uuid(), asset_id, run, "
            "event, message FROM gateway.timeline WHERE asset_id = $1 AND event = 'recording.fetched'",
            "plain",
        ),
    ),
    "chunks of another recording too": (
        "doubled",
        sql(
            "INSERT INTO embedder.chunks SELECT gen_random_uuid(), number + 1000000, $1, chunk_index + 1, content, "
            "locator, speakers, words, lines, phrase, term_ids FROM embedder.chunks WHERE asset_id = $2",
            "plain",
            "asked",
        ),
    ),
    "a vector of a chunk that is gone": (
        "doubled",
        sql(
            "INSERT INTO embedder.embeddings_1 SELECT chunk_number + 1000000, asset_number, embedding "
            "FROM embedder.embeddings_1"
        ),
    ),
    "statistics counted twice": (
        "doubled",
        sql("INSERT INTO embedder.corpus_deltas (chunks, length) VALUES (1, 2)"),
    ),
    "an edit made twice": ("doubled", sql("UPDATE gateway.assets SET version = version + 1 WHERE id = $1", "edited")),
    "somebody else's words": (
        "wrong",
        sql(
            "UPDATE asr.segments AS s SET text = o.text FROM asr.segments AS o "
            "WHERE s.asset_id = $1 AND o.asset_id = $2 AND s.position = o.position",
            "plain",
            "asked",
        ),
    ),
    "parts in the wrong order": (
        "wrong",
        sql(
            """
            UPDATE asr.segments SET text = (
                SELECT string_agg(word, ' ' ORDER BY place DESC)
                FROM string_to_table(text, ' ') WITH ORDINALITY AS words (word, place)
            ) WHERE asset_id = $1
            """,
            "long",
        ),
    ),
    "somebody else's passages": (
        "wrong",
        sql(
            "UPDATE embedder.chunks AS c SET content = o.content FROM embedder.chunks AS o "
            "WHERE c.asset_id = $1 AND o.asset_id = $2",
            "plain",
            "asked",
        ),
    ),
    "a success that cannot be": (
        "wrong",
        sql("UPDATE gateway.jobs SET status = 'ready' WHERE asset_id = $1", "broken"),
    ),
    "a cancelled run that went on": (
        "wrong",
        sql("UPDATE gateway.jobs SET status = 'ready' WHERE asset_id = $1 AND run = 1", "cancelled"),
    ),
    "media that were not to be kept": (
        "wrong",
        sql(
            "INSERT INTO fetcher.object_refs SELECT $1, name, kind, sha256 FROM fetcher.object_refs "
            "WHERE asset_id = $2 AND name = 'audio'",
            "unkept",
            "plain",
        ),
    ),
    "what was left of a deleted recording": (
        "wrong",
        sql(
            "INSERT INTO embedder.indexed_assets (asset_id, collection_id, kind, title, registered_at) "
            "VALUES ($1, gen_random_uuid(), 'recording', 'left', now())",
            "deleted",
        ),
    ),
    "an innocent parked": (
        "wrong",
        sql(
            "INSERT INTO asr.parked (id, queue, message_id, type, reason, history, headers, body, parked_at) VALUES "
            "(gen_random_uuid(), 'asr.part.planned.v1', gen_random_uuid(), NULL, 'bug', '[]', '{}', '', now())"
        ),
    ),
    "a job that never ends": (
        "stuck",
        sql("UPDATE gateway.jobs SET status = 'processing' WHERE asset_id = $1", "plain"),
    ),
    "a part that is never recognised": ("stuck", sql("UPDATE asr.parts SET words = NULL WHERE asset_id = $1", "long")),
    "a fact that does not leave": (
        "stuck",
        sql(
            "INSERT INTO chat.outbox (id, exchange, routing_key, headers, body) "
            "VALUES (gen_random_uuid(), 'earshot.events', 'asset.purged.v1', '{}', '')"
        ),
    ),
}


@pytest.mark.timeout(900)
async def test_whatever_is_planted_is_found() -> None:
    async with scene() as at:
        found = await at.found()
        assert ledger.check(at.book, found) == []
        assert _ends(found, at) == ["ready", "ready", "ready", "ready", "cancelled", "ready", "failed"]
        missed = [what for what, (kind, plant) in PLANTED.items() if kind not in await _kinds_after(at, plant)]
        missed += [what for what, (kind, there) in _messages(found, at).items() if kind not in _kinds(at, there)]
        missed += [what for what, (kind, asked) in _promises(at).items() if kind not in _kinds_of(asked, found)]
        missed += await _files_missed(at, found)
        assert missed == []
        assert ledger.check(at.book, await at.found()) == []


def _ends(found: Found, at: Scene) -> list[str]:
    """How the first run of each recording but the deleted one ended."""
    jobs = {(job["asset_id"], job["run"]): job["status"] for job in found.tables["jobs"]}
    return [jobs[at.id_of(name), 1] for name in SCRIPT if name != "deleted"]


async def _kinds_after(at: Scene, plant: Plant) -> set[str]:
    """What the ledger finds; the rows are as before afterwards."""
    transaction = at.conn.transaction()
    await transaction.start()
    try:
        # No cascades, no foreign keys: rows vanish as only a bug could make them.
        await at.conn.execute("SET LOCAL session_replication_role = replica")
        await plant(at)
        return _kinds(at, await at.found())
    finally:
        await transaction.rollback()


def _kinds(at: Scene, found: Found) -> set[str]:
    return _kinds_of(at.book, found)


def _kinds_of(book: Book, found: Found) -> set[str]:
    return {finding.kind for finding in ledger.check(book, found)}


def _messages(found: Found, at: Scene) -> dict[str, tuple[str, Found]]:
    """What was heard, and what waits, changed by hand."""
    indexed = next(heard for heard in found.facts if heard.routing_key.startswith("asset.indexed"))
    once_more = replace(indexed, message_id=str(uuid4()))
    silent = [heard for heard in found.facts if not heard.routing_key.startswith("transcript.completed")]
    unpurged = [heard for heard in found.facts if b'"service":"chat"' not in heard.body]
    return {
        "a fact said by two messages": ("doubled", replace(found, facts=[*found.facts, once_more])),
        "a fact that was never published": ("lost", replace(found, facts=silent)),
        "a purge that nobody told": ("lost", replace(found, facts=unpurged)),
        "a message that waits": ("stuck", replace(found, queues=found.queues | {"earshot.delay.60s": 1})),
    }


def _promises(at: Scene) -> dict[str, tuple[str, Book]]:
    """More was promised than there is."""
    entries = at.book.entries
    forgotten = Entry(replace(_PLAN, index=99), title="never taken in")
    poison = {"asr.part.planned.v1": {uuid4()}}
    undeleted = [replace(entry, deleted=True) if entry is at.entries["plain"] else entry for entry in entries]
    rerun = [replace(entry, run=entry.run + 1) if entry is at.entries["plain"] else entry for entry in entries]
    called_off = [replace(entry, cancelled={1}) if entry is at.entries["plain"] else entry for entry in entries]
    return {
        "a request that became nothing": ("lost", replace(at.book, entries=[*entries, forgotten])),
        "poison that was not parked": ("lost", replace(at.book, poison=poison)),
        "a deletion that did not happen": ("stuck", replace(at.book, entries=undeleted)),
        "a run that was promised": ("lost", replace(at.book, entries=rerun)),
        "a cancelling that was promised": ("wrong", replace(at.book, entries=called_off)),
        "a request without an answer": ("stuck", replace(at.book, unanswered=["POST /api/recordings"])),
    }


async def _files_missed(at: Scene, found: Found) -> list[str]:
    audio = next(path for key, path in found.files.items() if key.startswith("audio/"))
    document = next(path for key, path in found.files.items() if key.startswith("transcript/"))
    stray = audio.with_name("0" * 64)
    changes: dict[str, tuple[str, Path, bytes | None]] = {
        "bytes": ("lost", audio, None),
        "other bytes": ("lost", audio, b"damaged"),
        "a document": ("lost", document, None),
        "bytes that no row leads to": ("wrong", stray, b"left behind"),
    }
    return [what for what, (kind, path, data) in changes.items() if kind not in await _kinds_with(at, path, data)]


async def _kinds_with(at: Scene, path: Path, data: bytes | None) -> set[str]:
    before = path.read_bytes() if path.exists() else None
    _write(path, data)
    try:
        return _kinds(at, await at.found())
    finally:
        _write(path, before)


def _write(path: Path, data: bytes | None) -> None:
    if data is None:
        path.unlink()
    else:
        path.write_bytes(data)
