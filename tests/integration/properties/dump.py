"""Everything that the database and the store hold, in one form that two worlds with the same history share.

Left out, because it tells how the end was reached and not what it is:

- ``inbox``: which deliveries did the work;
- ``index_generations``: counts how often a collection changed; only that it rises matters, and an edit that arrives
  before there is an index changes nothing that could be found;
- when things happened: of every timestamp but ``recorded_at`` only whether it is set, and none of ``idempotency_keys``
  and keys of people;
- ``collection_id`` of ``asset_states`` in fetcher, asr and chat: the collection of whichever fact came first. Nothing
  there is decided by it (the gateway's views decide), and the embedder's, which narrows searches, is compared;
- of a tombstone everything but that it is one: how far its asset had come when it went, each service knows as it heard.

Random and counted names are replaced by what they stand for: jobs by asset and run, chunks by asset and place, terms by
the word, timeline entries and stages by their content.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from asyncpg import Record

from tests.integration.properties.looking import tables
from tests.integration.properties.world import World

_LEFT_OUT = ("inbox", "index_generations", "alembic_version", "users", "api_keys", "sessions", "idempotency_keys")
# table -> columns that are names only: what they name is written in their place by ``_meanings``.
_NAMES: Mapping[str, tuple[str, ...]] = {
    "gateway.jobs": ("id",),
    "gateway.stages": ("job_id",),
    "gateway.timeline": ("id",),
    "embedder.indexed_assets": ("number",),
    "embedder.chunks": ("id", "number", "term_ids"),
    "embedder.postings": ("term_id", "chunk_number", "asset_number"),
    "embedder.embeddings_1": ("chunk_number", "asset_number"),
    "embedder.terms": ("id",),
    **{f"{service}.asset_states": ("collection_id",) for service in ("fetcher", "asr", "chat")},
}
_MEANINGS: Mapping[str, str] = {
    "gateway.stages": "(SELECT asset_id || ' run ' || run FROM gateway.jobs j WHERE j.id = t.job_id)",
    "embedder.chunks": "(SELECT array_agg(term ORDER BY term)::text FROM embedder.terms w "
    "WHERE w.id = ANY(t.term_ids))",
    "embedder.postings": "(SELECT term FROM embedder.terms w WHERE w.id = t.term_id) || ' in ' || "
    "(SELECT asset_id || ' ' || chunk_index FROM embedder.chunks c WHERE c.number = t.chunk_number)",
    "embedder.embeddings_1": "(SELECT asset_id || ' ' || chunk_index FROM embedder.chunks c "
    "WHERE c.number = t.chunk_number)",
}


async def dump(world: World) -> bytes:
    """JSON, one line for each row and stored file, sorted."""
    lines: list[str] = []
    for table in await tables(world):
        if table.partition(".")[2] not in _LEFT_OUT:
            meaning = _MEANINGS.get(table, "NULL")
            rows = await world.fetch(f"SELECT to_jsonb(t) AS row, {meaning} AS meaning FROM {table} t")
            times = await _times(world, table)
            lines += [_line(table, row, times) for row in rows]
    for key in world.stored():
        digest = hashlib.sha256((world.objects_folder / key).read_bytes()).hexdigest()
        lines.append(json.dumps(["file", key, digest]))
    return "\n".join(sorted(lines)).encode()


async def _times(world: World, table: str) -> set[str]:
    """Columns that say when something happened."""
    rows = await world.fetch(
        """
        SELECT column_name FROM information_schema.columns
        WHERE table_schema || '.' || table_name = $1 AND data_type LIKE 'timestamp%' AND column_name <> 'recorded_at'
        """,
        table,
    )
    return {row["column_name"] for row in rows}


def _line(table: str, row: Record, times: set[str]) -> str:
    values: dict[str, Any] = json.loads(row["row"])
    for column in _NAMES.get(table, ()):
        del values[column]
    if values.get("deleted_at") and table.endswith(".asset_states"):
        values = {"asset_id": values["asset_id"]}
    for column in times & values.keys():
        values[column] = values[column] is not None
    return json.dumps([table, row["meaning"], values], sort_keys=True)
