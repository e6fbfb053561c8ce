"""Reads every final state straight from Postgres, the object store and the broker: the other side of the ledger."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import aio_pika
from common import topology

from tests.faults.ear import QUEUE, Heard
from tests.faults.world import World

Row = Mapping[str, Any]
STORING = ("fetcher", "asr", "embedder")

_TABLES = {
    "assets": "SELECT id, collection_id, title, status, run, revision, version FROM gateway.assets",
    "jobs": "SELECT id, asset_id, run, status FROM gateway.jobs ORDER BY asset_id, run",
    "stages": """
        SELECT j.asset_id, j.run, s.name, s.status, s.error
        FROM gateway.stages AS s JOIN gateway.jobs AS j ON j.id = s.job_id
    """,
    "timeline": "SELECT asset_id, run, event, details FROM gateway.timeline",
    "keys": "SELECT key, resource_id FROM gateway.idempotency_keys",
    "requests": "SELECT request_id, asset_id FROM gateway.ingestion_requests",
    "recordings": "SELECT asset_id, run FROM fetcher.recordings",
    "uploads": "SELECT upload_id FROM fetcher.uploads",
    "transcriptions": "SELECT asset_id, run, state FROM asr.transcriptions",
    "captions": "SELECT asset_id, run, completed_run FROM asr.captions",
    "parts": "SELECT asset_id, part_index, words IS NOT NULL AS recognised FROM asr.parts",
    "transcripts": """
        SELECT t.asset_id, t.revision, t.run, t.change, t.transcript_uri,
            (
                SELECT coalesce(string_agg(s.text, ' ' ORDER BY s.start_seconds, s.position), '')
                FROM asr.segments AS s
                WHERE s.asset_id = t.asset_id AND s.from_revision <= t.revision
                    AND (s.until_revision IS NULL OR t.revision < s.until_revision)
            ) AS text
        FROM asr.transcripts AS t ORDER BY t.asset_id, t.revision
    """,
    "indexed": """
        SELECT asset_id, number, collection_id, title, run, revision, heard_run, heard_revision, chunk_count
        FROM embedder.indexed_assets
    """,
    "chunks": """
        SELECT asset_id, number, chunk_index, content, term_ids FROM embedder.chunks ORDER BY asset_id, chunk_index
    """,
    "postings": """
        SELECT chunk_number, asset_number, array_agg(term_id ORDER BY term_id) AS term_ids
        FROM embedder.postings GROUP BY chunk_number, asset_number
    """,
    "terms": """
        SELECT t.term, t.df + coalesce((SELECT sum(d.chunks) FROM embedder.term_deltas AS d WHERE d.term_id = t.id), 0)
            AS said, (SELECT count(*) FROM embedder.postings AS p WHERE p.term_id = t.id) AS counted
        FROM embedder.terms AS t
    """,
    "corpus": """
        SELECT chunks + coalesce((SELECT sum(chunks) FROM embedder.corpus_deltas), 0) AS said,
            (SELECT count(DISTINCT chunk_number) FROM embedder.postings) AS counted
        FROM embedder.corpus
    """,
}
_STATES = "SELECT asset_id, run, revision, version, cancelled_run, deleted_at FROM {}.asset_states"
_OBJECTS = "SELECT kind, sha256, uri, size_bytes, stored_at, unreferenced_at FROM {}.objects"
_REFS = "SELECT asset_id, name, kind, sha256 FROM {}.object_refs"
_PARKED = "SELECT queue, message_id, type, asset_id, reason FROM {}.parked"
_OUTBOX = "SELECT routing_key, created_at, attempts, last_error FROM {}.outbox"
# What outlives a deletion on purpose holds nothing of the recording.
_KEPT = ("asset_states", "inbox", "outbox", "parked")


@dataclass
class Found:
    """Everything there is: rows by table, or by table and service, files by key, messages in queues by name."""

    tables: dict[str, Sequence[Row]]
    vectors: Sequence[Row]
    states: dict[str, dict[UUID, Row]]
    objects: dict[str, Sequence[Row]]
    refs: dict[str, Sequence[Row]]
    parked: dict[str, Sequence[Row]]
    outboxes: dict[str, Sequence[Row]]
    # Tables that name an asset, for each asset.
    named: dict[UUID, dict[str, int]]
    files: dict[str, Path]
    queues: dict[str, int] = field(default_factory=dict[str, int])
    facts: list[Heard] = field(default_factory=list[Heard])

    def by_asset(self, table: str) -> dict[UUID, list[Row]]:
        grouped: dict[UUID, list[Row]] = {}
        for row in self.tables[table]:
            grouped.setdefault(row["asset_id"], []).append(row)
        return grouped

    def holds(self, key: str, sha256: str) -> bool:
        """Whether the store has these very bytes."""
        path = self.files.get(key)
        return path is not None and hashlib.sha256(path.read_bytes()).hexdigest() == sha256


async def read(conn: Any, world: World, facts: list[Heard]) -> Found:
    """When nothing moves any more, or inside a transaction: the tables are read one after the other."""
    per_service = {
        what: {name: await conn.fetch(sql.format(name)) for name in topology.SERVICES}
        for what, sql in (("objects", _OBJECTS), ("refs", _REFS), ("parked", _PARKED), ("outbox", _OUTBOX))
    }
    states = {
        name: {row["asset_id"]: row for row in await conn.fetch(_STATES.format(name))} for name in topology.SERVICES
    }
    return Found(
        tables={name: await conn.fetch(sql) for name, sql in _TABLES.items()},
        vectors=await _vectors(conn),
        states=states,
        objects=per_service["objects"],
        refs=per_service["refs"],
        parked=per_service["parked"],
        outboxes=per_service["outbox"],
        named=await _named(conn),
        files=_files(Path(world.data.objects)),
        queues=await depths(world.broker_url),
        facts=facts,
    )


async def _vectors(conn: Any) -> list[Row]:
    found: list[Row] = []
    for model in await conn.fetch("SELECT id FROM embedder.embedding_models"):
        found += await conn.fetch(
            f"SELECT chunk_number, asset_number, {model['id']} AS model FROM embedder.embeddings_{model['id']}"
        )
    return found


async def _named(conn: Any) -> dict[UUID, dict[str, int]]:
    tables = await conn.fetch(
        "SELECT table_schema || '.' || table_name AS name FROM information_schema.columns "
        "JOIN information_schema.tables USING (table_schema, table_name) "
        "WHERE column_name = 'asset_id' AND data_type = 'uuid' AND table_type = 'BASE TABLE' "
        "AND table_schema = ANY($1) AND table_name <> ALL($2)",
        list(topology.SERVICES),
        list(_KEPT),
    )
    named: dict[UUID, dict[str, int]] = {}
    for (table,) in tables:
        rows = await conn.fetch(f"SELECT asset_id, count(*) AS n FROM {table} WHERE asset_id IS NOT NULL GROUP BY 1")
        for row in rows:
            named.setdefault(row["asset_id"], {})[table] = row["n"]
    return named


def _files(root: Path) -> dict[str, Path]:
    return {path.relative_to(root).as_posix(): path for path in root.rglob("*") if path.is_file()}


async def depths(url: str) -> dict[str, int]:
    """Messages that wait in each queue; those that a consumer holds come back to it when it is gone."""
    names = [*topology.work_queues(), QUEUE]
    names += [topology.dead_queue(service) for service in topology.SERVICES]
    names += [topology.delay_name(seconds) for seconds in topology.DELAYS]
    connection = await aio_pika.connect(url, timeout=5)
    async with connection:
        channel = await connection.channel()
        declared = {name: (await channel.declare_queue(name, passive=True)).declaration_result for name in names}
    return {name: result.message_count or 0 for name, result in declared.items()}
