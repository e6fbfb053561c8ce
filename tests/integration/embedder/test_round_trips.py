"""How often a search asks the database: a number that may fall and must not creep up again."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from embedder.domain.ranking import Mode
from embedder.queries.scope import Filters
from embedder.searching import Search, Wanted

from tests.integration.embedder.world import World

TALK = [
    ("Anna", "The budget for the website is twelve thousand dollars, not a dollar more."),
    ("Ben", "To be or not to be, that is the question that nobody asked."),
    ("Carla", "A thousand chairs cost twelve dollars each, and the website shows them."),
]
# So often that none of its words is rare enough to be a slip.
TIMES = 3
# Bearings, the snapshot's beginning, the legs, the page, the snapshot's end.
SEARCH = 5


class Counted:
    """What a search asked: every statement that its one connection sent, each of which is a round trip."""

    def __init__(self, world: World, search: Search) -> None:
        self._world = world
        self.search = search
        self.statements: list[str] = []

    def note(self, record: Any) -> None:
        self.statements.append(" ".join(record.query.split()))

    async def ask(self, user: Any, query: str, **wanted: Any) -> list[str]:
        """The statements of a search that finds something, when its languages and its model are known already."""
        await self.search.run(user, Wanted(query, **wanted))
        await self._settle()
        self.statements.clear()
        results = await self.search.run(user, Wanted(query, **wanted))
        await self._settle()
        assert results.found
        # The model in use is looked up once a second, whatever is asked meanwhile.
        return [one for one in self.statements if "FROM embedding_models WHERE state = 'current'" not in one]

    async def _settle(self) -> None:
        """The log is written by callbacks of the loop: once another statement is noted, all before it are."""
        async with self._world.db.acquire() as conn:
            await conn.fetchval("SELECT 'settled'")
        while not (self.statements and "settled" in self.statements[-1]):
            await asyncio.sleep(0)
        self.statements.pop()


@pytest.fixture
async def counted(world: World) -> AsyncGenerator[Counted]:
    world.chunk_tokens = 22
    one = Counted(world, world.search)
    # Of a pool whose connections lie idle, the last one used is taken: there is one, as long as no two are wanted.
    async with world.db.acquire() as conn:
        conn.add_query_logger(one.note)
    yield one
    async with world.db.acquire() as conn:
        conn.remove_query_logger(one.note)


async def test_a_search_asks_five_times_whatever_it_is_about(counted: Counted, world: World) -> None:
    me = await world.user()
    collection = await world.collection(me)
    assets = [await world.recording(collection, TALK, title="Website chairs") for _ in range(TIMES)]
    modes: list[Mode] = ["hybrid", "lexical", "semantic", "phrase"]
    for mode in modes:
        asked = await counted.ask(me, "the website", mode=mode)
        # A phrase is found, and then looked at for its place.
        assert len(asked) == SEARCH + (mode == "phrase"), "\n".join(one[:100] for one in asked)
    narrowed = Filters(collection_id=collection, asset_ids=(assets[0],), speaker="Anna", language="en")
    assert len(await counted.ask(me, "website budget", filters=narrowed)) == SEARCH
    # By its title.
    assert len(await counted.ask(me, "website chairs")) == SEARCH
    assert len(await counted.ask(me, '"twelve thousand dollars" website')) == SEARCH + 1
    await world.recording(collection, [("Anna", "Das Geld für die Webseite ist da.")], language="de")
    assert len(await counted.ask(me, "website budget")) == SEARCH


async def test_only_unknown_words_cost_more(counted: Counted, world: World) -> None:
    """Near words, and how passages write those."""
    me = await world.user()
    collection = await world.collection(me)
    for _ in range(TIMES):
        await world.recording(collection, TALK)
    assert len(await counted.ask(me, "the bugdet")) == SEARCH + 2


async def test_a_new_language_is_noticed_by_the_search_that_follows(counted: Counted, world: World) -> None:
    me = await world.user()
    collection = await world.collection(me)
    await world.recording(collection, TALK)
    await counted.ask(me, "website budget")
    await world.recording(collection, [("Anna", "Die Häuser sind alt.")], language="de")
    found = (await counted.search.run(me, Wanted("Haus", "lexical"))).found
    assert [item.passage.language for item in found] == ["de"]
