"""Quoted parts, words that say nothing, scripts without spaces, compounds: exact to the word and the second."""

import pytest
from embedder.domain.ranking import Mode
from embedder.queries.scope import Filters

from tests.integration.embedder.world import World

TALK = [
    ("Anna", "The budget for the website is twelve thousand dollars, not a dollar more."),
    ("Ben", "To be or not to be, that is the question that nobody asked."),
    ("Carla", "A thousand chairs cost twelve dollars each, and the website shows them."),
]
COUNTED: list[Mode] = ["hybrid", "lexical", "semantic"]


async def contents(world: World, user: object, query: str, mode: Mode = "hybrid", **wanted: object) -> list[str]:
    found = (await world.find(user, query, mode=mode, **wanted)).found  # type: ignore[arg-type]
    return [item.passage.content for item in found]


@pytest.mark.parametrize("mode", COUNTED)
async def test_a_quoted_part_must_be_met_word_by_word(world: World, mode: Mode) -> None:
    world.chunk_tokens = 22
    me = await world.user()
    await world.recording(await world.collection(me), TALK)
    found = await contents(world, me, '"twelve thousand dollars" website', mode)
    assert len(found) == 1
    assert found[0].startswith("The budget")
    assert not await contents(world, me, '"dollars twelve" website', mode)
    assert len(await contents(world, me, '"the website" "twelve dollars"', mode)) == 1
    assert not await contents(world, me, '"the website" "not to be"', mode)


async def test_filters_and_permission_hold_for_quoted_parts(world: World) -> None:
    me, other = await world.user(), await world.user()
    collection = await world.collection(me)
    await world.recording(collection, TALK)
    asset = await world.recording(await world.collection(me), TALK)
    found = (await world.find(me, '"not to be"', filters=Filters(asset_ids=(asset,)))).found
    assert {item.passage.asset_id for item in found} == {asset}
    assert not await contents(world, other, '"not to be"')
    assert not await contents(world, me, '"not to be"', filters=Filters(speaker="nobody"))


@pytest.mark.parametrize("mode", ["hybrid", "lexical", "phrase"])
async def test_words_that_say_nothing_are_found_when_alone(world: World, mode: Mode) -> None:
    world.chunk_tokens = 22
    me = await world.user()
    await world.recording(await world.collection(me), TALK)
    found = await contents(world, me, "to be or not to be", mode)
    assert found
    assert found[0].startswith("To be or not")
    assert len(found) == 1


async def test_words_that_say_nothing_and_were_never_said_so_are_left_to_meaning(world: World) -> None:
    me = await world.user()
    await world.recording(await world.collection(me), TALK)
    assert not await contents(world, me, "of the of", "lexical")
    assert await contents(world, me, "of the of", "hybrid")


async def test_japanese_is_found_by_pairs_of_characters(world: World) -> None:
    me = await world.user()
    collection = await world.collection(me)
    tokyo = await world.recording(collection, [("", "東京都は大きい です")], language="ja")
    kyoto = await world.recording(collection, [("", "京都は古い です")], language="ja")
    east = await world.recording(collection, [("", "東の京 です")], language="ja")

    async def assets(query: str, mode: Mode = "lexical") -> set[object]:
        return {item.passage.asset_id for item in (await world.find(me, query, mode=mode)).found}

    assert await assets("東京") == {tokyo}
    assert await assets("京") == {tokyo, kyoto, east}
    assert await assets("京都") == {tokyo, kyoto}
    assert await assets("古い", "phrase") == {kyoto}


@pytest.mark.parametrize(
    ("said", "query"),
    [
        ("We write e-mails to the office.", "email"),
        ("We write emails to the office.", "e-mail"),
        ("The bill was 12,500 dollars.", "12500"),
        ("The board’s decision stands.", "board's decision"),
        ("Der Straßenbau am Café", "strassenbau cafe"),
        ("COVID-19 came back.", "covid19"),
        ("C'est l'eau de la rivière.", "rivieres"),
    ],
)
async def test_numbers_hyphens_apostrophes_and_accents_meet(world: World, said: str, query: str) -> None:
    me = await world.user()
    code = "fr" if "rivi" in said else "de" if "Stra" in said else "en"
    await world.recording(await world.collection(me), [("A", said)], language=code)
    assert await contents(world, me, query, "lexical") == [said]
