"""The model is exchanged for another while recordings come and go: nothing twice, nothing missing, nothing sudden."""

import asyncio
import contextlib
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest
from common.errors import ApiError, TryAgain
from embedder.backfill import Backfill
from embedder.background import Upkeep
from embedder.domain.entries import embedded_text
from embedder.exchange import Exchange, Standing
from embedder.providers.catalogue import open_model
from embedder.providers.embedder import Embedder
from embedder.registry import Registry
from embedder.settings import EmbedderSettings
from embedder.vector_index import VectorIndexes

from tests.conftest import Databases
from tests.integration.embedder.shingles import Shingles
from tests.integration.embedder.vector_server import KEY, VectorServer, serving
from tests.integration.embedder.world import World, transcript_of

SUBJECTS = ("harbour", "budget", "website", "caterer", "penguin", "chairs", "office", "holiday")


def turns(number: int, sentences: int = 8) -> list[tuple[str, str]]:
    return [
        (
            ("Anna", "", "Ben")[i % 3],
            f"Item {number} point {i}: the {SUBJECTS[(number + i) % 8]} was discussed at length.",
        )
        for i in range(sentences)
    ]


@dataclass
class Bench:
    """What an administrator has, and the workers, over one world."""

    world: World
    shingles: Shingles
    from_rows: int = 10_000

    @property
    def indexes(self) -> VectorIndexes:
        return VectorIndexes(self.world.db, from_rows=self.from_rows, memory_mb=32)

    @property
    def exchange(self) -> Exchange:
        return Exchange(self.world.db, self.world.models, self.indexes, batch_chunks=5)

    def worker(self, at_once: int = 1) -> Backfill:
        return Backfill(self.world.db, self.world.models, self.indexes, 3, at_once, lease_seconds=60, pause_seconds=0)

    async def prepare(self, *, switch: bool = False) -> int:
        model_id, _ = await self.exchange.prepare("minilm", quantised=False, switch=switch)
        return model_id

    async def standing(self, name: str) -> Standing:
        (found,) = [one for one in await self.exchange.list_all() if one.row.name == name]
        return found

    async def states(self) -> dict[str, str]:
        return {one.row.name: one.row.state for one in await self.exchange.list_all()}


@pytest.fixture
async def bench(world: World, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """The index begins with shingles, because the name of the other, MiniLM, is one that everybody may ask for."""
    shingles = Shingles()
    world.others = {world.embedder.name: world.embedder}
    world.embedder = shingles
    world.chunk_tokens = 12
    return Bench(world, shingles)


async def fill(world: World, recordings: int = 6) -> tuple[UUID, UUID, list[UUID]]:
    me = await world.user()
    collection = await world.collection(me)
    return me, collection, [await world.recording(collection, turns(number)) for number in range(recordings)]


async def complete(world: World, model_id: int, embedder: Embedder) -> None:
    """Every chunk has one vector, and it is the one that its text has."""
    rows = await world.admin.fetch(
        f"""
        SELECT c.number, c.content, c.lines::text AS lines, c.names, i.number AS asset_number,
            e.asset_number AS of_asset, e.embedding::text AS vector
        FROM embedder.chunks c JOIN embedder.indexed_assets i USING (asset_id)
        FULL JOIN embedder.embeddings_{model_id} e ON e.chunk_number = c.number ORDER BY c.number
        """
    )
    assert rows
    assert all(row["vector"] is not None and row["of_asset"] == row["asset_number"] for row in rows)
    texts = [embedded_text(row["content"], row["lines"], row["names"]) for row in rows]
    assert any(text.startswith("Anna: ") for text in texts)
    wanted = await embedder.embed(texts)
    found = np.array([[float(part) for part in row["vector"].strip("[]").split(",")] for row in rows])
    assert np.abs(found - wanted).max() < 2e-3


async def search(world: World, me: UUID, query: str) -> list[tuple[int, float]]:
    found = (await world.find(me, query, mode="semantic", limit=10)).found
    return [(item.passage.number, round(item.ranked.chunk.semantic or 0, 4)) for item in found]


async def test_another_model_is_prepared_switched_to_and_back(bench: Bench) -> None:
    world = bench.world
    me, collection, _ = await fill(world)
    minilm = world.others["all-MiniLM-L6-v2"]
    before = await search(world, me, "money for the year")
    model_id = await bench.prepare()
    assert await bench.states() == {"shingles": "current", minilm.name: "preparing"}
    assert (await bench.standing(minilm.name)).fraction == 0
    await bench.worker().run()
    standing = await bench.standing(minilm.name)
    assert (standing.row.state, standing.fraction) == ("ready", 1.0)
    assert standing.progress.chunks == standing.chunks == await world.count("chunks")
    await complete(world, model_id, minilm)
    # Nothing of this was to be seen in search.
    assert await search(world, me, "money for the year") == before
    generation = (await world.find(me, "x")).generations[collection]
    await bench.exchange.switch(model_id)
    after = await search(world, me, "money for the year")
    assert after != before
    assert "budget" in (await world.find(me, "money for the year", mode="semantic")).found[0].passage.content
    # Whoever keeps answers by generation makes them anew.
    assert (await world.find(me, "x")).generations[collection] == generation + 1
    first = (await bench.standing("shingles")).row
    assert first.state == "ready"
    await bench.exchange.switch(first.id)
    assert await search(world, me, "money for the year") == before
    assert await bench.states() == {"shingles": "current", minilm.name: "ready"}


async def test_recordings_that_come_change_and_go_meanwhile_are_in_both_models(bench: Bench) -> None:
    world = bench.world
    _, collection, assets = await fill(world, 4)
    minilm = world.others["all-MiniLM-L6-v2"]
    model_id = await bench.prepare()
    # Before any work was done.
    late = await world.recording(collection, turns(40))
    await world.hear_deletion(assets[0])
    changed = transcript_of([*turns(1)[:3], ("Anna", "Something else was said."), *turns(1)[4:]], asset_id=assets[1])
    await world.correct(changed.model_copy(update={"revision": 2}))
    numbers = {
        row["number"] for row in await world.admin.fetch("SELECT number FROM embedder.chunks WHERE asset_id = $1", late)
    }
    assert await world.count(f"embeddings_{model_id}", "chunk_number = ANY($1)", list(numbers)) == len(numbers)
    working = asyncio.create_task(bench.worker(at_once=2).run())
    for number in range(50, 54):
        asset = await world.recording(collection, turns(number))
        if number % 2:
            await world.hear_deletion(asset)
        await world.correct(transcript_of(turns(number - 1), asset_id=late, revision=number))
    await working
    await bench.worker().run()
    assert (await bench.states())[minilm.name] == "ready"
    await complete(world, model_id, minilm)
    await complete(world, 1, bench.shingles)


async def test_workers_share_the_work_and_none_of_it_is_done_twice(bench: Bench) -> None:
    world = bench.world
    await fill(world, 8)
    other = Counted(world.others["all-MiniLM-L6-v2"])
    world.others[other.name] = other
    await bench.prepare()
    other.texts.clear()
    chunks = await world.count("chunks")
    await asyncio.gather(*(bench.worker(at_once=2).run() for _ in range(3)))
    assert len(other.texts) == chunks
    assert (await bench.states())[other.name] == "ready"
    await bench.worker().run()
    assert len(other.texts) == chunks


@dataclass
class Counted(Shingles):
    """A model that remembers what it embedded."""

    def __init__(self, inner: Embedder) -> None:
        super().__init__(inner.name, inner.dimensions, inner.max_tokens)
        self.inner = inner

    async def embed(self, texts: Sequence[str]) -> np.ndarray:
        if self.before is not None:
            await self.before(texts)
        self.texts += texts
        return await self.inner.embed(texts)


async def test_what_is_deleted_while_it_is_embedded_is_not_written(bench: Bench) -> None:
    world = bench.world
    _, _, assets = await fill(world, 3)
    other = Counted(world.others["all-MiniLM-L6-v2"])
    world.others[other.name] = other
    model_id = await bench.prepare()
    left = list(assets)

    async def delete_one(_texts: Sequence[str]) -> None:
        if len(left) > 1:
            await world.hear_deletion(left.pop(0))

    other.before = delete_one
    await bench.worker().run()
    assert (await bench.states())[other.name] == "ready"
    assert await world.count(f"embeddings_{model_id}") == await world.count("chunks") > 0
    await complete(world, model_id, other.inner)


async def test_a_model_in_trouble_says_why_and_goes_on_when_it_is_over(bench: Bench) -> None:
    world = bench.world
    await fill(world, 2)
    other = Counted(world.others["all-MiniLM-L6-v2"])
    world.others[other.name] = other
    model_id = await bench.prepare()

    async def away(_texts: Sequence[str]) -> None:
        raise TryAgain("The server sleeps.", category="engine_unavailable", advice="Wake it.")

    other.before = away
    one_turn = bench.worker()
    one_turn = Backfill(world.db, one_turn.models, one_turn.indexes, 3, pause_seconds=3600)
    await one_turn.run()
    row = (await bench.standing(other.name)).row
    assert (row.state, row.error) == (
        "preparing",
        {"category": "engine_unavailable", "message": "The server sleeps.", "advice": "Wake it."},
    )
    # A recording is found all the same, and waits for that model only.
    me = await world.user()
    await world.recording(await world.collection(me), turns(77))
    assert (await world.find(me, "discussed", mode="semantic")).found
    other.before = None
    await world.admin.execute("UPDATE embedder.backfill_batches SET claimed_until = now() WHERE done_at IS NULL")
    await bench.worker().run()
    row = (await bench.standing(other.name)).row
    assert (row.state, row.error) == ("ready", None)
    await complete(world, model_id, other.inner)


async def test_a_kept_model_that_missed_something_catches_up_before_it_is_used_again(bench: Bench) -> None:
    world = bench.world
    _, collection, _ = await fill(world, 2)
    model_id = await bench.prepare(switch=True)
    await bench.worker().run()
    assert await bench.states() == {"shingles": "ready", "all-MiniLM-L6-v2": "current"}

    async def away(_texts: Sequence[str]) -> None:
        raise TryAgain("The server sleeps.", category="engine_unavailable")

    bench.shingles.before = away
    await world.recording(collection, turns(9))
    assert (await bench.states())["shingles"] == "preparing"
    with pytest.raises(ApiError, match="not ready") as refused:
        await bench.exchange.switch(1)
    assert refused.value.status_code == 409
    bench.shingles.before = None
    await bench.worker().run()
    await bench.exchange.switch(1)
    await complete(world, 1, bench.shingles)
    await complete(world, model_id, world.others["all-MiniLM-L6-v2"])


async def test_a_switch_while_a_recording_is_embedded_loses_nothing(bench: Bench) -> None:
    """It was embedded by the models of a moment ago; those of now are what counts."""
    world = bench.world
    _, collection, _ = await fill(world, 2)
    model_id = await bench.prepare()
    await bench.worker().run()
    asset = await world.asset(collection)
    fact = await world.completed(transcript_of(turns(30), asset_id=asset))

    async def meanwhile(_texts: Sequence[str]) -> None:
        bench.shingles.before = None
        await bench.exchange.switch(model_id)
        await bench.exchange.drop(1)

    bench.shingles.before = meanwhile
    await world.handlers.index_transcript(fact, world.delivery(fact))
    await complete(world, model_id, world.others["all-MiniLM-L6-v2"])
    assert await world.count("chunks", "asset_id = $1", asset) > 0


async def test_a_model_prepared_while_a_recording_is_embedded_gets_it_too(bench: Bench) -> None:
    world = bench.world
    _, collection, _ = await fill(world, 2)
    asset = await world.asset(collection)
    fact = await world.completed(transcript_of(turns(30), asset_id=asset))
    prepared: list[int] = []

    async def meanwhile(_texts: Sequence[str]) -> None:
        bench.shingles.before = None
        prepared.append(await bench.prepare())
        await bench.worker().run()

    bench.shingles.before = meanwhile
    await world.handlers.index_transcript(fact, world.delivery(fact))
    assert (await bench.states())["all-MiniLM-L6-v2"] == "preparing"
    await bench.worker().run()
    assert (await bench.states())["all-MiniLM-L6-v2"] == "ready"
    await complete(world, prepared[0], world.others["all-MiniLM-L6-v2"])


async def test_dropping(bench: Bench) -> None:
    world = bench.world
    me, _, _ = await fill(world, 3)
    model_id = await bench.prepare()
    with pytest.raises(ApiError, match="in use"):
        await bench.exchange.drop(1)
    with pytest.raises(ApiError, match="no such model"):
        await bench.exchange.drop(77)
    before = await search(world, me, "harbour")
    await bench.exchange.drop(model_id)
    await bench.exchange.drop(model_id)
    with pytest.raises(ApiError, match="being dropped"):
        await bench.prepare()
    with pytest.raises(ApiError, match="not ready"):
        await bench.exchange.switch(model_id)
    await bench.worker().run()
    # It stays a while, for those who search in it.
    await Upkeep(world.db, world.models, 1).drop_models()
    assert len(await bench.states()) == 2
    await asyncio.gather(*(Upkeep(world.db, world.models, 1, drop_seconds=0).drop_models() for _ in range(3)))
    assert await bench.states() == {"shingles": "current"}
    assert await world.admin.fetchval(f"SELECT to_regclass('embedder.embeddings_{model_id}')") is None
    assert await world.count("backfill_batches") == 0
    assert await search(world, me, "harbour") == before
    # Asked for again it is another table.
    again = await bench.prepare(switch=True)
    assert again != model_id
    await bench.worker().run()
    assert (await bench.states())["all-MiniLM-L6-v2"] == "current"


async def test_a_search_with_the_model_of_a_moment_ago_finds_what_it_did(bench: Bench) -> None:
    world = bench.world
    me, _, _ = await fill(world, 3)
    model_id = await bench.prepare()
    await bench.worker().run()
    # One process keeps its registry, as a service does.
    kept = world.search
    registry = kept.models
    assert (await registry.current()).name == "shingles"
    await bench.exchange.switch(model_id)
    await bench.exchange.drop(1)
    fresh = await registry.current()
    assert fresh.name in ("shingles", "all-MiniLM-L6-v2")
    assert (await world.find(me, "harbour", mode="semantic")).found
    registry._read_at = -1e9
    assert (await registry.current()).name == "all-MiniLM-L6-v2"


async def test_asking_again_changes_only_the_wish(bench: Bench) -> None:
    world = bench.world
    await fill(world, 1)
    model_id = await bench.prepare()
    assert (await bench.exchange.prepare("all-MiniLM-L6-v2", quantised=False, switch=True)) == (model_id, False)
    assert (await bench.standing("all-MiniLM-L6-v2")).row.switch_when_ready
    assert await world.count("backfill_batches") > 0
    with pytest.raises(ApiError, match="without quantisation"):
        await bench.exchange.prepare("minilm", quantised=True, switch=False)
    await bench.prepare()
    assert not (await bench.standing("all-MiniLM-L6-v2")).row.switch_when_ready
    await bench.worker().run()
    await bench.prepare(switch=True)
    assert (await bench.states())["all-MiniLM-L6-v2"] == "current"
    assert await bench.prepare() == model_id


async def test_an_index_of_nothing_is_ready_at_once(bench: Bench) -> None:
    await bench.prepare(switch=True)
    await bench.worker().run()
    assert await bench.states() == {"shingles": "ready", "all-MiniLM-L6-v2": "current"}


async def test_passages_longer_than_the_model_reads_are_counted(bench: Bench) -> None:
    world = bench.world
    await fill(world, 1)
    other = Counted(world.others["all-MiniLM-L6-v2"])
    other.max_tokens = 3
    world.others[other.name] = other
    await bench.prepare()
    await bench.worker().run()
    assert (await bench.standing(other.name)).progress.cut == await world.count("chunks")
    # And from now on passages are made that both models read.
    asset = await world.recording(await world.collection(), turns(5))
    longest = await world.admin.fetch("SELECT content FROM embedder.chunks WHERE asset_id = $1", asset)
    assert max(len(row["content"].split()) for row in longest) <= 3


async def test_rows_of_an_earlier_version_are_embedded_with_the_names_they_show(bench: Bench) -> None:
    world = bench.world
    await fill(world, 2)
    kept = await world.admin.fetch("SELECT number, names FROM embedder.chunks")
    await world.admin.execute("UPDATE embedder.chunks SET names = NULL")
    model_id = await bench.prepare()
    await bench.worker().run()
    for row in kept:
        await world.admin.execute(
            "UPDATE embedder.chunks SET names = $2 WHERE number = $1", row["number"], row["names"]
        )
    await complete(world, model_id, world.others["all-MiniLM-L6-v2"])


@contextlib.asynccontextmanager
async def worker_process(
    url: str, store_url: str, server: VectorServer, folder: Path
) -> AsyncGenerator[asyncio.subprocess.Process]:
    """The service itself, as a worker; its broker is away."""
    environ = os.environ | {
        "EMBEDDER_DATABASE_URL": url,
        "EMBEDDER_PORT": "0",
        "EMBEDDER_MODEL": "minilm",
        "EMBEDDER_OPENAI_API_KEY": KEY,
        "EMBEDDER_OPENAI_BASE_URL": server.url,
        "EMBEDDER_BACKFILL_LEASE_SECONDS": "2",
        "EARSHOT_OBJECT_STORE_URL": store_url,
        "EARSHOT_RABBITMQ_URL": "amqp://guest:guest@127.0.0.1:9/",
        "EARSHOT_SCRATCH_DIR": str(folder / "scratch"),
        "EARSHOT_MODEL_DIR": str(folder / "models"),
        "EARSHOT_ROLE": "worker",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "embedder.main", env=environ, stdout=asyncio.subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
        await process.wait()


async def test_a_worker_killed_at_work_is_followed_by_one_that_does_the_rest(
    world: World, fresh_database: Databases, store_url: str, tmp_path: Path
) -> None:
    """Counted where the work is done: whatever was answered before the kill is asked for once in all."""
    world.chunk_tokens = 12
    await fill(world, 6)
    chunks = await world.count("chunks")
    async with serving(world.embedder) as server:  # type: ignore[arg-type]
        settings = EmbedderSettings(
            database_url="postgresql://nobody@localhost/none", openai_api_key=KEY, openai_base_url=server.url
        )
        registry = Registry(
            world.db, lambda n: open_model(n, settings) if "openai" in n else world.embedder, world.embedder.name
        )
        exchange = Exchange(world.db, registry, VectorIndexes(world.db, from_rows=10_000, memory_mb=32), batch_chunks=8)
        model_id, _ = await exchange.prepare("openai:turned", quantised=False, switch=True)
        probes = len(server.asked)
        server.turned, server.hold_from = True, probes + 2
        async with worker_process(fresh_database.urls["embedder"], store_url, server, tmp_path) as process:
            await asyncio.wait_for(server.held.wait(), 60)
            process.kill()
            await process.wait()
        done = await world.count(f"embeddings_{model_id}")
        assert 0 < done < chunks
        standing = await exchange.read(model_id)
        assert standing.row.state == "preparing"
        assert 0 < standing.fraction < 1
        held = server.asked[-1]["input"]
        server.hold_from = None
        server.go_on.set()
        async with worker_process(fresh_database.urls["embedder"], store_url, server, tmp_path):
            async with asyncio.timeout(60):
                while (await exchange.read(model_id)).row.state != "current":
                    await asyncio.sleep(0.1)
        rows = await world.admin.fetch("SELECT content, lines::text AS lines, names FROM embedder.chunks")
        wanted = Counter(embedded_text(row["content"], row["lines"], row["names"]) for row in rows)
        assert Counter(text for asked in server.asked[probes:] for text in asked["input"]) == wanted + Counter(held)
        assert await world.count(f"embeddings_{model_id}") == chunks
        await registry.close()
    assert await world.count("embedding_models", "state = 'current' AND name = 'openai:turned'") == 1
