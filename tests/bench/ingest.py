"""Indexing against raw binary COPY of the very same rows into the same tables with the same indexes, in one run.

A recording is indexed, its rows are read back as a binary stream, and that stream is copied into twins of the tables,
one transaction for each recording. "Stored" is our transaction alone, with everything in it (the asset's lock, inbox,
outbox, statistics, generation); "whole" is the handler from the transcript in the store to the fact, without the model,
which stands aside for random vectors. Rows are chunks: each brings its postings and its vector.
"""

import asyncio
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from uuid import UUID, uuid4

import asyncpg
import numpy as np
from bench.search import migrated, unit
from common import bootstrap
from common.store import open_store
from embedder.queries import assets as asset_rows
from embedder.queries import models
from embedder.queries.models import ModelRow
from embedder.queries.vector_indexes import EF_CONSTRUCTION, M
from embedder.vector_index import VectorIndexes
from numpy.typing import NDArray
from stack.testing import ThrowawayPostgres

from tests.integration.embedder.world import World, transcript_of

HEADS = ("rows a second", "Earshot", "raw binary COPY", "ratio", "goal")
ROUNDS = 5
PER_ROUND = 3  # recordings
SEGMENTS = 240  # of 40 words: about 50 chunks a recording
VOCABULARY = 30_000
_TABLES = {
    "chunks": "SELECT id, number, asset_id, chunk_index, content, locator, speakers, words, lines, phrase, term_ids, "
    "names FROM embedder.chunks WHERE asset_id = $1 ORDER BY chunk_index",
    "postings": "SELECT p.term_id, p.chunk_number, p.asset_number, p.tf, p.len FROM embedder.postings AS p "
    "WHERE p.asset_number = (SELECT number FROM embedder.indexed_assets WHERE asset_id = $1) "
    "ORDER BY p.term_id, p.chunk_number",
    "embeddings_1": "SELECT e.chunk_number, e.asset_number, e.embedding FROM embedder.embeddings_1 AS e "
    "WHERE e.asset_number = (SELECT number FROM embedder.indexed_assets WHERE asset_id = $1)",
}


class Aside:
    """Stands where the model stands and takes no time."""

    name = "aside"
    dimensions = 384
    max_tokens = 254

    def __init__(self) -> None:
        self._random = np.random.default_rng(5)

    def count_tokens(self, texts: list[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return unit(self._random.standard_normal((len(texts), self.dimensions)))


@dataclass
class Took:
    """Rows a second of each recording."""

    stored: list[float]
    whole: list[float]
    raw: list[float]


@dataclass
class Ground:
    world: World
    admin: asyncpg.Connection
    collection: UUID
    random: np.random.Generator

    def turns(self) -> list[tuple[str, str]]:
        words = self.random.zipf(1.3, (SEGMENTS, 40)) % VOCABULARY
        return [("Anna", " ".join(f"word{word}" for word in row) + ".") for row in words]

    async def index(self, *, whole: bool) -> tuple[UUID, float]:
        """The asset, and the seconds that it took."""
        asset = await self.world.asset(self.collection)
        fact = await self.world.completed(transcript_of(self.turns(), asset_id=asset))
        delivery = self.world.delivery(fact)
        handlers = self.world.handlers
        if whole:
            began = perf_counter()
            await handlers.index_transcript(fact, delivery)
            return asset, perf_counter() - began
        async with self.world.db.transaction() as conn:
            await asset_rows.remember(conn, fact, self.collection)
        prepared = await handlers.indexer.prepare(fact, delivery)
        began = perf_counter()
        async with delivery.record() as rec:
            held = await asset_rows.read_indexed(rec.conn, asset)
            assert held is not None
            await handlers.indexer.remove(rec.conn, asset, held, prepared)
            await handlers.indexer.store(rec.conn, asset, held.number, prepared)
            await asset_rows.mark_indexed(rec.conn, fact, 1, len(prepared.entries), edited=False)
            await asset_rows.raise_generation(rec.conn, self.collection)
        return asset, perf_counter() - began

    async def copy_raw(self, asset: UUID) -> float:
        streams: dict[str, bytes] = {}
        for table, query in _TABLES.items():
            out = BytesIO()
            await self.admin.copy_from_query(query, asset, output=out, format="binary")
            streams[table] = out.getvalue()
        began = perf_counter()
        async with self.admin.transaction():
            for table, data in streams.items():
                await self.admin.copy_to_table(
                    table, schema_name="raw", source=BytesIO(data), format="binary", columns=_columns(table)
                )
        return perf_counter() - began

    async def measure(self) -> Took:
        took = Took([], [], [])
        for _ in range(ROUNDS * PER_ROUND):
            for whole, into in ((False, took.stored), (True, took.whole)):
                asset, seconds = await self.index(whole=whole)
                rows = await self.world.count("chunks", "asset_id = $1", asset)
                into.append(rows / seconds)
                took.raw.append(rows / await self.copy_raw(asset))
        return took


def _columns(table: str) -> list[str]:
    selected = _TABLES[table].removeprefix("SELECT ").split(" FROM ")[0]
    return [column.strip().rpartition(".")[2] for column in selected.split(",")]


async def make_twins(admin: asyncpg.Connection) -> None:
    """Tables of the same columns and indexes, empty."""
    await admin.execute("CREATE SCHEMA raw")
    for table in _TABLES:
        await admin.execute(f"CREATE TABLE raw.{table} (LIKE embedder.{table} INCLUDING ALL)")


def lines(took: Took, where: str) -> list[list[str]]:
    raw = statistics.median(took.raw)
    return [
        [
            f"{name}, {where}",
            f"{statistics.median(rates):,.0f}",
            f"{raw:,.0f}",
            f"{statistics.median(rates) / raw:.2f}",
            goal,
        ]
        for name, rates, goal in (("stored", took.stored, ">= 0.5"), ("whole, without the model", took.whole, ""))
    ]


async def prepare(admin: asyncpg.Connection, world: World) -> Ground:
    made = Ground(world, admin, await world.collection(await world.user()), np.random.default_rng(3))
    # The first recording makes the model's table, which the twins are made after.
    await made.index(whole=True)
    await make_twins(admin)
    return made


async def run(url: str, folder: Path) -> list[list[str]]:
    async with migrated(url) as (admin, db):
        store = f"file://{folder / uuid4().hex}"
        await bootstrap.prepare_store(store)
        world = World(admin, db, open_store(store), Aside(), chunk_tokens=200)
        ground = await prepare(admin, world)
        rows = lines(await ground.measure(), "no vector index yet")
        chunks = await world.count("chunks")
        async with db.acquire() as conn:
            row = await models.read_current(conn)
        assert row is not None
        began = perf_counter()
        await VectorIndexes(db, from_rows=0, memory_mb=256).prepare(row)
        built = f"{chunks / (perf_counter() - began):,.0f}"
        await twin_index(admin, row)
        rows += lines(await ground.measure(), f"with one, over {chunks:,} at first")
        return [*rows, [f"building that index over {chunks:,}", built, "", "", ""]]


async def twin_index(admin: asyncpg.Connection, row: ModelRow) -> None:
    await admin.execute(
        f"CREATE INDEX ON raw.{row.table} USING hnsw (embedding halfvec_ip_ops) "
        f"WITH (m = {M}, ef_construction = {EF_CONSTRUCTION})"
    )


def main() -> list[list[str]]:
    with ThrowawayPostgres() as postgres, TemporaryDirectory() as folder:
        return asyncio.run(run(postgres.url, Path(folder)))
