"""Parking in groups: what is set aside together costs one transaction, and nobody's fault keeps another from it."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import pytest
from common import assets, topology
from common.db import Database
from common.envelope import seal
from common.errors import DatabaseAway
from common.events import AssetIndexed, ProcessingFailed
from common.ids import uuid7
from common.parked import Parked
from common.parking import Parking, Telling
from common.recording import Arrival

from tests.conftest import Databases

# More than Postgres' integer holds: such a message cannot be told, whatever is tried.
IMPOSSIBLE_RUN = 2**40


@dataclass
class Poison:
    row: Parked
    telling: Telling | None

    @property
    def id(self) -> UUID:
        return self.row.message_id


def unreadable() -> Poison:
    return Poison(_row(uuid7(), None), None)


def of_asset(asset_id: UUID | None = None, run: int = 1) -> Poison:
    fact = AssetIndexed.model_construct(
        asset_id=asset_id or uuid7(), run=run, collection_id=uuid7(), revision=1, chunk_count=1, generation=1, model="m"
    )
    failure = ProcessingFailed(
        asset_id=fact.asset_id,
        run=1,
        collection_id=fact.collection_id,
        stage="gateway",
        category="internal",
        advice="a",
        message="m",
    )
    message_id = uuid7()
    told = Telling(
        Arrival(fact, message_id, topology.GATEWAY_QUEUE), [seal(failure, "gateway", topology.EVENTS_EXCHANGE)]
    )
    return Poison(_row(message_id, fact.asset_id), told)


def _row(message_id: UUID, asset_id: UUID | None) -> Parked:
    queue = topology.GATEWAY_QUEUE
    return Parked(uuid7(), queue, message_id, None, asset_id, "poison", [], {}, b"{", datetime.now(UTC))


@dataclass
class World:
    db: Database
    parking: Parking

    async def keep(self, *several: Poison, at_once: bool = False) -> list[BaseException | None]:
        ways = (self.parking.keep(each.row, each.telling, at_once=at_once) for each in several)
        return await asyncio.gather(*ways, return_exceptions=True)

    async def transactions(self) -> dict[UUID, int]:
        """Message ids of what is parked, with the transaction that wrote each."""
        async with self.db.acquire() as conn:
            rows = await conn.fetch("SELECT message_id, xmin::text::bigint AS by FROM parked")
        return {row["message_id"]: row["by"] for row in rows}

    async def told(self) -> set[UUID]:
        async with self.db.acquire() as conn:
            rows = await conn.fetch("SELECT headers->>'cloudEvents_subject' AS asset_id FROM outbox")
            noted = await conn.fetchval("SELECT count(*) FROM inbox")
        told = [UUID(row["asset_id"]) for row in rows]
        assert len(told) == noted == len(set(told))
        return set(told)


@pytest.fixture
async def world(fresh_database: Databases) -> AsyncGenerator[World]:
    async with fresh_database.open("gateway") as db:
        yield World(db, Parking(db, "gateway", None))


async def test_a_group_is_kept_in_one_transaction_and_whoever_hurries_waits_for_nobody(world: World) -> None:
    group = [unreadable(), of_asset(), of_asset(), unreadable()]
    assert await world.keep(*group) == [None] * 4
    by = await world.transactions()
    assert by.keys() == {each.id for each in group}
    assert len(set(by.values())) == 1
    assert await world.told() == {each.row.asset_id for each in group if each.telling}
    # Again: it keeps its place, and nothing is told twice.
    assert await world.keep(*group, at_once=True) == [None] * 4
    assert (await world.transactions()).keys() == by.keys()
    assert len(await world.told()) == 2


async def test_each_is_kept_whatever_the_others_are(world: World) -> None:
    deleted, twice = of_asset(), uuid7()
    async with world.db.transaction() as conn:
        await assets.lock_asset(conn, deleted.row.asset_id or uuid7(), uuid7(), 1)
        await assets.mark_deleted(conn, deleted.row.asset_id or uuid7())
    first, second = of_asset(twice), of_asset(twice)
    group = [deleted, of_asset(run=IMPOSSIBLE_RUN), first, unreadable(), of_asset()]
    assert await world.keep(*group) == [None] * 5
    assert (await world.transactions()).keys() == {each.id for each in group}
    assert await world.told() == {twice, group[-1].row.asset_id}
    # Of one asset two at once: in transactions of their own, and both are kept.
    both = [second, of_asset(twice)]
    assert await world.keep(*both) == [None] * 2
    by = await world.transactions()
    assert by[both[0].id] != by[both[1].id]


async def test_a_database_that_is_away_is_told_to_all_and_nothing_is_kept(world: World) -> None:
    async def lost(_group: object) -> None:
        raise DatabaseAway("cut")

    kept = world.parking._commit  # pyright: ignore[reportPrivateUsage]
    world.parking._commit = lost  # pyright: ignore[reportPrivateUsage]
    assert [type(error) for error in await world.keep(unreadable(), of_asset())] == [DatabaseAway] * 2
    assert await world.transactions() == {}
    world.parking._commit = kept  # pyright: ignore[reportPrivateUsage]
    assert await world.keep(unreadable()) == [None]
