"""Search on a real database: the right passage, the exact second, and never what one may not see."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from embedder import wanted
from embedder.background import Upkeep
from embedder.domain.ranking import Mode
from embedder.queries.legs import Query, find_candidates
from embedder.queries.nearest import Nearest
from embedder.queries.scope import Filters
from embedder.searching import Found

from tests.integration.embedder.world import World

BUDGET = [
    ("Anna", "Good morning everybody, and welcome to this meeting about the office."),
    ("Ben", "The budget for the new website is twelve thousand dollars this year."),
    ("Anna", "Our supplier raised the price of every blue chair by a tenth."),
    ("Ben", "We should order forty of them before the summer holidays begin."),
]
HARBOUR = [
    ("Carla", "The harbour will be dredged in autumn, when the ferries have stopped."),
    ("Dan", "Ships with a deep draught must wait outside for the tide until then."),
    ("Carla", "The pilots were told, and the café on the pier 🙂 closes for two weeks."),
]
MODES: list[Mode] = ["hybrid", "lexical", "semantic", "phrase"]


def texts(found: list[Found]) -> list[str]:
    return [item.passage.content for item in found]


async def test_words_and_meaning_both_find(world: World) -> None:
    world.chunk_tokens = 20
    me = await world.user()
    collection = await world.collection(me)
    await world.recording(collection, BUDGET)
    await world.recording(collection, HARBOUR)
    assert "twelve thousand dollars" in texts((await world.find(me, "website budget", mode="lexical")).found)[0]
    assert "twelve thousand dollars" in texts((await world.find(me, "How much money may we spend?")).found)[0]
    semantic = (await world.find(me, "boats that need deep water", mode="semantic")).found
    assert "deep draught" in semantic[0].passage.content
    assert not (await world.find(me, "boats that need deep water", mode="lexical")).found[1:]


async def test_stems_meet_and_accents_do_not_matter(world: World) -> None:
    me = await world.user()
    await world.recording(await world.collection(me), HARBOUR)
    for query in ("dredging", "CAFE", "pilot", "Carla"):
        assert (await world.find(me, query, mode="lexical")).found, query
    assert not (await world.find(me, "zeppelin", mode="lexical")).found


async def test_a_fresh_recording_is_found_with_sensible_scores_before_and_after_folding(world: World) -> None:
    world.chunk_tokens = 20
    me = await world.user()
    await world.recording(await world.collection(me), BUDGET)
    before = [(item.passage.number, item.ranked.score) for item in (await world.find(me, "blue chair price")).found]
    await Upkeep(world.db, world.embedder, 1).fold_statistics()  # type: ignore[arg-type]
    after = [(item.passage.number, item.ranked.score) for item in (await world.find(me, "blue chair price")).found]
    assert before == after
    assert before[0][1] > before[1][1] > 0


async def test_a_phrase_is_exact_also_with_empty_words_and_across_chunks(world: World) -> None:
    world.chunk_tokens = 20
    me = await world.user()
    await world.recording(await world.collection(me), BUDGET)
    assert len((await world.find(me, "the price of every", mode="phrase")).found) == 1
    assert not (await world.find(me, "price every", mode="phrase")).found
    assert not (await world.find(me, "chair blue", mode="phrase")).found
    across = (await world.find(me, "by a tenth. We should order", mode="phrase")).found
    assert [item.passage.content[-8:] for item in across] == ["a tenth."]


@pytest.mark.parametrize("mode", MODES)
async def test_only_members_find_anything(world: World, mode: Mode) -> None:
    me, other = await world.user(), await world.user()
    mine, theirs = await world.collection(me), await world.collection(other)
    asset = await world.recording(mine, BUDGET)
    await world.recording(theirs, BUDGET)
    results = await world.find(me, "the new website", mode=mode)
    assert {item.passage.asset_id for item in results.found} == {asset}
    assert results.generations == {mine: 1}
    assert not (await world.find(await world.user(), "the new website", mode=mode)).found


@pytest.mark.parametrize("exact_chunks", [10_000, 0])
@pytest.mark.parametrize("mode", MODES)
async def test_a_move_to_a_private_collection_hides_before_any_fact(
    world: World, mode: Mode, exact_chunks: int
) -> None:
    world.exact_chunks = exact_chunks
    me, other = await world.user(), await world.user()
    shared, private = await world.collection(me, other), await world.collection(me)
    asset = await world.recording(shared, BUDGET)
    assert (await world.find(other, "the new website", mode=mode)).found
    await world.move(asset, private)
    assert not (await world.find(other, "the new website", mode=mode)).found
    found = (await world.find(me, "the new website", mode=mode)).found
    assert {item.passage.collection_id for item in found} == {private}


@pytest.mark.parametrize("mode", MODES)
async def test_leaving_a_collection_and_deletion_hide_at_once(world: World, mode: Mode) -> None:
    me, other = await world.user(), await world.user()
    collection = await world.collection(me, other)
    asset = await world.recording(collection, BUDGET)
    await world.admin.execute("DELETE FROM gateway.members WHERE user_id = $1", other)
    assert not (await world.find(other, "the new website", mode=mode)).found
    await world.admin.execute("UPDATE gateway.assets SET deleted_at = now() WHERE id = $1", asset)
    assert not (await world.find(me, "the new website", mode=mode)).found


@pytest.mark.parametrize("exact_chunks", [10_000, 0])
@pytest.mark.parametrize("mode", ["hybrid", "lexical", "semantic"])
async def test_what_is_closed_takes_no_place_from_what_is_open(world: World, mode: Mode, exact_chunks: int) -> None:
    """Not even where everything else is open: the first of one is the best of those that may be read."""
    world.exact_chunks = exact_chunks
    me, other = await world.user(), await world.user()
    collection, private = await world.collection(me), await world.collection(other)
    open_one = await world.recording(collection, [("Ben", "Somebody mentioned a website once, and the price of coal.")])
    best = await world.recording(collection, BUDGET)

    async def first() -> list[UUID]:
        found = (await world.find(me, "the new website", mode=mode, limit=1)).found
        return [item.passage.asset_id for item in found]

    assert await first() == [best]
    await world.move(best, private)
    assert await first() == [open_one]
    await world.move(best, collection)
    assert await first() == [best]
    await world.admin.execute("UPDATE gateway.assets SET deleted_at = now() WHERE id = $1", best)
    assert await first() == [open_one]


@pytest.mark.parametrize("exact_chunks", [10_000, 0])
async def test_filters_narrow_before_the_best_are_taken(world: World, exact_chunks: int) -> None:
    """The one asset in scope is found however many better ones lie outside of it."""
    world.exact_chunks = exact_chunks
    me = await world.user()
    crowd, quiet = await world.collection(me), await world.collection(me)
    for number in range(12):
        await world.recording(crowd, [("Anna", f"penguins penguins penguins in winter, part {number}")] * 40)
    asset = await world.recording(quiet, [("Ben", "Somebody mentioned penguins once, and then the price of coal.")])
    for mode in ("hybrid", "lexical", "semantic"):
        for filters in (Filters(collection_id=quiet), Filters(asset_ids=(asset,)), Filters(speaker="BEN")):
            found = (await world.find(me, "penguins in winter", mode=mode, filters=filters)).found
            assert [item.passage.asset_id for item in found] == [asset], (mode, filters)


async def test_every_filter_narrows(world: World) -> None:
    me = await world.user()
    collection = await world.collection(me)
    march = datetime(2026, 3, 1, tzinfo=UTC)
    early = await world.recording(collection, BUDGET, recorded_at=march, duration_seconds=60)
    late = await world.recording(
        collection, BUDGET, recorded_at=datetime(2026, 9, 1, tzinfo=UTC), language="de-DE", duration_seconds=600
    )
    plain = await world.recording(collection, BUDGET, duration_seconds=300)

    async def found(**filters: object) -> set[object]:
        results = await world.find(me, "website budget", filters=Filters(**filters))  # type: ignore[arg-type]
        return {item.passage.asset_id for item in results.found}

    assert await found() == {early, late, plain}
    assert await found(kinds=("recording",)) == {early, late, plain}
    assert await found(kinds=("document",)) == set()
    assert await found(recorded_after=datetime(2026, 6, 1, tzinfo=UTC)) == {late}
    assert await found(recorded_before=datetime(2026, 6, 1, tzinfo=UTC)) == {early}
    assert await found(recorded_after=march) == {early, late}
    assert await found(min_duration_seconds=200, max_duration_seconds=400) == {plain}
    assert await found(language="de") == {late}
    assert await found(asset_ids=(early, plain)) == {early, plain}
    assert await found(asset_ids=()) == set()
    assert await found(speaker="anna") == {early, late, plain}
    assert await found(speaker="Carla") == set()


async def test_the_index_and_the_exact_scan_agree(world: World) -> None:
    me = await world.user()
    collection = await world.collection(me)
    world.chunk_tokens = 20
    for number in range(10):
        await world.recording(collection, [(name, f"{text} Round {number}.") for name, text in BUDGET + HARBOUR])
    world.exact_chunks = 10_000
    exact = [item.passage.number for item in (await world.find(me, "ships in deep water", mode="semantic")).found]
    world.exact_chunks = 0
    await world.admin.execute("ANALYZE")
    indexed = [item.passage.number for item in (await world.find(me, "ships in deep water", mode="semantic")).found]
    assert len(exact) == 20
    assert len(set(exact) & set(indexed)) >= 18


async def test_pages_follow_each_other_and_say_when_they_end(world: World) -> None:
    world.chunk_tokens = 20
    me = await world.user()
    collection = await world.collection(me)
    for _ in range(3):
        await world.recording(collection, BUDGET)
    whole = await world.find(me, "budget for the website", limit=100)
    assert not whole.has_more
    paged: list[int] = []
    for offset in range(0, len(whole.found), 5):
        page = await world.find(me, "budget for the website", limit=5, offset=offset)
        assert page.has_more == (offset + 5 < len(whole.found))
        paged += [item.passage.number for item in page.found]
    assert paged == [item.passage.number for item in whole.found]


async def test_pages_go_on_beyond_what_got_a_place_at_first(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wanted, "LEAST_KEPT", 1)
    world.chunk_tokens = 20
    me = await world.user()
    collection = await world.collection(me)
    for _ in range(3):
        await world.recording(collection, BUDGET)
    chunks = await world.count("chunks")
    seen: list[int] = []
    more = True
    while more:
        page = await world.find(me, "budget for the website", limit=2, offset=len(seen), paged=True)
        seen += [item.passage.number for item in page.found]
        more = page.has_more
    assert len(seen) == len(set(seen)) == chunks > 10


async def test_neighbours_of_the_most_promising_get_a_place_unless_somebody_else_may_speak_there(world: World) -> None:
    world.chunk_tokens = 20
    me = await world.user()
    await world.recording(await world.collection(me), BUDGET)
    meant = Nearest(1, (await world.embedder.embed(["website budget"]))[0])
    query = Query(None, meant, limit=200, kept=1, few=1000, neighboured=1)
    async with world.db.acquire() as conn:
        anybody = await find_candidates(conn, me, Filters(), query)
        ben = await find_candidates(conn, me, Filters(speaker="Ben"), query)
    places = {chunk.number: chunk.chunk_index for chunk in anybody.chunks}
    assert {places[number] for number in anybody.numbers} == {0, 1, 2}
    assert all(chunk.semantic is not None for chunk in anybody.chunks)
    assert {places[number] for number in anybody.around} == {1}
    assert not anybody.complete
    assert {places[number] for number in ben.numbers} == {1}
    assert len(ben.chunks) == 3


async def test_grouping_and_sorting(world: World) -> None:
    world.chunk_tokens = 20
    me = await world.user()
    collection = await world.collection(me)
    first = await world.recording(collection, BUDGET)
    second = await world.recording(collection, HARBOUR + BUDGET)
    await world.hear_update(first, collection, "Zebra", 2)
    await world.hear_update(second, collection, "apple", 2)
    grouped = (await world.find(me, "website budget", one_per_asset=True)).found
    assert sorted(item.passage.asset_id for item in grouped) == sorted([first, second])
    assert all("website" in item.passage.content for item in grouped)
    by_title = await world.find(me, "website", sort_by="title", descending=False, one_per_asset=True)
    assert [item.passage.title for item in by_title.found] == ["apple", "Zebra"]
    by_date = await world.find(me, "website", sort_by="date", one_per_asset=True)
    assert [item.passage.asset_id for item in by_date.found] == [second, first]


async def test_odd_queries_find_nothing_and_break_nothing(world: World) -> None:
    me = await world.user()
    await world.recording(await world.collection(me), BUDGET)
    for query in ("🙂", "'", "\\", "a:b & !c | (d)", "%", "the of and", "x" * 900, "<->", "\u0000budget"):
        for mode in MODES:
            await world.find(me, query, mode=mode)
    assert not (await world.find(me, "🙂", mode="phrase")).found


async def test_languages_are_stemmed_each_in_its_own_way(world: World) -> None:
    me = await world.user()
    collection = await world.collection(me)
    german = await world.recording(collection, [("", "Die Häuser am Hafen werden im Herbst verkauft.")], language="de")
    await world.recording(collection, BUDGET)
    found = (await world.find(me, "Haus verkaufen", mode="lexical")).found
    assert {item.passage.asset_id for item in found} == {german}
