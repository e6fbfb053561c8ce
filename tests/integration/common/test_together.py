"""Group commit: what records at once commits at once, and each member fails, repeats and counts as if it were alone."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from uuid import UUID

import asyncpg
import pytest
from common import assets, topology
from common.broker import Publisher
from common.consumer import Consumer
from common.db import Database
from common.delivery import Delivery
from common.envelope import seal
from common.errors import AlreadyHandled, DatabaseAway, Stale, TooSlow
from common.events import AssetIndexed, AssetPurged
from common.ids import uuid7
from common.outbox import Relay
from common.recording import Arrival, Recording
from common.subscriptions import Subscriptions
from common.together import Together

from tests.conftest import Databases
from tests.integration.common.surprised import eventually

Act = Callable[[Recording, Arrival], Awaitable[object]]


def indexed(asset_id: UUID | None = None, run: int = 1) -> AssetIndexed:
    return AssetIndexed(
        asset_id=asset_id or uuid7(), run=run, collection_id=uuid7(), revision=1, chunk_count=1, generation=1, model="m"
    )


def arrival(asset_id: UUID | None = None, run: int = 1) -> Arrival:
    return Arrival(indexed(asset_id, run), uuid7(), topology.GATEWAY_QUEUE)


async def note(recording: Recording, of: Arrival) -> None:
    await recording.conn.execute("INSERT INTO effects (asset_id) VALUES ($1)", of.asset_id)


async def note_and_say(recording: Recording, of: Arrival) -> None:
    await note(recording, of)
    assert of.asset_id is not None
    await recording.say(AssetPurged(asset_id=of.asset_id, run=1, collection_id=uuid7(), service="gateway"))


@dataclass
class World:
    databases: Databases
    db: Database
    together: Together

    async def record(self, of: Arrival, act: Act = note) -> None:
        async with self.together.join(of) as recording:
            await act(recording, of)

    async def all(self, arrivals: Sequence[Arrival], **special: tuple[int, Act]) -> list[BaseException | None]:
        """Record them at once, some acting in their own way; answers how each ended."""
        acts = dict(special.values())
        ways = (self.record(of, acts.get(number, note)) for number, of in enumerate(arrivals))
        return await asyncio.gather(*ways, return_exceptions=True)

    async def effects(self) -> list[UUID]:
        async with self.db.acquire() as conn:
            return [row["asset_id"] for row in await conn.fetch("SELECT asset_id FROM effects")]

    async def inbox(self) -> set[UUID]:
        async with self.db.acquire() as conn:
            return {row["message_id"] for row in await conn.fetch("SELECT message_id FROM inbox")}

    async def transactions(self) -> int:
        async with self.db.acquire() as conn:
            return await conn.fetchval("SELECT count(DISTINCT begun) FROM effects")

    async def check_only(self, done: Sequence[Arrival]) -> None:
        """These, and no others, are recorded; once each."""
        assert sorted(await self.effects()) == sorted(of.asset_id for of in done if of.asset_id)
        assert await self.inbox() == {of.message_id for of in done}


@pytest.fixture
async def world(fresh_database: Databases) -> AsyncGenerator[World]:
    async with fresh_database.open("gateway") as db:
        async with db.acquire() as conn:
            # The default is the time at which the transaction began.
            await conn.execute(
                "CREATE TABLE effects (asset_id uuid NOT NULL, begun timestamptz NOT NULL DEFAULT now())"
            )
        yield World(fresh_database, db, Together(db, "gateway", None))


async def test_what_records_at_once_commits_at_once(world: World) -> None:
    arrivals = [arrival() for _ in range(40)]
    assert await world.all(arrivals) == [None] * 40
    await world.check_only(arrivals)
    assert await world.transactions() < 10


async def test_one_that_comes_alone_records_alone(world: World) -> None:
    for _ in range(3):
        await world.record(arrival())
    assert await world.transactions() == 3


async def test_what_they_say_commits_with_them(world: World) -> None:
    async def say_and_fail(recording: Recording, of: Arrival) -> None:
        await note_and_say(recording, of)
        raise KeyError("undone")

    arrivals = [arrival() for _ in range(10)]
    ended = await world.all(arrivals, first=(0, note_and_say), fails=(5, say_and_fail), last=(9, note_and_say))
    assert [number for number, error in enumerate(ended) if error is not None] == [5]
    async with world.db.acquire() as conn:
        assert await conn.fetchval("SELECT count(*) FROM outbox") == 2


async def test_what_they_say_leaves_at_once(world: World, rabbitmq_url: str) -> None:
    publisher = Publisher(rabbitmq_url, "gateway")
    relay = Relay(world.db, publisher, "gateway", poll_seconds=3600)
    relaying = asyncio.create_task(relay.run())
    together = Together(world.db, "gateway", relay)

    async def say() -> None:
        of = arrival()
        async with together.join(of) as recording:
            await note_and_say(recording, of)

    await asyncio.gather(say(), say(), say())
    await eventually(lambda: _nothing_waits(world))
    relaying.cancel()
    await asyncio.gather(relaying, return_exceptions=True)
    await publisher.close()


async def _nothing_waits(world: World) -> bool:
    async with world.db.acquire() as conn:
        return await conn.fetchval("SELECT count(*) FROM outbox") == 0


@pytest.mark.parametrize("statement", ["SELECT 1 / 0", "SELECT nothing FROM nowhere", None])
async def test_one_that_fails_fails_alone_and_may_come_again(world: World, statement: str | None) -> None:
    async def fail(recording: Recording, of: Arrival) -> None:
        await note(recording, of)
        if statement is not None:
            await recording.conn.execute(statement)
        raise KeyError("a bug")

    arrivals = [arrival() for _ in range(20)]
    ended = await world.all(arrivals, first=(0, fail), middle=(10, fail), last=(19, fail))
    kind = KeyError if statement is None else asyncpg.PostgresError
    assert all(isinstance(ended[number], kind) for number in (0, 10, 19))
    good = [of for number, of in enumerate(arrivals) if number not in (0, 10, 19)]
    await world.check_only(good)
    await world.record(arrivals[10])
    await world.check_only([*good, arrivals[10]])


async def test_a_single_one_that_fails_leaves_nothing(world: World) -> None:
    async def fail(recording: Recording, of: Arrival) -> None:
        await note(recording, of)
        raise KeyError("a bug")

    single = arrival()
    with pytest.raises(KeyError):
        await world.record(single, fail)
    await world.check_only([])
    await world.record(single)
    await world.check_only([single])


async def test_the_same_message_many_times_at_once_has_one_effect(world: World) -> None:
    one, other = arrival(), arrival()
    ended = await world.all([one, other, one, one, other])
    assert sum(error is None for error in ended) == 2
    assert sum(isinstance(error, AlreadyHandled) for error in ended) == 3
    await world.check_only([one, other])


async def test_messages_about_one_asset_see_what_went_before(world: World) -> None:
    asset_id, seen = uuid7(), list[int]()

    async def look(recording: Recording, of: Arrival) -> None:
        seen.append(await recording.conn.fetchval("SELECT count(*) FROM effects WHERE asset_id = $1", of.asset_id))
        await note(recording, of)

    arrivals = [arrival(asset_id) for _ in range(5)]
    await asyncio.gather(*(world.record(of, look) for of in arrivals))
    assert sorted(seen) == [0, 1, 2, 3, 4]


async def test_a_stale_one_is_refused_and_nobody_else(world: World) -> None:
    cancelled = uuid7()
    async with world.db.transaction() as conn:
        await assets.lock_asset(conn, cancelled, uuid7(), 1)
        await assets.mark_cancelled(conn, cancelled, 1)
    arrivals = [arrival(), arrival(cancelled), replace(arrival(cancelled), check=False), arrival(cancelled, run=2)]
    ended = await world.all(arrivals)
    assert isinstance(ended[1], Stale)
    assert [ended[0], ended[2], ended[3]] == [None, None, None]
    await world.check_only([arrivals[0], arrivals[2], arrivals[3]])


async def test_a_connection_that_ends_undoes_the_whole_group(world: World) -> None:
    admin = await asyncpg.connect(world.databases.admin)

    async def be_cut_off(recording: Recording, of: Arrival) -> None:
        await note(recording, of)
        assert await admin.fetchval("SELECT pg_terminate_backend($1, 5000)", recording.conn.get_server_pid())
        await recording.conn.execute("SELECT 1")

    arrivals = [arrival() for _ in range(10)]
    ended = await world.all(arrivals, middle=(5, be_cut_off))
    await admin.close()
    # Nobody is told that all is well whose effects are gone, or the other way round.
    assert any(isinstance(error, DatabaseAway) for error in ended)
    assert all(error is None or isinstance(error, DatabaseAway) for error in ended)
    await world.check_only([of for of, error in zip(arrivals, ended, strict=True) if error is None])
    again = [of for of, error in zip(arrivals, ended, strict=True) if error is not None]
    assert await world.all(again) == [None] * len(again)
    await world.check_only(arrivals)


async def test_one_whose_statement_takes_too_long_is_told_so_alone(world: World) -> None:
    async def take_long(recording: Recording, of: Arrival) -> None:
        await note(recording, of)
        await recording.conn.execute("SET LOCAL statement_timeout = '50ms'")
        await recording.conn.execute("SELECT pg_sleep(30)")

    arrivals = [arrival() for _ in range(5)]
    ended = await world.all(arrivals, slow=(2, take_long))
    assert isinstance(ended[2], TooSlow)
    await world.check_only([of for number, of in enumerate(arrivals) if number != 2])


@pytest.mark.parametrize("inside", [True, False], ids=["in a statement", "before its turn"])
async def test_one_that_is_cancelled_leaves_nothing_and_stops_nobody(world: World, inside: bool) -> None:
    begun = asyncio.Event()

    async def hang(recording: Recording, of: Arrival) -> None:
        await note(recording, of)
        begun.set()
        if inside:
            await recording.conn.execute("SELECT pg_sleep(60)")
        await asyncio.sleep(0.3)

    arrivals = [arrival() for _ in range(6)]
    tasks = [asyncio.create_task(world.record(arrivals[0], hang))]
    await begun.wait()
    tasks += [asyncio.create_task(world.record(of)) for of in arrivals[1:]]
    await asyncio.sleep(0.05)
    victim = 0 if inside else 3
    tasks[victim].cancel()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(ended[victim], asyncio.CancelledError)
    again = [of for of, error in zip(arrivals, ended, strict=True) if error is not None]
    assert [error for number, error in enumerate(ended) if number != victim] == [None] * 5
    assert await world.all(again) == [None]
    await world.check_only(arrivals)


async def test_one_that_never_ends_its_turn_holds_nobody_up_for_ever(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("common.together._TURN_SECONDS", 0.5)
    release = asyncio.Event()

    async def hang(recording: Recording, of: Arrival) -> None:
        await note(recording, of)
        await release.wait()

    hanging, other = arrival(), arrival()
    stuck = asyncio.create_task(world.record(hanging, hang))
    with pytest.raises(DatabaseAway):
        # They are in one group.
        await world.record(other)
    await world.record(other)
    release.set()
    with pytest.raises(DatabaseAway):
        await stuck
    await world.check_only([other])


async def test_groups_of_many_processes_never_wait_in_a_circle(world: World) -> None:
    """Eight groups at a time over the same assets, heard of in every order."""
    asset_ids = [uuid7() for _ in range(20)]
    async with world.db.acquire() as conn:
        deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        before = await conn.fetchval(deadlocks)
    async with AsyncExitStack() as stack:
        processes = [
            Together(await stack.enter_async_context(world.databases.open("gateway")), "gateway", None)
            for _ in range(8)
        ]
        arrivals = [[arrival(each) for each in (asset_ids * 3)[place * 7 :] + asset_ids] for place in range(8)]

        async def record(together: Together, of: Arrival) -> None:
            # As the gateway does: it locks the rows of its own in its turn.
            async with together.join(replace(of, lock=False)) as recording:
                assert of.asset_id is not None
                await assets.lock_asset(recording.conn, of.asset_id, uuid7(), 1)
                await note(recording, of)

        await asyncio.gather(
            *(record(together, of) for together, some in zip(processes, arrivals, strict=True) for of in some)
        )
    done = [of for some in arrivals for of in some]
    await world.check_only(done)
    async with world.db.acquire() as conn:
        await conn.execute("SELECT pg_stat_force_next_flush()")
        assert await conn.fetchval(deadlocks) == before


async def test_poison_among_many_is_parked_and_the_others_are_done(world: World, rabbitmq_url: str) -> None:
    """Through the broker: all come for the first time, in groups; the bad ones come again by themselves."""
    publisher = Publisher(rabbitmq_url, "gateway")
    relay = Relay(world.db, publisher, "gateway")
    consumer = Consumer("gateway", world.db, publisher, relay)
    subscriptions = Subscriptions(rabbitmq_url, consumer)
    facts = [indexed() for _ in range(60)]
    poison = {fact.asset_id for fact in facts[::20]}
    attempts: list[tuple[UUID, int, bool]] = []

    async def handle(fact: AssetIndexed, delivery: Delivery) -> None:
        attempts.append((fact.asset_id, delivery.attempt, delivery.together is not None))
        async with delivery.record(lock=False) as rec:
            await rec.conn.execute("INSERT INTO effects (asset_id) VALUES ($1)", fact.asset_id)
            if fact.asset_id in poison and delivery.attempt < 2:
                raise KeyError("a bug")

    consumer.register(AssetIndexed, handle)
    for fact in facts:
        sealed = seal(fact, "embedder", topology.EVENTS_EXCHANGE)
        await publisher.publish(
            sealed.exchange, sealed.routing_key, sealed.body, sealed.headers, message_id=str(sealed.id)
        )
    await subscriptions.start()
    try:
        await eventually(lambda: _all_done(world, 60))
    finally:
        await subscriptions.stop(2)
        await publisher.close()
    assert sorted(await world.effects()) == sorted(fact.asset_id for fact in facts)
    assert await world.transactions() < 60
    # Together at first, alone when it failed before.
    assert {(attempt, grouped) for _, attempt, grouped in attempts} == {(1, True), (2, False)}
    assert {asset_id for asset_id, attempt, _ in attempts if attempt == 2} == poison


async def _all_done(world: World, count: int) -> bool:
    return len(await world.effects()) == count
