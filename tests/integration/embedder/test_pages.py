"""Pages of one search follow each other whatever is indexed or deleted between them."""

from uuid import UUID

import pytest
from embedder.background import Upkeep
from embedder.domain.ranking import Mode
from embedder.queries.results import KEPT_SECONDS

from tests.integration.embedder.world import World

TALK = [("Anna", f"Part {number}: the budget of the website was named once more.") for number in range(12)]


async def page(world: World, user: UUID, offset: int, limit: int = 5, **wanted: object) -> list[int]:
    results = await world.find(user, "website budget", offset=offset, limit=limit, paged=True, **wanted)
    return [item.passage.number for item in results.found]


@pytest.mark.parametrize("mode", ["hybrid", "lexical", "phrase"])
async def test_pages_stay_in_order_while_more_is_indexed(world: World, mode: Mode) -> None:
    world.chunk_tokens = 20
    me = await world.user()
    collection = await world.collection(me)
    await world.recording(collection, TALK)
    query = "the budget" if mode == "phrase" else "website budget"

    async def numbers(offset: int, limit: int) -> list[int]:
        results = await world.find(me, query, mode=mode, offset=offset, limit=limit, paged=True)
        return [item.passage.number for item in results.found]

    whole = await numbers(0, 100)
    pages = await numbers(0, 5)
    await world.recording(collection, [("Ben", "website budget website budget the budget the budget")] * 3)
    pages += await numbers(5, 5) + await numbers(10, 100)
    assert pages == whole
    assert len(await numbers(0, 100)) > len(whole), "a first page is always looked for anew"


async def test_what_was_deleted_or_moved_meanwhile_is_gone_from_later_pages(world: World) -> None:
    world.chunk_tokens = 20
    me, other = await world.user(), await world.user()
    shared, private = await world.collection(me, other), await world.collection(me)
    for _ in range(2):
        await world.recording(shared, TALK)
    asset = await world.recording(shared, TALK)
    await page(world, other, 0)
    await world.move(asset, private)
    later = await page(world, other, 5, limit=100)
    assert later
    assert await world.count("chunks", "number = ANY($1) AND asset_id = $2", later, asset) == 0


async def test_every_search_and_every_user_has_pages_of_their_own(world: World) -> None:
    world.chunk_tokens = 20
    me, other = await world.user(), await world.user()
    collection = await world.collection(me, other)
    await world.recording(collection, TALK)
    await page(world, me, 0)
    await page(world, me, 0, mode="lexical")
    await page(world, other, 0)
    assert await world.count("result_lists") == 3
    await page(world, me, 0)
    assert await world.count("result_lists") == 3
    await world.find(me, "website budget", limit=5)
    assert await world.count("result_lists") == 3, "only what is paged is kept"


async def test_lists_are_forgotten_in_time_and_then_made_anew(world: World) -> None:
    world.chunk_tokens = 20
    me = await world.user()
    collection = await world.collection(me)
    await world.recording(collection, TALK)
    first = await page(world, me, 0)
    upkeep = Upkeep(world.db, world.embedder, 1)  # type: ignore[arg-type]
    await upkeep.forget_results()
    assert await world.count("result_lists") == 1
    await world.admin.execute(
        "UPDATE embedder.result_lists SET made_at = now() - make_interval(secs => $1)", KEPT_SECONDS + 1.0
    )
    second = await page(world, me, 5)
    assert not set(first) & set(second)
    await world.admin.execute(
        "UPDATE embedder.result_lists SET made_at = now() - make_interval(secs => $1)", KEPT_SECONDS + 1.0
    )
    await upkeep.forget_results()
    assert await world.count("result_lists") == 0


async def test_a_page_beyond_what_was_kept_goes_on_without_repeating(world: World) -> None:
    world.chunk_tokens = 20
    me = await world.user()
    collection = await world.collection(me)
    for _ in range(3):
        await world.recording(collection, TALK)
    first = await page(world, me, 0, limit=5)
    # As if the first page had looked no further than this.
    await world.admin.execute(
        "UPDATE embedder.result_lists SET complete = false, "
        "items = (SELECT json_agg(i.item) FROM json_array_elements(items) WITH ORDINALITY AS i (item, n) WHERE n <= 7)"
    )
    await world.recording(collection, [("Ben", "website budget website budget website budget")])
    second = await page(world, me, 5, limit=5)
    third = await page(world, me, 10, limit=100)
    shown = [*first, *second, *third]
    assert len(shown) == len(set(shown)) == await world.count("chunks")
    grouped = await page(world, me, 0, limit=1, one_per_asset=True)
    await world.admin.execute("UPDATE embedder.result_lists SET complete = false")
    grouped += await page(world, me, 1, limit=10, one_per_asset=True)
    assert len(grouped) == len(set(grouped)) == 4


async def test_what_is_kept_holds_no_words(world: World) -> None:
    world.chunk_tokens = 20
    me = await world.user()
    await world.recording(await world.collection(me), TALK)
    await page(world, me, 0)
    kept = await world.admin.fetchval("SELECT items::text FROM embedder.result_lists")
    assert "budget" not in kept.lower()
