"""Hybrid search at 100,000 chunks against raw prepared SQL for the same two legs, in one run.

The peer runs the two ranking statements that any hybrid search needs, prepared, on the same tables, and nothing else:
no permission, no filters, no fusion, no neighbours, no passages. Queries alternate between the two. Both are given
the query's vector; what the model takes to make one is shown by itself.
"""

import asyncio
import statistics
from collections.abc import AsyncGenerator, Awaitable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID

import asyncpg
import numpy as np
from common import bootstrap
from common.db import Database
from common.ids import short_id, uuid7
from embedder.domain import copying
from embedder.domain.ranking import inverse_frequency, telling
from embedder.providers.minilm import MiniLm
from embedder.queries import chunks as chunk_rows
from embedder.queries import models, nearest, terms
from embedder.queries.scope import Filters
from embedder.queries.vector_indexes import EF_CONSTRUCTION, M
from embedder.registry import Registry
from embedder.searching import Search, Wanted
from embedder.settings import EmbedderSettings
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from stack.testing import ThrowawayPostgres

CHUNKS = 100_000
PER_ASSET = 50
VOCABULARY = 30_000
WORDS = 90  # that count, in one chunk
TOPICS = 500
QUERIES = 100
SMALL_ASSETS = 20
SEED = 7
# Postgres' own memory, for the indexes of everybody at 200,000 chunks.
BUFFERS_MB = 4096
# The setting's default.
EXACT_CHUNKS: int = EmbedderSettings.model_fields["exact_chunks"].default
_COPIED_CHUNKS = 20_000
# A service's limits (common.bootstrap) are not those of a load that no service would do at once.
_UNLIMITED = """
    SET LOCAL statement_timeout = 0;
    SET LOCAL transaction_timeout = 0;
    SET LOCAL idle_in_transaction_session_timeout = 0
"""
console = Console()
Ids = NDArray[np.int32]
Leg = Sequence[asyncpg.Record]


@dataclass(frozen=True)
class Corpus:
    """Made-up talk: words by Zipf's law, each asset with a topic of its own that shows in words and vectors."""

    asset_ids: list[UUID]
    words: list[Ids]  # distinct term ids of each chunk
    counts: list[Ids]
    vectors: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.vectors)


@dataclass(frozen=True)
class Question:
    text: str
    terms: list[int]
    vector: NDArray[np.float32]


class Known:
    """Stands where the model stands and knows the vectors already."""

    name = "bench"
    dimensions = 384
    max_tokens = 254

    def __init__(self, questions: Sequence[Question]) -> None:
        self._vectors = {question.text: question.vector for question in questions}

    def count_tokens(self, texts: list[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return np.stack([self._vectors[text] for text in texts])


def unit(vectors: NDArray[Any]) -> NDArray[np.float32]:
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


def invent(random: np.random.Generator, chunks: int = CHUNKS) -> Corpus:
    """``chunks`` is a multiple of ``PER_ASSET``."""
    topics = unit(random.standard_normal((TOPICS, 384)))
    of_asset = random.integers(0, TOPICS, chunks // PER_ASSET)
    of_chunk = np.repeat(of_asset, PER_ASSET)
    vectors = unit(topics[of_chunk] + 0.05 * random.standard_normal((chunks, 384)))
    common = random.zipf(1.15, (chunks, WORDS)) % VOCABULARY
    own = (of_chunk[:, None] * 37 + random.integers(0, 40, (chunks, WORDS // 6))) % VOCABULARY
    words: list[Ids] = []
    counts: list[Ids] = []
    for row in np.concatenate([common, own], axis=1):
        distinct, count = np.unique(row + 1, return_counts=True)
        words.append(distinct.astype(np.int32))
        counts.append(count.astype(np.int32))
    return Corpus([uuid7() for _ in of_asset], words, counts, vectors)


def ask(corpus: Corpus, random: np.random.Generator, queries: int = QUERIES) -> list[Question]:
    """Four words of a chunk and two common ones, with a vector near that chunk's."""
    made: list[Question] = []
    for _ in range(queries):
        chunk = int(random.integers(0, len(corpus)))
        chosen = [*random.choice(corpus.words[chunk], 4, replace=False).tolist(), *random.integers(5, 60, 2).tolist()]
        vector = unit(corpus.vectors[chunk] + 0.03 * random.standard_normal(384))
        made.append(Question(" ".join(f"w{term}" for term in set(chosen)), sorted(set(chosen)), vector))
    return made


async def fill(
    admin: asyncpg.Connection, db: Database, corpus: Corpus, small_assets: int = SMALL_ASSETS
) -> tuple[UUID, UUID, int]:
    """By binary COPY, the vector index after it. Returns a member of everything, a small collection, the model's id."""
    user, large, small = uuid7(), uuid7(), uuid7()
    await admin.execute("INSERT INTO gateway.users (id, email, name) VALUES ($1, 'a@example.org', 'A')", user)
    for collection in (large, small):
        await admin.execute("INSERT INTO gateway.collections (id, name) VALUES ($1, 'Talks')", collection)
        await admin.execute("INSERT INTO gateway.members VALUES ($1, $2, 'owner')", collection, user)
    places = [small if number < small_assets else large for number in range(len(corpus.asset_ids))]
    rows = [
        (asset, short_id(asset), "recording", place, "Talk", False, "ready", "index", "{}", "{}", "audio", "bulk")
        for asset, place in zip(corpus.asset_ids, places, strict=True)
    ]
    columns = "id short_id kind collection_id title title_given status stage source options keep_media priority"
    await admin.copy_records_to_table("assets", schema_name="gateway", records=rows, columns=columns.split())
    async with db.transaction() as conn:
        await conn.execute(_UNLIMITED)
        model_id = await models.register_model(conn, Known.name, Known.dimensions)
        await _copy_all(conn, corpus, places, model_id)
    for statement in (
        # For the graph of a million; with less, building one takes several times as long.
        "SET maintenance_work_mem = '2GB'",
        "SET max_parallel_maintenance_workers = 4",
        "SET statement_timeout = 0",
        "SET search_path = embedder, public",
        f"CREATE INDEX embeddings_{model_id}_embedding ON embeddings_{model_id} "
        f"USING hnsw (embedding halfvec_ip_ops) WITH (m = {M}, ef_construction = {EF_CONSTRUCTION})",
        "VACUUM ANALYZE",
    ):
        await admin.execute(statement, timeout=7200)
    return user, small, model_id


async def _copy_all(conn: Any, corpus: Corpus, places: Sequence[UUID], model_id: int) -> None:
    now = asyncio.get_running_loop().time()
    for asset, place in zip(corpus.asset_ids, places, strict=True):
        await conn.execute(
            "INSERT INTO indexed_assets (asset_id, collection_id, kind, title, language, registered_at, chunk_count) "
            "VALUES ($1, $2, 'recording', 'Talk', 'xx', now(), $3)",
            asset,
            place,
            PER_ASSET,
        )
    numbers = {
        row["asset_id"]: row["number"] for row in await conn.fetch("SELECT asset_id, number FROM indexed_assets")
    }
    await terms.add_terms(conn, [f"w{term}" for term in range(1, VOCABULARY + 1)])
    names = {int(row["term"][1:]): row["id"] for row in await conn.fetch("SELECT id, term FROM terms")}
    ids = np.array([0, *(names[term] for term in range(1, VOCABULARY + 1))], np.int32)
    chunk_numbers = await chunk_rows.reserve_numbers(conn, len(corpus))
    for some in _batches(len(corpus), _COPIED_CHUNKS):
        await chunk_rows.copy_chunks(conn, (_chunk(corpus, i, chunk_numbers[i], ids) for i in some))
    assets = np.array([numbers[corpus.asset_ids[i // PER_ASSET]] for i in range(len(corpus))], np.int32)
    sizes = [len(words) for words in corpus.words]
    lengths = np.array([int(count.sum()) for count in corpus.counts], np.int32)
    columns = (
        ids[np.concatenate(corpus.words)],
        np.repeat(np.array(chunk_numbers, np.int32), sizes),
        np.repeat(assets, sizes),
        np.concatenate(corpus.counts),
        np.repeat(lengths, sizes),
    )
    order = np.lexsort((columns[1], columns[0]))
    for some in _batches(len(order), _COPIED_CHUNKS * WORDS):
        await chunk_rows.copy_postings(conn, copying.postings(*(column[order[some]] for column in columns)))
    for some in _batches(len(corpus), _COPIED_CHUNKS):
        vectors = b"".join(
            copying.embeddings(chunk_numbers[i : i + PER_ASSET], int(assets[i]), corpus.vectors[i : i + PER_ASSET])
            for i in some[::PER_ASSET]
        )
        await chunk_rows.copy_embeddings(conn, model_id, vectors)
    found, df = np.unique(columns[0], return_counts=True)
    gained = dict(zip(found.tolist(), df.tolist(), strict=True))
    await terms.append_deltas(conn, gained, len(corpus), int(lengths.sum()))
    while (await terms.fold_deltas(conn)).deltas:
        pass
    console.print(f"filled {len(corpus):,} chunks in {asyncio.get_running_loop().time() - now:.0f} s", highlight=False)


def _batches(count: int, size: int) -> list[range]:
    """No statement may take longer than a service waits for an answer."""
    return [range(begin, min(begin + size, count)) for begin in range(0, count, size)]


def content(words: Ids) -> str:
    return " ".join(f"w{term}" for term in words)


def _chunk(corpus: Corpus, i: int, number: int, ids: Ids) -> bytes:
    words = [f"w{term}" for term in corpus.words[i]]
    return copying.row(
        copying.uuid(uuid7()),
        copying.int4(number),
        copying.uuid(corpus.asset_ids[i // PER_ASSET]),
        copying.int4_array(sorted(ids[corpus.words[i]].tolist())),
        copying.int4(i % PER_ASSET),
        copying.text(content(corpus.words[i])),
        copying.jsonb('{"type": "time", "start_seconds": 0, "end_seconds": 60, "speaker": "A"}'),
        copying.text_array(["a"]),
        copying.text_array(["A"]),
        copying.text("[]"),
        copying.text("[]"),
        copying.tsvector([(word, place, "D") for place, word in enumerate(words, 1)]),
    )


class Peer:
    """Both legs as prepared statements by hand."""

    def __init__(self, conn: asyncpg.Connection, model_id: int, mean_length: float) -> None:
        self._conn = conn
        self._model_id = model_id
        self._mean_length = mean_length

    async def prepare(self) -> None:
        await self._conn.execute("SET search_path = embedder, public; SET hnsw.ef_search = 100")
        await self._conn.execute("SET hnsw.iterative_scan = 'relaxed_order'")
        self._lexical = await self._conn.prepare(
            f"""
            SELECT p.chunk_number,
                sum(t.weight * p.tf * 2.2 / (p.tf + 0.3 + {0.9 / self._mean_length} * p.len)) AS score
            FROM unnest((SELECT $1::integer[]), (SELECT $2::float8[])) AS t (id, weight)
            JOIN postings AS p ON p.term_id = t.id
            GROUP BY p.chunk_number ORDER BY score DESC LIMIT 200
            """
        )
        self._semantic = await self._conn.prepare(
            "SELECT chunk_number, -(embedding <#> (SELECT $1::text::halfvec)) AS score "
            f"FROM embeddings_{self._model_id} ORDER BY embedding <#> (SELECT $1::text::halfvec) LIMIT 200"
        )

    async def find(self, term_ids: list[int], weights: list[float], vector: str) -> tuple[Leg, Leg]:
        """Rows of (chunk_number, score), the best first."""
        return await self._lexical.fetch(term_ids, weights), await self._semantic.fetch(vector)


async def timed(work: Awaitable[object]) -> float:
    started = perf_counter()
    await work
    return (perf_counter() - started) * 1000


async def weigh(db: Database, question: Question, chunks: int) -> tuple[list[int], list[float]]:
    """The terms that our search would score, with the same weights."""
    async with db.acquire() as conn:
        known = {term.id: term.df for term in await terms.find_terms(conn, question.text.split())}
    kept = telling(list(known.items()), chunks)
    return kept, [inverse_frequency(chunks, known[term_id]) for term_id in kept]


def row(name: str, ours: list[float], raw: list[float]) -> list[str]:
    middle, peer = statistics.median(ours), statistics.median(raw)
    late = statistics.quantiles(ours, n=20)[18], statistics.quantiles(raw, n=20)[18]
    return [name, f"{middle:.1f} / {late[0]:.1f} ms", f"{peer:.1f} / {late[1]:.1f} ms", f"{middle / peer:.2f}"]


async def run(admin: asyncpg.Connection, db: Database, model_dir: Path) -> list[list[str]]:
    """Rows of (what, ours p50 / p95, raw p50 / p95, ratio of the medians)."""
    random = np.random.default_rng(SEED)
    corpus = await asyncio.to_thread(invent, random)
    questions = ask(corpus, random)
    user, small, model_id = await fill(admin, db, corpus)
    mean = float(np.mean([count.sum() for count in corpus.counts]))
    peer = Peer(admin, model_id, mean)
    await peer.prepare()
    ours = Search(db, Registry(db, lambda _: Known(questions), Known.name), ef_search=100, exact_chunks=EXACT_CHUNKS)
    modes = {"hybrid": Filters(), "one small collection": Filters(collection_id=small)}
    times: dict[str, list[float]] = {name: [] for name in ("raw", "embed", *modes)}
    model = MiniLm(model_dir)
    await model.embed(["warm"])
    for warm in (True, False):
        for question in questions:
            kept, weights = await weigh(db, question, len(corpus))
            vector = nearest.vector_text(question.vector)
            measured = {"raw": await timed(peer.find(kept, weights, vector))}
            for name, filters in modes.items():
                measured[name] = await timed(ours.run(user, Wanted(question.text, filters=filters)))
            measured["embed"] = await timed(model.embed([question.text]))
            if not warm:
                for name, took in measured.items():
                    times[name].append(took)
    rows = [row(f"hybrid search, {CHUNKS:,} chunks", times["hybrid"], times["raw"])]
    rows.append(row("… in a collection of 1,000 chunks", times["one small collection"], times["raw"]))
    rows.append(["the query's embedding by itself", f"{statistics.median(times['embed']):.1f} ms", "", ""])
    return rows


@asynccontextmanager
async def migrated(url: str, size: int = 4) -> AsyncGenerator[tuple[asyncpg.Connection, Database]]:
    """An administrator's connection and the embedder's own, on a database with its schema and the gateway's."""
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    urls = {
        service: urlunsplit(parts._replace(netloc=f"earshot_{service}:secret@{place}"))
        for service in ("gateway", "embedder")
    }
    await bootstrap.migrate(url, urls)
    admin = await asyncpg.connect(url)
    db = Database(urls["embedder"], size=size)
    await db.open()
    try:
        yield admin, db
    finally:
        await db.close()
        await admin.close()


def show(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    table = Table(title=title, title_justify="left")
    for head in heads:
        table.add_column(head)
    for cells in rows:
        table.add_row(*cells)
    console.print(table)


async def main() -> None:
    with ThrowawayPostgres(buffers_mb=BUFFERS_MB) as postgres, TemporaryDirectory() as models_dir:
        async with migrated(postgres.url) as (admin, db):
            rows = await run(admin, db, Path(models_dir))
    show("Search (median / 95th percentile)", ("what", "Earshot", "raw prepared SQL, two legs", "ratio"), rows)
