"""Indexing beside raw binary COPY of the same rows, and beside LangChain's `add_embeddings` of as many, by turns."""

import statistics
from pathlib import Path
from uuid import uuid4

from bench import ingest
from bench.lines import Line, at_least
from bench.peers.peer import Peer
from bench.peers.verdicts import OF_LANGCHAIN, OF_RAW_COPY
from bench.search import migrated
from common import bootstrap
from common.store import open_store

from tests.integration.embedder.world import World


async def compare(url: str, folder: Path, langchain: Peer | None, times: int) -> list[Line]:
    """No vector index on either side: it is made after bulk loading. ``times``: how often everybody's turn comes."""
    async with migrated(url) as (admin, db):
        store = f"file://{folder / uuid4().hex}"
        await bootstrap.prepare_store(store)
        world = World(admin, db, open_store(store), ingest.Aside(), chunk_tokens=200)
        ground = await ingest.prepare(admin, world)
        stored: list[float] = []
        whole: list[float] = []
        copied: list[float] = []
        added: list[float] = []
        for _ in range(times):
            asset, seconds = await ground.index(whole=False)
            rows = await world.count("chunks", "asset_id = $1", asset)
            stored.append(rows / seconds)
            copied.append(rows / await ground.copy_raw(asset))
            other, seconds = await ground.index(whole=True)
            whole.append(await world.count("chunks", "asset_id = $1", other) / seconds)
            if langchain is not None:
                added.append(rows / await langchain.add(0, rows))
    return lines(stored, whole, copied, added)


def lines(stored: list[float], whole: list[float], copied: list[float], added: list[float]) -> list[Line]:
    ours, transcript = statistics.median(stored), statistics.median(whole)
    raw = statistics.median(copied)
    made = [at_least("chunks stored", ours, raw, "raw binary COPY", OF_RAW_COPY)]
    if added:
        slow = statistics.median(added)
        made.append(at_least("chunks stored", ours, slow, "LangChain add_embeddings", OF_LANGCHAIN))
        made.append(at_least("… from the transcript on", transcript, slow, "LangChain add_embeddings", None))
    return made
