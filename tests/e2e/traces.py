"""Looks straight into the database and the broker: what is left, what is under way, what is doubled."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar
from uuid import UUID

import aio_pika
import asyncpg
from common import topology
from stack.testing import ThrowawayStack

Found = TypeVar("Found")

# Tombstones and the messages' own records outlive a deletion; they hold nothing of the recording.
_KEPT = {"asset_states", "inbox", "outbox", "parked"}
_VECTORS = (
    "SELECT table_name FROM information_schema.tables "
    "WHERE table_schema = 'embedder' AND table_name LIKE 'embeddings\\_%'"
)


def _with_database(stack: ThrowawayStack, look: Callable[[Any], Awaitable[Found]]) -> Found:
    async def run() -> Found:
        connection = await asyncpg.connect(stack.state.database_url)
        try:
            return await look(connection)
        finally:
            await connection.close()

    return asyncio.run(run())


def of_asset(stack: ThrowawayStack, asset_id: str) -> dict[str, int]:
    """Every table of every schema that still names the asset, with its number of such rows."""

    async def look(connection: Any) -> dict[str, int]:
        tables = await connection.fetch(
            "SELECT table_schema || '.' || table_name AS name, table_name FROM information_schema.tables "
            "WHERE table_schema = ANY($1) AND table_type = 'BASE TABLE'",
            list(topology.SERVICES),
        )
        found: dict[str, int] = {}
        for row in tables:
            if row["table_name"] not in _KEPT:
                sql = f"SELECT count(*) FROM {row['name']} t WHERE t::text LIKE '%' || $1 || '%'"
                found[row["name"]] = await connection.fetchval(sql, asset_id)
        return {name: count for name, count in found.items() if count}

    return _with_database(stack, look)


def orphans(stack: ThrowawayStack) -> dict[str, int]:
    """Postings and vectors without their chunk, and objects that nothing refers to."""

    async def look(connection: Any) -> dict[str, int]:
        satellites = ["postings", *[row[0] for row in await connection.fetch(_VECTORS)]]
        found: dict[str, int] = {}
        for name in satellites:
            found[name] = await connection.fetchval(
                f"SELECT count(*) FROM embedder.{name} s "
                "WHERE NOT EXISTS (SELECT FROM embedder.chunks c WHERE c.number = s.chunk_number)"
            )
        for schema in ("fetcher", "asr"):
            found[f"{schema}.objects"] = await connection.fetchval(
                f"SELECT count(*) FROM {schema}.objects o WHERE NOT EXISTS "
                f"(SELECT FROM {schema}.object_refs r WHERE (r.kind, r.sha256) = (o.kind, o.sha256))"
            )
        return {name: count for name, count in found.items() if count}

    return _with_database(stack, look)


def references(stack: ThrowawayStack, asset_ids: list[str]) -> tuple[dict[str, int], dict[str, int]]:
    """For each kind of stored file of these assets: how many references, and to how many different files."""

    async def look(connection: Any) -> tuple[dict[str, int], dict[str, int]]:
        rows = await connection.fetch(
            "SELECT kind, count(*) AS refs, count(DISTINCT sha256) AS files FROM fetcher.object_refs "
            "WHERE asset_id = ANY($1) GROUP BY kind",
            [UUID(asset_id) for asset_id in asset_ids],
        )
        return {row["kind"]: row["refs"] for row in rows}, {row["kind"]: row["files"] for row in rows}

    return _with_database(stack, look)


def doubled(stack: ThrowawayStack, asset_id: str) -> dict[str, int]:
    """What one run of an asset must have exactly once, as far as it is not so; a chunk needs its one vector."""

    async def look(connection: Any) -> dict[str, int]:
        asset = UUID(asset_id)
        chunks = await connection.fetchval("SELECT count(*) FROM embedder.chunks WHERE asset_id = $1", asset)
        indexes = await connection.fetchval(
            "SELECT count(DISTINCT chunk_index) FROM embedder.chunks WHERE asset_id = $1", asset
        )
        vectors = 0
        for row in await connection.fetch(_VECTORS):
            vectors += await connection.fetchval(
                f"SELECT count(*) FROM embedder.{row[0]} v JOIN embedder.chunks c ON c.number = v.chunk_number "
                "WHERE c.asset_id = $1",
                asset,
            )
        revision = await connection.fetchval("SELECT revision FROM asr.asset_states WHERE asset_id = $1", asset)
        found = {"chunks": chunks - indexes, "vectors": vectors - chunks, "revisions": revision - 1}
        if chunks == 0:
            found["no chunks"] = 1
        for schema in topology.SERVICES:
            sql = f"SELECT count(*) FROM {schema}.parked WHERE asset_id = $1"
            found[f"{schema}.parked"] = await connection.fetchval(sql, asset)
        return {name: count for name, count in found.items() if count}

    return _with_database(stack, look)


def wait_purged(stack: ThrowawayStack, asset_id: str) -> None:
    """Until no table names the asset."""
    deadline = time.monotonic() + 90
    while left := of_asset(stack, asset_id):
        assert time.monotonic() < deadline, left
        time.sleep(0.3)


def wait_idle(stack: ThrowawayStack) -> None:
    """Until nothing waits in an outbox or a queue, looked at several times in a row: late workers included."""
    quiet, deadline = 0, time.monotonic() + 180
    while quiet < 4:
        assert time.monotonic() < deadline
        quiet = quiet + 1 if under_way(stack) == 0 else 0
        time.sleep(0.5)


def under_way(stack: ThrowawayStack) -> int:
    """Rows in outboxes and messages in queues, delay queues included."""

    async def look(connection: Any) -> int:
        counts = [await connection.fetchval(f"SELECT count(*) FROM {name}.outbox") for name in topology.SERVICES]
        return sum(counts) + await _in_queues(stack.state.rabbitmq_url)

    return _with_database(stack, look)


async def _in_queues(url: str) -> int:
    names = [*topology.work_queues(), *(topology.delay_name(seconds) for seconds in topology.DELAYS)]
    broker = await aio_pika.connect(url)
    async with broker:
        channel = await broker.channel()
        depths = [(await channel.declare_queue(name, passive=True)).declaration_result for name in names]
        return sum(depth.message_count or 0 for depth in depths)
