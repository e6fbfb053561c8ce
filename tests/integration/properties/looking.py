"""What the database and the store hold of an asset, read past every service: its end state, and what is left of it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from common import topology

from tests.integration.properties.sounds import Sound
from tests.integration.properties.world import RECORDED_AT, TITLE, World

# A tombstone outlives its asset in every service that it was erased from.
_TOMBSTONES = "asset_states"


@dataclass(frozen=True)
class Seen:
    """One asset in all five schemas. Texts are words in lower case."""

    status: str
    stages: dict[str, str]
    run: int
    title: str
    collection_id: UUID
    recorded_at: datetime | None
    revision: int
    # revision -> (run that made it, text)
    transcripts: dict[int, tuple[int, str]]
    index: "Indexed | None"
    audio_kept: bool
    # What the other services know as the current run.
    runs: dict[str, int]


@dataclass(frozen=True)
class Indexed:
    """What can be found of an asset."""

    run: int
    revision: int
    title: str
    collection_id: UUID
    recorded_at: datetime | None
    text: str


def whole(
    sound: Sound,
    *,
    collection_id: UUID,
    title: str = TITLE,
    recorded_at: datetime | None = RECORDED_AT,
    keep_media: str = "audio",
    run: int = 1,
    revisions: dict[int, int] | None = None,
    texts: dict[int, str] | None = None,
) -> Seen:
    """A recording that went all the way; ``revisions`` maps each to its run, ``texts`` to what it reads."""
    made = revisions or {1: run}
    reads = texts or dict.fromkeys(made, " ".join(sound.words))
    newest = max(made)
    return Seen(
        status="ready",
        stages={"fetch": "done", "transcribe": "done", "index": "done"},
        run=run,
        title=title,
        collection_id=collection_id,
        recorded_at=recorded_at,
        revision=newest,
        transcripts={revision: (by, reads[revision]) for revision, by in made.items()},
        index=Indexed(run, newest, title, collection_id, recorded_at, reads[newest]),
        audio_kept=keep_media != "none",
        runs={"fetcher": run, "asr": run, "embedder": run, "chat": made[newest]},
    )


def _words(texts: Sequence[str]) -> str:
    return " ".join(re.findall(r"[a-z]+", " ".join(texts).lower()))


async def see(world: World, asset_id: UUID) -> Seen | None:
    """None when the gateway does not know the asset (any more)."""
    row = await world.admin.fetchrow(
        "SELECT status, run, title, collection_id, recorded_at, revision FROM gateway.assets WHERE id = $1", asset_id
    )
    if row is None:
        return None
    return Seen(
        **dict(row),
        stages=await _stages(world, asset_id, row["run"]),
        transcripts=await _transcripts(world, asset_id),
        index=await _index(world, asset_id),
        audio_kept=bool(
            await world.fetch("SELECT 1 FROM fetcher.object_refs WHERE asset_id = $1 AND name = 'audio'", asset_id)
        ),
        runs=await _runs(world, asset_id),
    )


async def _stages(world: World, asset_id: UUID, run: int) -> dict[str, str]:
    rows = await world.fetch(
        """
        SELECT s.name, s.status FROM gateway.stages s JOIN gateway.jobs j ON j.id = s.job_id
        WHERE j.asset_id = $1 AND j.run = $2 ORDER BY s.position
        """,
        asset_id,
        run,
    )
    return {row["name"]: row["status"] for row in rows}


async def _transcripts(world: World, asset_id: UUID) -> dict[int, tuple[int, str]]:
    rows = await world.fetch(
        """
        SELECT t.revision, t.run, array_agg(s.text ORDER BY s.start_seconds, s.position) AS texts
        FROM asr.transcripts t JOIN asr.segments s ON s.asset_id = t.asset_id AND s.from_revision <= t.revision
            AND (s.until_revision IS NULL OR t.revision < s.until_revision)
        WHERE t.asset_id = $1 GROUP BY t.revision, t.run
        """,
        asset_id,
    )
    return {row["revision"]: (row["run"], _words(row["texts"])) for row in rows}


async def _index(world: World, asset_id: UUID) -> Indexed | None:
    row = await world.admin.fetchrow(
        """
        SELECT run, revision, chunk_count, title, collection_id, recorded_at,
            ARRAY(SELECT content FROM embedder.chunks c WHERE c.asset_id = a.asset_id ORDER BY chunk_index) AS texts
        FROM embedder.indexed_assets a WHERE asset_id = $1 AND revision > 0
        """,
        asset_id,
    )
    if row is None:
        return None
    assert row["chunk_count"] == len(row["texts"])
    title, collection_id, recorded_at = row["title"], row["collection_id"], row["recorded_at"]
    return Indexed(row["run"], row["revision"], title, collection_id, recorded_at, _words(row["texts"]))


async def _runs(world: World, asset_id: UUID) -> dict[str, int]:
    found: dict[str, int] = {}
    for service in topology.OWNERS:
        for row in await world.fetch(f"SELECT run FROM {service}.asset_states WHERE asset_id = $1", asset_id):
            found[service] = row["run"]
    return found


async def tables(world: World) -> list[str]:
    rows = await world.fetch(
        "SELECT schemaname || '.' || tablename AS name FROM pg_tables WHERE schemaname = ANY($1::text[])",
        list(topology.SERVICES),
    )
    return sorted(row["name"] for row in rows)


# What knows nothing of any asset, or no more than its id.
_NOT_ASSETS = (
    *("alembic_version", "users", "api_keys", "collections", "members", "embedding_models"),
    *("inbox", "asset_states", "ingestion_requests", "index_generations", "corpus"),
)


async def not_empty(world: World) -> dict[str, Any]:
    """Tables of assets that hold rows, each with one of them; and the stored files."""
    found: dict[str, Any] = {}
    for table in await tables(world):
        if table.partition(".")[2] not in _NOT_ASSETS and (row := await world.admin.fetchrow(f"SELECT * FROM {table}")):
            found[table] = dict(row)
    return found | ({"files": world.stored()} if world.stored() else {})


async def left_of(world: World, *traces: str) -> dict[str, list[Any]]:
    """Every row of every table, but the tombstones, and every stored file, that shows one of the traces."""
    pattern = "|".join(map(re.escape, traces))
    found: dict[str, list[Any]] = {}
    for table in await tables(world):
        name = table.partition(".")[2]
        sql = f"SELECT row FROM (SELECT {_readable(name)} AS row FROM {table} t) r WHERE row ~* $1"
        if name != _TOMBSTONES and (rows := await world.fetch(sql, pattern)):
            found[table] = [row["row"] for row in rows]
    for key in world.stored():
        content = (world.objects_folder / key).read_bytes()
        if re.search(pattern, key) or re.search(pattern.encode(), content, re.IGNORECASE):
            found.setdefault("files", []).append(key)
    return found


def _readable(table: str) -> str:
    # Bodies of messages are bytes.
    return "t::text || convert_from(t.body, 'utf8')" if table in ("outbox", "parked") else "t::text"


async def strays(world: World) -> list[str]:
    """What belongs to nothing, in tables or in the store: true of a world that is quiet and tidied."""
    counts = {
        "outbox rows": "SELECT " + " + ".join(f"(SELECT count(*) FROM {s}.outbox)" for s in topology.SERVICES),
        "objects without references": "SELECT "
        + " + ".join(
            f"(SELECT count(*) FROM {s}.objects o WHERE NOT EXISTS "
            f"(SELECT FROM {s}.object_refs r WHERE (r.kind, r.sha256) = (o.kind, o.sha256)))"
            for s in topology.SERVICES
        ),
        "terms of no chunk": """
            SELECT count(*) FROM embedder.terms t WHERE df <>
            (SELECT count(*) FROM embedder.postings p WHERE p.term_id = t.id) OR df = 0
        """,
        "postings of no chunk": "SELECT count(*) FROM embedder.postings WHERE chunk_number NOT IN "
        "(SELECT number FROM embedder.chunks)",
        "vectors of no chunk": "SELECT count(*) FROM embedder.embeddings_1 WHERE chunk_number NOT IN "
        "(SELECT number FROM embedder.chunks)",
        "unfolded statistics": "SELECT (SELECT count(*) FROM embedder.term_deltas) + "
        "(SELECT count(*) FROM embedder.corpus_deltas)",
        "chunks miscounted": "SELECT abs((SELECT count(*) FROM embedder.chunks) - chunks) FROM embedder.corpus",
    }
    wrong = [f"{count} {what}" for what, sql in counts.items() if (count := await world.admin.fetchval(sql))]
    objects = " UNION ALL ".join(f"SELECT uri FROM {s}.objects WHERE stored_at IS NOT NULL" for s in topology.SERVICES)
    known = {row["uri"] for row in await world.fetch(objects)}
    return wrong + [f"file without a row: {key}" for key in set(world.stored()) - known]
