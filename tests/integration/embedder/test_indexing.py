"""Indexing: nothing twice, nothing older, nothing left behind, on a real database."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from uuid import UUID

import pytest
from common.errors import AlreadyHandled, CannotProcess, Stale, TryAgain
from common.events import AssetIndexed, ProcessingCancelled, ProcessingRestarted
from common.ids import uuid7
from common.lifecycle import cancel
from embedder.background import Upkeep
from embedder.providers.embedder import Vectors
from embedder.queries import terms

from tests.integration.embedder.world import World, transcript_of

TURNS = [
    ("Anna", "Good morning. The budget for the new website is twelve thousand dollars."),
    ("Ben", "I will write the report about the harbour by Friday, and send it to everybody."),
    ("Anna", "The board meets on the third of March. We must order the blue chairs before that."),
    ("Ben", "Nobody has found a caterer yet; I have asked three of them for their prices."),
]
OTHER = [
    ("Anna", "We now talk about penguins and their long winter."),
    ("Ben", "Penguins stand together against the wind."),
]


async def said(world: World) -> list[AssetIndexed]:
    rows = await world.admin.fetch("SELECT body FROM embedder.outbox ORDER BY seq")
    return [AssetIndexed.model_validate_json(row["body"]) for row in rows]


async def everything(world: World) -> dict[str, int]:
    tables = ("chunks", "postings", "embeddings_1", "indexed_assets", "asset_states")
    return {table: await world.count(table) for table in tables}


async def frequencies(world: World) -> dict[str, int]:
    """What the statistics say, with what is not folded in yet."""
    async with world.db.acquire() as conn:
        words = [row["term"] for row in await conn.fetch("SELECT term FROM terms")]
        return {found.term: found.df for found in await terms.find_terms(conn, words)}


async def counted(world: World) -> dict[str, int]:
    """What the postings say."""
    rows = await world.admin.fetch(
        "SELECT t.term, count(*) AS df FROM embedder.postings p JOIN embedder.terms t ON t.id = p.term_id GROUP BY 1"
    )
    return {row["term"]: row["df"] for row in rows}


async def test_a_transcript_becomes_chunks_postings_and_vectors(world: World) -> None:
    me = await world.user()
    collection = await world.collection(me)
    asset = await world.recording(collection, TURNS)
    chunks = await world.admin.fetch("SELECT * FROM embedder.chunks ORDER BY chunk_index")
    assert len(chunks) > 1
    assert " ".join(chunk["content"] for chunk in chunks) == " ".join(text for _, text in TURNS)
    assert await world.count("embeddings_1") == len(chunks)
    assert {row["asset_id"] for row in chunks} == {asset}
    facts = await said(world)
    assert [(fact.asset_id, fact.revision, fact.chunk_count, fact.generation) for fact in facts] == [
        (asset, 1, len(chunks), 1)
    ]
    assert facts[0].model == "all-MiniLM-L6-v2"


async def test_the_same_message_twice_indexes_once(world: World) -> None:
    asset = await world.asset(await world.collection())
    fact = await world.completed(transcript_of(TURNS, asset_id=asset))
    message_id = uuid7()
    await world.handlers.index_transcript(fact, world.delivery(fact, message_id))
    before = await everything(world)
    with pytest.raises((AlreadyHandled, Stale)):
        await world.handlers.index_transcript(fact, world.delivery(fact, message_id))
    assert await everything(world) == before
    assert len(await said(world)) == 1


async def test_two_workers_with_one_message_index_once(world: World) -> None:
    asset = await world.asset(await world.collection())
    fact = await world.completed(transcript_of(TURNS, asset_id=asset))
    message_id = uuid7()
    results = await asyncio.gather(
        *(world.handlers.index_transcript(fact, world.delivery(fact, message_id)) for _ in range(3)),
        return_exceptions=True,
    )
    assert sum(result is None for result in results) == 1
    assert all(result is None or isinstance(result, (AlreadyHandled, Stale)) for result in results)
    assert len(await said(world)) == 1
    assert await world.count("chunks") == await world.count("embeddings_1")
    assert await frequencies(world) == await counted(world)


async def test_a_newer_revision_replaces_the_older_wholly(world: World) -> None:
    me = await world.user()
    collection = await world.collection(me)
    asset = await world.recording(collection, TURNS)
    await world.index(transcript_of(OTHER, asset_id=asset, revision=2))
    text = [row["content"] for row in await world.admin.fetch("SELECT content FROM embedder.chunks")]
    assert " ".join(text) == " ".join(turn for _, turn in OTHER)
    assert await world.count("embeddings_1") == await world.count("chunks")
    assert await frequencies(world) == await counted(world)
    assert [fact.generation for fact in await said(world)] == [1, 2]
    assert not (await world.find(me, "budget website", mode="lexical")).found


async def test_an_older_revision_is_ignored(world: World) -> None:
    asset = await world.asset(await world.collection())
    await world.index(transcript_of(OTHER, asset_id=asset, revision=3))
    before = await everything(world)
    for revision in (2, 3):
        with pytest.raises(Stale):
            await world.index(transcript_of(TURNS, asset_id=asset, revision=revision))
    assert await everything(world) == before
    assert await world.count("chunks", "content LIKE '%budget%'") == 0


async def test_an_older_run_is_ignored_whatever_its_revision(world: World) -> None:
    asset = await world.asset(await world.collection())
    await world.index(transcript_of(OTHER, asset_id=asset, revision=1), run=2)
    with pytest.raises(Stale):
        await world.index(transcript_of(TURNS, asset_id=asset, revision=5), run=1)
    assert await world.count("chunks", "content LIKE '%budget%'") == 0


async def test_two_revisions_at_once_leave_the_newer(world: World) -> None:
    asset = await world.asset(await world.collection())
    facts = [
        await world.completed(transcript_of(turns, asset_id=asset, revision=revision))
        for revision, turns in ((1, TURNS), (2, OTHER))
    ]
    await asyncio.gather(
        *(world.handlers.index_transcript(fact, world.delivery(fact)) for fact in facts), return_exceptions=True
    )
    text = [row["content"] for row in await world.admin.fetch("SELECT content FROM embedder.chunks")]
    assert " ".join(text) == " ".join(turn for _, turn in OTHER)
    assert await frequencies(world) == await counted(world)


async def test_deletion_removes_everything_and_late_workers_write_nothing(world: World) -> None:
    me = await world.user()
    collection = await world.collection(me)
    asset = await world.recording(collection, TURNS)
    kept = await world.recording(collection, OTHER)
    late = await world.completed(transcript_of(TURNS, asset_id=asset, revision=2))
    await world.hear_deletion(asset)
    with pytest.raises(Stale):
        await world.handlers.index_transcript(late, world.delivery(late))
    await Upkeep(world.db, world.embedder, 1).fold_statistics()  # type: ignore[arg-type]
    assert await traces(world, asset) == {"asset_states": 1}
    numbers = {row["number"] for row in await world.admin.fetch("SELECT number FROM embedder.chunks")}
    assert numbers
    for table in ("postings", "embeddings_1"):
        rows = await world.admin.fetch(f"SELECT DISTINCT chunk_number FROM embedder.{table}")
        assert {row["chunk_number"] for row in rows} == numbers
    assert await world.count("terms", "term = 'budget'") == 0
    assert await world.count("terms", "term = 'penguin'") == 1
    assert {found.passage.asset_id for found in (await world.find(me, "penguins in winter")).found} == {kept}


async def traces(world: World, asset: UUID) -> dict[str, int]:
    """Rows that name the asset in any table of the schema, the messages it caused aside."""
    tables = await world.admin.fetch(
        "SELECT table_name, column_name FROM information_schema.columns "
        "WHERE table_schema = 'embedder' AND data_type = 'uuid'"
    )
    counts: Counter[str] = Counter()
    for row in tables:
        counts[row["table_name"]] += await world.count(row["table_name"], f"{row['column_name']} = $1", asset)
    return {table: count for table, count in counts.items() if count}


async def test_deletion_during_indexing_leaves_nothing(world: World) -> None:
    asset = await world.asset(await world.collection())
    fact = await world.completed(transcript_of(TURNS * 20, asset_id=asset))
    work = asyncio.create_task(world.handlers.index_transcript(fact, world.delivery(fact)))
    while not await world.count("indexed_assets"):
        await asyncio.sleep(0.01)
    await world.hear_deletion(asset)
    with pytest.raises(Stale):
        await work
    assert await traces(world, asset) == {"asset_states": 1}


async def test_a_restart_from_the_index_uses_the_transcript_heard_last(world: World) -> None:
    me = await world.user()
    collection = await world.collection(me)
    asset = await world.recording(collection, TURNS)
    fact = ProcessingRestarted(asset_id=asset, run=2, collection_id=collection, from_stage="index")
    before = await everything(world)
    await world.handlers.index_again(fact, world.delivery(fact))
    assert await everything(world) == before
    assert [(said.run, said.revision, said.generation) for said in await said(world)] == [(1, 1, 1), (2, 1, 2)]
    assert await frequencies(world) == await counted(world)


async def test_a_restart_takes_up_a_transcript_that_a_cancelled_run_left(world: World) -> None:
    asset = await world.asset(await world.collection())
    fact = await world.completed(transcript_of(TURNS, asset_id=asset))
    off = ProcessingCancelled(asset_id=asset, run=1, collection_id=fact.collection_id)
    await cancel()(off, world.delivery(off))
    with pytest.raises(Stale):
        await world.handlers.index_transcript(fact, world.delivery(fact))
    assert await world.count("chunks") == 0
    again = ProcessingRestarted(asset_id=asset, run=2, collection_id=fact.collection_id, from_stage="index")
    await world.handlers.index_again(again, world.delivery(again))
    assert await world.count("chunks") > 0


async def test_a_transcript_that_its_restart_overtook_is_indexed_in_its_place(world: World) -> None:
    """Run 2 was called off just as its transcript was complete; run 3 begins with indexing, and is heard of first."""
    collection = await world.collection()
    asset = await world.recording(collection, TURNS)
    again = ProcessingRestarted(asset_id=asset, run=3, collection_id=collection, from_stage="index")
    await world.handlers.index_again(again, world.delivery(again))
    late = await world.completed(transcript_of(OTHER, asset_id=asset, revision=2), run=2)
    delivery = world.delivery(late)
    await world.handlers.index_transcript(late, delivery)
    with pytest.raises((AlreadyHandled, Stale)):
        await world.handlers.index_transcript(late, delivery)
    assert [(fact.run, fact.revision) for fact in await said(world)] == [(1, 1), (3, 1), (3, 2)]
    text = [row["content"] for row in await world.admin.fetch("SELECT content FROM embedder.chunks")]
    assert " ".join(text) == " ".join(turn for _, turn in OTHER)
    assert await frequencies(world) == await counted(world)


async def test_a_transcript_of_a_run_that_others_transcribe_again_is_not_indexed(world: World) -> None:
    collection = await world.collection()
    asset = await world.recording(collection, TURNS)
    again = ProcessingRestarted(asset_id=asset, run=3, collection_id=collection, from_stage="transcribe")
    await world.handlers.index_again(again, world.delivery(again))
    with pytest.raises(Stale):
        await world.index(transcript_of(OTHER, asset_id=asset, revision=2), run=2)
    assert len(await said(world)) == 1


async def test_a_transcript_heard_of_while_a_restart_indexes_the_one_before(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection = await world.collection()
    asset = await world.recording(collection, TURNS)
    late = await world.completed(transcript_of(OTHER, asset_id=asset, revision=2), run=2)
    again = ProcessingRestarted(asset_id=asset, run=3, collection_id=collection, from_stage="index")
    embed = world.embedder.embed

    async def meanwhile(texts: Sequence[str]) -> Vectors:
        monkeypatch.undo()
        with pytest.raises(Stale):
            await world.handlers.index_transcript(late, world.delivery(late))
        return await embed(texts)

    monkeypatch.setattr(world.embedder, "embed", meanwhile)
    with pytest.raises(TryAgain, match="revision 2 was heard of meanwhile"):
        await world.handlers.index_again(again, world.delivery(again))
    await world.handlers.index_again(again, world.delivery(again))
    assert [(fact.run, fact.revision) for fact in await said(world)] == [(1, 1), (3, 2)]
    assert await world.count("chunks", "content LIKE '%Penguins%'") > 0


async def test_a_restart_from_an_earlier_stage_only_raises_the_run(world: World) -> None:
    collection = await world.collection()
    asset = await world.recording(collection, TURNS)
    fact = ProcessingRestarted(asset_id=asset, run=2, collection_id=collection, from_stage="transcribe")
    await world.handlers.index_again(fact, world.delivery(fact))
    assert await world.admin.fetchval("SELECT run FROM embedder.asset_states WHERE asset_id = $1", asset) == 2
    assert len(await said(world)) == 1


async def test_a_restart_without_a_transcript_is_tried_again_and_then_said(world: World) -> None:
    collection = await world.collection()
    fact = ProcessingRestarted(
        asset_id=await world.asset(collection), run=2, collection_id=collection, from_stage="index"
    )
    with pytest.raises(TryAgain) as raised:
        await world.handlers.index_again(fact, world.delivery(fact))
    assert raised.value.category == "not_found"
    assert "transcribe" in raised.value.advice


async def test_a_restart_without_a_transcript_ends_when_nobody_wants_it_any_more(world: World) -> None:
    collection = await world.collection()
    asset = await world.asset(collection)
    second, third = (
        ProcessingRestarted(asset_id=asset, run=run, collection_id=collection, from_stage="index") for run in (2, 3)
    )
    with pytest.raises(TryAgain):
        await world.handlers.index_again(third, world.delivery(third))
    with pytest.raises(Stale):
        await world.handlers.index_again(second, world.delivery(second))
    off = ProcessingCancelled(asset_id=asset, run=3, collection_id=collection)
    await cancel()(off, world.delivery(off))
    with pytest.raises(Stale):
        await world.handlers.index_again(third, world.delivery(third))


async def test_silence_is_indexed_as_nothing(world: World) -> None:
    asset = await world.asset(await world.collection())
    await world.index(transcript_of([], asset_id=asset))
    assert [fact.chunk_count for fact in await said(world)] == [0]
    assert await world.count("chunks") == 0


async def test_a_transcript_of_nothing_but_noise_words_is_kept(world: World) -> None:
    me = await world.user()
    collection = await world.collection(me)
    await world.recording(collection, [("", "the of and \0 so it was")])
    assert await world.count("postings") == 0
    assert (await world.find(me, "so it was", mode="phrase")).found
    assert (await world.find(me, "so it was")).found


async def test_damaged_transcripts_are_named(world: World) -> None:
    asset = await world.asset(await world.collection())
    whole = transcript_of(TURNS, asset_id=asset)
    wrong = await world.completed(whole, transcript_sha256="0" * 64)
    await world.store.put_bytes("transcript/broken.json", b"{}")
    broken = await world.completed(
        whole,
        transcript_uri="transcript/broken.json",
        transcript_sha256="44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
    )
    for fact in (wrong, broken):
        with pytest.raises(CannotProcess) as raised:
            await world.handlers.index_transcript(fact, world.delivery(fact))
        assert raised.value.category == "damaged"
    missing = await world.completed(whole, transcript_uri="transcript/missing.json")
    with pytest.raises(TryAgain):
        await world.handlers.index_transcript(missing, world.delivery(missing))
    assert await world.count("chunks") == 0


async def test_a_move_raises_both_generations_and_an_older_edit_changes_nothing(world: World) -> None:
    me = await world.user()
    first, second = await world.collection(me), await world.collection(me)
    asset = await world.recording(first, TURNS)
    await world.move(asset, second)
    await world.hear_update(asset, second, "Harbour", version=3)
    with pytest.raises(Stale):
        await world.hear_update(asset, first, "Old title", version=2)
    results = await world.find(me, "budget")
    assert {(found.passage.title, found.passage.collection_id) for found in results.found} == {("Harbour", second)}
    assert results.generations == {first: 2, second: 1}


async def test_a_title_given_before_indexing_survives_it_and_cancelling(world: World) -> None:
    me = await world.user()
    collection = await world.collection(me)
    asset = await world.asset(collection)
    off = ProcessingCancelled(asset_id=asset, run=1, collection_id=collection)
    await cancel()(off, world.delivery(off))
    await world.hear_update(asset, collection, "Given by a person", version=2)
    await world.index(transcript_of(TURNS, asset_id=asset), run=2)
    assert {found.passage.title for found in (await world.find(me, "budget")).found} == {"Given by a person"}


async def test_a_newer_transcript_brings_its_title_unless_a_person_gave_one(world: World) -> None:
    me = await world.user()
    collection = await world.collection(me)
    asset = await world.recording(collection, TURNS, title="meeting.mp3")
    await world.index(transcript_of(TURNS, asset_id=asset, revision=2), title="Board meeting")
    assert {found.passage.title for found in (await world.find(me, "budget")).found} == {"Board meeting"}


async def test_many_index_and_delete_at_once_without_deadlock(world: World) -> None:
    """The same and new words from all sides, in other orders, while statistics are folded."""
    me = await world.user()
    collection = await world.collection(me)
    upkeep = Upkeep(world.db, world.embedder, 1)  # type: ignore[arg-type]

    assets = [await world.asset(collection) for _ in range(12)]

    async def come_and_go(number: int) -> None:
        spoken = TURNS if number % 2 else TURNS[::-1]
        turns = [(name, f"{text} Item{number} word{number % 3}.") for name, text in spoken]
        await world.index(transcript_of(turns, asset_id=assets[number]))
        await world.index(transcript_of(turns[:2], asset_id=assets[number], revision=2))
        if number % 3 == 0:
            await world.hear_deletion(assets[number])

    async def fold() -> None:
        while True:
            await upkeep.fold_statistics()

    folding = asyncio.create_task(fold())
    try:
        await asyncio.gather(*(come_and_go(number) for number in range(12)))
    finally:
        folding.cancel()
        await asyncio.gather(folding, return_exceptions=True)
    # The server may still be rolling back the fold that was cut off, which keeps others from folding.
    while await world.count("term_deltas") or await world.count("corpus_deltas"):
        await upkeep.fold_statistics()
        await asyncio.sleep(0.05)
    assert await frequencies(world) == await counted(world)
    totals = await world.admin.fetchrow("SELECT chunks, length FROM embedder.corpus")
    assert tuple(totals) == tuple(
        await world.admin.fetchrow(
            "SELECT count(*), sum(len) FROM (SELECT DISTINCT chunk_number, len FROM embedder.postings) AS c"
        )
    )
    assert await world.count("term_deltas") == await world.count("corpus_deltas") == 0
    assert await world.count("indexed_assets") == 8
    assert max(fact.generation for fact in await said_by_index(world)) <= 28


async def said_by_index(world: World) -> list[AssetIndexed]:
    rows = await world.admin.fetch("SELECT body FROM embedder.outbox WHERE routing_key = 'asset.indexed.v1'")
    return [AssetIndexed.model_validate_json(row["body"]) for row in rows]
