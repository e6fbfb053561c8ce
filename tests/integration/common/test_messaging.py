"""The messaging core on a real broker and database: outbox, inbox, five outcomes, delays, parking, drain."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from uuid import UUID

import aio_pika
import pytest
from common import assets, envelope, parked, topology
from common.broker import Publisher
from common.consumer import Consumer
from common.db import Database
from common.delivery import Delivery
from common.errors import CannotProcess, Continue, Stale, TryAgain
from common.events import AssetDeleted, Fact, ProcessingFailed, TranscriptCompleted
from common.ids import uuid7
from common.outbox import Relay, saying
from common.subscriptions import Subscriptions

from tests.conftest import Databases

QUEUE = "chat.asset.deleted.v1"
Handle = Callable[[AssetDeleted, Delivery], Awaitable[None]]


async def eventually(check: Callable[[], Awaitable[bool]], seconds: float = 30) -> None:
    """Wait until ``check`` holds; the limit only ends a test that would never end."""
    async with asyncio.timeout(seconds):
        while not await check():
            await asyncio.sleep(0.05)


@dataclass
class Bench:
    """The chat service's messaging, with a handler of the test's own."""

    db: Database
    publisher: Publisher
    relay: Relay
    consumer: Consumer
    subscriptions: Subscriptions
    url: str
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def listen(self, handle: Handle) -> None:
        self.consumer.register(AssetDeleted, handle)
        await self.subscriptions.start()

    async def say(self, *facts: Fact) -> None:
        async with saying(self.db, "chat", self.relay) as transaction:
            await transaction.say(*facts)

    async def count(self, table: str) -> int:
        async with self.db.acquire() as conn:
            return await conn.fetchval(f"SELECT count(*) FROM {table}")

    async def depth(self, queue: str) -> int:
        connection = await aio_pika.connect(self.url)
        async with connection:
            channel = await connection.channel()
            return (await channel.declare_queue(queue, passive=True)).declaration_result.message_count or 0


@pytest.fixture
async def bench(core_database: Databases, rabbitmq_url: str) -> AsyncGenerator[Bench]:
    async with core_database.open("chat") as db:
        publisher = Publisher(rabbitmq_url, "chat")
        relay = Relay(db, publisher, "chat", poll_seconds=0.1)
        consumer = Consumer("chat", db, publisher, relay)
        made = Bench(db, publisher, relay, consumer, Subscriptions(rabbitmq_url, consumer), rabbitmq_url)
        task = asyncio.create_task(relay.run())
        yield made
        await made.subscriptions.stop(2)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await publisher.close()


def deleted(run: int = 1, asset_id: UUID | None = None) -> AssetDeleted:
    return AssetDeleted(asset_id=asset_id or uuid7(), run=run, collection_id=uuid7())


async def test_a_fact_leaves_only_when_its_transaction_commits(bench: Bench) -> None:
    async def say_and_fail() -> None:
        async with saying(bench.db, "chat", bench.relay) as transaction:
            await transaction.say(deleted())
            raise KeyError("undone")

    with pytest.raises(KeyError):
        await say_and_fail()
    assert await bench.count("outbox") == 0
    await bench.say(deleted())
    await eventually(lambda: _is(bench.depth(QUEUE), 1))
    await eventually(lambda: _is(bench.count("outbox"), 0))


async def _is(value: Awaitable[int], wanted: int) -> bool:
    return await value == wanted


async def test_the_room_of_facts_that_left_is_taken_back(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("common.outbox._VACUUM_ROWS", 100)
    await bench.say(*(deleted() for _ in range(150)))

    async def vacuumed() -> bool:
        async with bench.db.acquire() as conn:
            count = "SELECT vacuum_count FROM pg_stat_user_tables WHERE relname = 'outbox'"
            return (await conn.fetchval(count) or 0) > 0

    await eventually(vacuumed)
    await eventually(lambda: _is(bench.count("outbox"), 0))


async def test_the_same_message_twice_has_one_effect(bench: Bench) -> None:
    handled: list[UUID] = []

    async def handle(fact: AssetDeleted, delivery: Delivery) -> None:
        async with delivery.record(check=False) as rec:
            await assets.mark_deleted(rec.conn, fact.asset_id)
            handled.append(delivery.message_id)

    fact = deleted()
    sealed = envelope.seal(fact, "gateway", topology.EVENTS_EXCHANGE)
    for _ in range(3):
        await bench.publisher.publish(
            sealed.exchange, sealed.routing_key, sealed.body, sealed.headers, message_id=str(sealed.id)
        )
    await bench.listen(handle)
    await eventually(lambda: _idle(bench))
    assert handled == [sealed.id]
    assert await bench.count("inbox") == 1


async def _idle(bench: Bench) -> bool:
    return await bench.depth(QUEUE) == 0 and bench.consumer.active == 0 and await bench.count("outbox") == 0


async def test_try_again_comes_back_after_its_delay_and_counts(bench: Bench) -> None:
    attempts: list[int] = []

    async def handle(_fact: AssetDeleted, delivery: Delivery) -> None:
        attempts.append(delivery.attempt)
        if delivery.attempt == 1:
            raise TryAgain("not yet")
        async with delivery.record():
            pass

    await bench.listen(handle)
    await bench.say(deleted())
    await eventually(lambda: _is(bench.count("inbox"), 1))
    assert attempts == [1, 2]
    assert await bench.depth(topology.delay_name(5)) == 0


async def test_try_again_exhausted_is_a_recorded_retryable_failure(bench: Bench) -> None:
    async def handle(_fact: AssetDeleted, _delivery: Delivery) -> None:
        raise TryAgain("the server is away", category="unreachable", advice="Check the address.", attempts=1)

    await bench.listen(handle)
    failures = await _failures(bench, deleted())
    assert [(f.category, f.retryable, f.message) for f in failures] == [("unreachable", True, "the server is away")]


async def _failures(bench: Bench, fact: AssetDeleted) -> list[ProcessingFailed]:
    """Say the fact, wait until it is handled, and read what the gateway would hear."""
    await bench.say(fact)
    await eventually(lambda: _is(bench.count("inbox"), 1))
    await eventually(lambda: _idle(bench))
    connection = await aio_pika.connect(bench.url)
    found: list[ProcessingFailed] = []
    async with connection:
        channel = await connection.channel()
        queue = await channel.get_queue(topology.GATEWAY_QUEUE)
        while (message := await queue.get(fail=False, no_ack=True)) is not None:
            if message.routing_key == ProcessingFailed.type:
                found.append(ProcessingFailed.parse(message.body))
    return found


async def test_cannot_process_is_recorded_once_with_advice(bench: Bench) -> None:
    async def handle(_fact: AssetDeleted, _delivery: Delivery) -> None:
        raise CannotProcess("This is a picture.", category="not_media", advice="Give a recording.")

    fact = deleted()
    await bench.listen(handle)
    failures = await _failures(bench, fact)
    assert [(f.asset_id, f.category, f.advice, f.retryable) for f in failures] == [
        (fact.asset_id, "not_media", "Give a recording.", False)
    ]
    assert await bench.count("parked") == 0


async def test_continue_is_delivered_again_and_is_no_attempt(bench: Bench) -> None:
    attempts: list[int] = []

    async def handle(_fact: AssetDeleted, delivery: Delivery) -> None:
        attempts.append(delivery.attempt)
        if len(attempts) < 4:
            raise Continue(0 if len(attempts) < 3 else topology.DELAYS[0])
        async with delivery.record():
            pass

    await bench.listen(handle)
    await bench.say(deleted())
    # The last time not at once.
    await eventually(lambda: _is(bench.depth(topology.delay_name(topology.DELAYS[0])), 1))
    await eventually(lambda: _is(bench.count("inbox"), 1))
    assert attempts == [1, 1, 1, 1]


async def test_a_bug_is_retried_then_parked_with_its_history_and_can_be_replayed(bench: Bench) -> None:
    healed = False

    async def handle(_fact: AssetDeleted, delivery: Delivery) -> None:
        if not healed:
            raise KeyError("a bug")
        async with delivery.record():
            pass

    await bench.listen(handle)
    await bench.say(deleted())
    await eventually(lambda: _is(bench.count("parked"), 1), 60)
    row = await the_parked(bench)
    assert (row.queue, row.type, row.reason) == (QUEUE, AssetDeleted.type, "KeyError: 'a bug'")
    assert row.history == ["KeyError('a bug')"] * 3
    healed = True
    inbox_before = await bench.count("inbox")
    async with bench.db.transaction() as conn:
        assert await parked.replay(conn, row.id)
        assert not await parked.replay(conn, row.id)
    await eventually(lambda: _is(bench.count("inbox"), inbox_before + 1))
    assert await bench.count("parked") == 0


async def the_parked(bench: Bench) -> parked.ParkedInFull:
    async with bench.db.acquire() as conn:
        (row,) = await parked.list_parked(conn)
        found = await parked.read_parked(conn, row.id)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("body", "reason"),
    [(b"{not json", "not a valid"), (b'{"run": 1}', "asset_id"), (b"\xff\xfe", "not a valid")],
)
async def test_what_cannot_be_read_is_parked_at_once(bench: Bench, body: bytes, reason: str) -> None:
    async def handle(_fact: AssetDeleted, _delivery: Delivery) -> None:
        raise AssertionError("never reached")

    await bench.listen(handle)
    await bench.publisher.publish(topology.EVENTS_EXCHANGE, AssetDeleted.type, body, {}, message_id="x")
    await eventually(lambda: _is(bench.count("parked"), 1))
    row = await the_parked(bench)
    assert reason in row.reason
    assert row.body == body


async def test_what_cannot_even_be_parked_comes_back_until_it_can(bench: Bench) -> None:
    async def handle(_fact: AssetDeleted, _delivery: Delivery) -> None:
        raise AssertionError("never reached")

    async with bench.db.acquire() as conn:
        await conn.execute(
            """
            CREATE SEQUENCE refusals;
            CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN PERFORM nextval('refusals'); RAISE EXCEPTION 'not now'; END $$;
            CREATE TRIGGER refuse BEFORE INSERT ON parked FOR EACH ROW EXECUTE FUNCTION refuse();
            """
        )
    await bench.listen(handle)
    await bench.publisher.publish(topology.EVENTS_EXCHANGE, AssetDeleted.type, b"{not json", {}, message_id="x")

    async def refused_twice() -> bool:
        async with bench.db.acquire() as conn:
            return await conn.fetchval("SELECT last_value >= 2 FROM refusals")

    await eventually(refused_twice)
    async with bench.db.acquire() as conn:
        await conn.execute("DROP TRIGGER refuse ON parked")
    await eventually(lambda: _is(bench.count("parked"), 1))


async def test_unknown_fields_are_ignored_by_consumers(bench: Bench) -> None:
    seen: list[AssetDeleted] = []

    async def handle(fact: AssetDeleted, delivery: Delivery) -> None:
        seen.append(fact)
        async with delivery.record():
            pass

    fact = deleted()
    body = fact.model_dump_json()[:-1] + ', "a_later_field": {"x": 1}}'
    await bench.listen(handle)
    await bench.publisher.publish(
        topology.EVENTS_EXCHANGE, AssetDeleted.type, body.encode(), {}, message_id=str(uuid7())
    )
    await eventually(lambda: _is(bench.count("inbox"), 1))
    assert seen == [fact]


async def test_stale_runs_leave_no_trace(bench: Bench) -> None:
    outcomes: list[str] = []

    async def handle(fact: AssetDeleted, delivery: Delivery) -> None:
        try:
            async with delivery.record() as rec:
                outcomes.append(f"run {fact.run} of {rec.asset.run}")
        except Stale as reason:
            outcomes.append(str(reason))
            raise

    asset_id = uuid7()
    await bench.listen(handle)
    for run in (2, 1):
        await bench.say(deleted(run, asset_id))
        await eventually(lambda run=run: _reaches(outcomes, 3 - run))
    await eventually(lambda: _idle(bench))
    assert outcomes == ["run 2 of 2", "run 1 is superseded by run 2"]
    assert await bench.count("inbox") == 1


async def _reaches(items: list[str], count: int) -> bool:
    return len(items) == count


async def test_a_message_the_broker_gave_up_on_is_tried_once_alone(bench: Bench) -> None:
    """What reaches the delivery limit because connections were lost is innocent: it must be handled, not parked."""
    fact = deleted()
    await bench.say(fact)
    await eventually(lambda: _is(bench.depth(QUEUE), 1))
    for _ in range(topology.DELIVERY_LIMIT + 1):
        connection = await aio_pika.connect(bench.url)
        channel = await connection.channel()
        await (await channel.get_queue(QUEUE)).get(fail=False, timeout=5)
        await connection.close()
    await eventually(lambda: _is(bench.depth(topology.dead_queue("chat")), 1))
    seen: list[UUID] = []

    async def handle(heard: AssetDeleted, delivery: Delivery) -> None:
        async with delivery.record():
            seen.append(heard.asset_id)

    await bench.listen(handle)
    await eventually(lambda: _is(bench.depth(topology.dead_queue("chat")), 0))
    await eventually(lambda: _is(bench.count("inbox"), 1))
    assert seen == [fact.asset_id]
    assert await bench.count("parked") == 0


async def test_a_returned_message_backs_off_alone(bench: Bench) -> None:
    async with bench.db.transaction() as conn:
        await conn.execute(
            "INSERT INTO outbox (id, exchange, routing_key, headers, body) VALUES ($1, '', 'no.such.queue', '{}', '')",
            uuid7(),
        )
    await bench.say(deleted())
    await eventually(lambda: _is(bench.depth(QUEUE), 1))
    await eventually(lambda: _is(bench.count("outbox"), 1))
    async with bench.db.acquire() as conn:
        row = await conn.fetchrow("SELECT attempts, last_error FROM outbox")
    assert row is not None
    assert row["attempts"] >= 1
    assert "no.such.queue" in row["last_error"]


async def test_draining_hands_back_what_has_not_begun_and_finishes_what_has(bench: Bench) -> None:
    begun, release, finished = asyncio.Event(), asyncio.Event(), []

    async def handle(fact: TranscriptCompleted, delivery: Delivery) -> None:
        begun.set()
        await release.wait()
        async with delivery.record():
            finished.append(fact.asset_id)

    await bench.listen(handle)  # type: ignore[arg-type]
    first = deleted()
    await bench.say(first)
    await begun.wait()
    stopping = asyncio.create_task(bench.subscriptions.stop(10))
    await asyncio.sleep(0.3)
    await bench.say(deleted())
    await eventually(lambda: _is(bench.depth(QUEUE), 1))
    assert not stopping.done()
    release.set()
    await stopping
    assert finished == [first.asset_id]
    assert await bench.depth(QUEUE) == 1


async def test_facts_survive_a_broker_that_is_away(bench: Bench, core_database: Databases) -> None:
    """Rows wait in the outbox while nobody listens on the broker's port, and leave when it is reached again."""
    async with core_database.open("chat") as db:
        nowhere = Publisher("amqp://guest:guest@127.0.0.1:1/", "chat")
        relay = Relay(db, nowhere, "chat", poll_seconds=0.1)
        with pytest.raises(OSError):
            await nowhere.open()
        async with saying(db, "chat", relay) as transaction:
            await transaction.say(deleted())
    await eventually(lambda: _is(bench.depth(QUEUE), 1))
