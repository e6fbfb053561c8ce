"""Titles and addresses as a leg of their own."""

from uuid import UUID

from embedder.queries.scope import Filters

from tests.integration.embedder.world import World

TALK = [("Anna", "We looked at chairs, and somebody asked for the budget of the garden.")]


async def first(world: World, user: UUID, query: str, **wanted: object) -> UUID | None:
    found = (await world.find(user, query, **wanted)).found  # type: ignore[arg-type]
    return found[0].passage.asset_id if found else None


async def test_a_title_finds_its_recording_though_nobody_said_its_words(world: World) -> None:
    me = await world.user()
    collection = await world.collection(me)
    for number in range(3):
        await world.recording(collection, TALK, title=f"Talk {number}")
    named = await world.recording(collection, TALK, title="Quarterly Résumé of Zürich")
    for query in (
        "quarterly resume",
        "Zürich quarterly",
        "quaterly zurich",
        "what came of the quarterly resume of zurich",
    ):
        assert await first(world, me, query) == named, query
        assert await first(world, me, query, mode="lexical") == named, query
    found = (await world.find(me, "quarterly resume", mode="lexical")).found
    assert [(item.passage.chunk_index if hasattr(item.passage, "chunk_index") else 0) for item in found] == [0]
    assert found[0].ranked.chunk.title == 1.0


async def test_a_title_that_changes_is_found_under_its_new_words(world: World) -> None:
    me = await world.user()
    collection = await world.collection(me)
    asset = await world.recording(collection, TALK, title="Old words")
    await world.hear_update(asset, collection, "Lighthouse keepers", 2)
    assert await first(world, me, "lighthouse keepers", mode="lexical") == asset
    assert await first(world, me, "old words", mode="lexical") is None


async def test_an_address_finds_what_was_fetched_from_it(world: World) -> None:
    me = await world.user()
    collection = await world.collection(me)
    await world.recording(collection, TALK)
    asset = await world.recording(collection, TALK)
    await world.admin.execute(
        "UPDATE gateway.assets SET source = jsonb_build_object('type', 'url', 'url', $2::text) WHERE id = $1",
        asset,
        "https://www.example.org/Talks/7?lang=en",
    )
    for query in ("https://www.example.org/talks/7", "example.org/Talks/7?lang=en", "example.org"):
        assert await first(world, me, query) == asset, query
    assert await first(world, me, "example.net/talks", mode="lexical") is None


async def test_filters_and_permission_hold_for_titles(world: World) -> None:
    me, other = await world.user(), await world.user()
    collection = await world.collection(me)
    asset = await world.recording(collection, TALK, title="Lighthouse keepers")
    another = await world.collection(me)
    assert await first(world, me, "lighthouse", mode="lexical") == asset
    assert await first(world, other, "lighthouse", mode="lexical") is None
    assert await first(world, me, "lighthouse", mode="lexical", filters=Filters(collection_id=another)) is None
    assert await first(world, me, "lighthouse", mode="lexical", filters=Filters(speaker="Ben")) is None
    assert await first(world, me, "lighthouse", mode="lexical", filters=Filters(speaker="anna")) == asset
