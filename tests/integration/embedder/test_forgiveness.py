"""Misspelt and misheard words on a real database: found all the same, below what is spelt as asked, and never with
words that the asker may not read."""

import pytest
from embedder.domain.near import Spelling
from embedder.domain.ranking import Mode
from embedder.queries.scope import Filters
from embedder.searching import Results

from tests.integration.embedder.world import World

TALK = [
    ("Anna", "The harbour will be dredged in autumn, when the ferries have stopped."),
    ("Ben", "Kubernetes runs our containers, and the discussion about it was long."),
    ("Carla", "Our supplier raised the price of every blue chair by a tenth."),
]


def heard(results: Results) -> set[tuple[str, str]]:
    return {(near.word, near.surface) for near in results.spelling.near}


@pytest.mark.parametrize(
    ("query", "suggestion"),
    [
        ("habour", "harbour"),
        ("harbuor", "harbour"),
        ("kubernetis", "Kubernetes"),
        ("kubernetse", "Kubernetes"),
        ("discussoin", "discussion"),
        ("Supplyer price", "supplier price"),
        ("teh harbour", "the harbour"),
    ],
)
async def test_one_slip_is_forgiven_and_the_right_word_suggested(world: World, query: str, suggestion: str) -> None:
    world.chunk_tokens = 20
    me = await world.user()
    await world.recording(await world.collection(me), TALK)
    results = await world.find(me, query, mode="lexical")
    assert results.spelling.suggestion == suggestion
    wanted = suggestion.split()[-1] if query.startswith("teh") else suggestion.split()[0]
    assert wanted.lower() in results.found[0].passage.content.lower()


async def test_what_is_spelt_well_is_left_alone(world: World) -> None:
    me = await world.user()
    await world.recording(await world.collection(me), [(name, f"{text} {text} {text}") for name, text in TALK])
    assert (await world.find(me, "harbour price of chairs")).spelling == Spelling()
    for query in ("12345", "zzz", "xylophone", "🙂", "東京"):
        results = await world.find(me, query, mode="lexical")
        assert (results.spelling.suggestion, results.found) == (None, []), query


async def test_an_exact_match_comes_before_a_near_one(world: World) -> None:
    me = await world.user()
    collection = await world.collection(me)
    near = await world.recording(collection, [("A", "We looked at the marina and its lighthouse.")] * 3)
    exact = await world.recording(collection, [("A", "We looked at the marine and its lighthouse.")])
    results = await world.find(me, "marine", mode="lexical")
    assert results.found[0].passage.asset_id == exact
    assert {found.passage.asset_id for found in results.found} <= {exact, near}


async def test_nothing_is_suggested_from_what_one_may_not_read(world: World) -> None:
    me, other = await world.user(), await world.user()
    await world.recording(await world.collection(me), [("A", "Nothing much was said about boats.")])
    hidden = await world.recording(await world.collection(other), TALK)
    for query in ("habour", "kubernetis", "discussoin"):
        results = await world.find(me, query, mode="hybrid")
        assert (results.spelling.suggestion, heard(results)) == (None, set()), query
        assert (await world.find(other, query)).spelling.suggestion
    # A word that only others said is as unknown as one that nobody said.
    await world.recording(world.collections[hidden], [("A", "boots and more boots")])
    results = await world.find(me, "boots", mode="lexical")
    assert results.spelling.suggestion == "boats"
    await world.admin.execute("UPDATE gateway.assets SET deleted_at = now() WHERE id = $1", hidden)
    assert (await world.find(other, "kubernetis")).spelling.suggestion is None


@pytest.mark.parametrize("mode", ["hybrid", "lexical"])
async def test_filters_hold_for_near_words_too(world: World, mode: Mode) -> None:
    me = await world.user()
    first, second = await world.collection(me), await world.collection(me)
    await world.recording(first, TALK)
    asset = await world.recording(second, TALK)
    found = (await world.find(me, "habour", mode=mode, filters=Filters(collection_id=second))).found
    assert {item.passage.asset_id for item in found} == {asset}


async def test_a_misspelt_word_is_meant_in_the_language_it_was_said_in(world: World) -> None:
    me = await world.user()
    collection = await world.collection(me)
    german = await world.recording(collection, [("", "Die Häuser am Hafen werden im Herbst verkauft.")], language="de")
    await world.recording(collection, TALK)
    results = await world.find(me, "Hafne verkauffen", mode="lexical")
    assert {item.passage.asset_id for item in results.found} == {german}
    assert results.spelling.suggestion == "Hafen verkauft"


async def test_a_page_of_unknown_words_costs_no_more_than_a_few(world: World) -> None:
    me = await world.user()
    await world.recording(await world.collection(me), TALK)
    results = await world.find(me, " ".join(f"habour{chr(97 + i)}x" for i in range(26)), mode="lexical")
    assert len({near.word for near in results.spelling.near}) <= 12


async def test_the_keys_of_the_database_are_forms_with_one_letter_left_out_and_a_sound(world: World) -> None:
    async with world.db.acquire() as conn:
        keys = await conn.fetchval("SELECT near_keys('harbor')")
        assert {"harbor", "arbor", "habor", "harbr"} < set(keys)
        assert await conn.fetchval("SELECT near_keys('a')") is None
        assert await conn.fetchval("SELECT near_keys('2026')") is None
        for one, two in (("kubernetis", "cubernetes"), ("meier", "meyer"), ("filip", "philipp"), ("kwest", "quest")):
            assert await conn.fetchval("SELECT sound_key($1) = sound_key($2)", one, two), one
