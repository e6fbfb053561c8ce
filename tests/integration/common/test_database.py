"""What each way of losing the database means for whoever was using it, on a real Postgres."""

import asyncio
import socket
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
import pytest
from common import patience
from common.away import DATABASE_BUSY, OUTSIDE_AWAY
from common.bootstrap import ROLE_CONNECTION_LIMIT
from common.db import Connection, Database, Pool
from common.errors import DatabaseAway, TooSlow
from common.patience import Patience

from tests.conftest import Databases

Act = Callable[[Connection], Awaitable[object]]
COUNT = "SELECT count(*) FROM inbox"
INSERT = "INSERT INTO inbox (consumer, message_id) VALUES ('test', gen_random_uuid())"
HASTE = Patience(connection_seconds=0.5, answer_seconds=0.5)


@pytest.fixture
async def db(core_database: Databases) -> AsyncGenerator[Database]:
    async with core_database.open("chat") as database:
        yield database


@pytest.fixture
async def admin(core_database: Databases) -> AsyncGenerator[asyncpg.Connection]:
    connection = await asyncpg.connect(core_database.admin)
    yield connection
    await connection.close()


async def limit(admin: asyncpg.Connection | Pool, setting: str, value: str, service: str = "chat") -> None:
    """For connections that the service makes from now on."""
    name = await admin.fetchval("SELECT current_database()")
    await admin.execute(f"ALTER ROLE earshot_{service} IN DATABASE {name} SET {setting} = '{value}'")


async def kick(admin: asyncpg.Connection, connection: Connection) -> None:
    """As a server that shuts down does with each of its connections; returns when it is gone."""
    pid = connection.get_server_pid()
    assert await admin.fetchval("SELECT pg_terminate_backend($1, 5000)", pid)


async def count(db: Database) -> int:
    async with db.acquire() as conn:
        return await conn.fetchval(COUNT)


async def test_a_connection_lost_in_a_statement(db: Database, admin: asyncpg.Connection) -> None:
    async def use() -> None:
        async with db.transaction() as conn:
            await conn.execute(INSERT)
            sleeping = asyncio.create_task(conn.execute("SELECT pg_sleep(30)"))
            await asyncio.sleep(0.1)
            await kick(admin, conn)
            await sleeping

    with pytest.raises(DatabaseAway, match="administrator command"):
        await use()
    assert await count(db) == 0


@pytest.mark.parametrize("noticed", [True, False])
async def test_a_connection_lost_between_statements(db: Database, admin: asyncpg.Connection, noticed: bool) -> None:
    async def use() -> None:
        async with db.transaction() as conn:
            await conn.execute(INSERT)
            await kick(admin, conn)
            if noticed:
                await asyncio.sleep(0.1)
            await conn.execute(INSERT)

    with pytest.raises(DatabaseAway):
        await use()
    assert await count(db) == 0


async def test_a_connection_lost_before_the_commit(db: Database, admin: asyncpg.Connection) -> None:
    async def use() -> None:
        async with db.transaction() as conn:
            await conn.execute(INSERT)
            await kick(admin, conn)

    with pytest.raises(DatabaseAway):
        await use()
    assert await count(db) == 0


async def test_what_the_work_itself_raises_is_not_hidden_by_the_loss(db: Database, admin: asyncpg.Connection) -> None:
    async def use() -> None:
        async with db.transaction() as conn:
            await conn.execute(INSERT)
            await kick(admin, conn)
            await asyncio.sleep(0.1)
            raise KeyError("its own")

    with pytest.raises(KeyError, match="its own"):
        await use()
    assert await count(db) == 0


async def test_what_was_done_is_done_though_its_connection_is_lost_afterwards(
    db: Database, admin: asyncpg.Connection
) -> None:
    async with db.acquire() as conn:
        await conn.execute(INSERT)
        await kick(admin, conn)
    assert await count(db) == 1


async def test_a_statement_over_its_limit_is_too_slow(db: Database) -> None:
    async def use() -> None:
        async with db.transaction() as conn:
            await conn.execute("SET LOCAL statement_timeout = '100ms'")
            await conn.execute("SELECT pg_sleep(30)")

    with pytest.raises(TooSlow):
        await use()


@pytest.mark.parametrize(
    ("setting", "busy"),
    [("transaction_timeout", True), ("transaction_timeout", False), ("idle_in_transaction_session_timeout", False)],
)
async def test_a_transaction_over_its_limit_is_ended_by_the_server(
    db: Database, admin: asyncpg.Connection, setting: str, busy: bool
) -> None:
    await limit(admin, setting, "300ms")

    async def use() -> None:
        async with db.transaction() as conn:
            await conn.execute(INSERT)
            if busy:
                await conn.execute("SELECT pg_sleep(30)")
            await asyncio.sleep(1)
            await conn.execute(INSERT)

    # While nobody waits for an answer, the reason goes unread.
    with pytest.raises(TooSlow if busy else DatabaseAway):
        await use()
    assert await count(db) == 0


async def test_a_frozen_process_wakes_to_a_transaction_that_has_ended(db: Database, admin: asyncpg.Connection) -> None:
    await limit(admin, "idle_in_transaction_session_timeout", "300ms")

    async def use() -> None:
        async with db.transaction() as conn:
            await conn.execute(INSERT)
            # The whole loop stands still, as in a process that is stopped and continued.
            time.sleep(1)

    with pytest.raises(TooSlow) as raised:
        await use()
    # The fault fired: it was the server that ended it.
    assert "idle-in-transaction" in str(raised.value.__cause__)
    assert await count(db) == 0


async def test_waiting_for_a_lock_ends_and_counts_as_busy(db: Database) -> None:
    async with db.transaction() as holder:
        await holder.execute("LOCK TABLE inbox")

        async def use() -> None:
            async with db.transaction() as conn:
                await conn.execute("SET LOCAL lock_timeout = '100ms'")
                await conn.execute(INSERT)

        with pytest.raises(asyncpg.LockNotAvailableError) as raised:
            await use()
    assert isinstance(raised.value, DATABASE_BUSY)
    assert await count(db) == 0


async def test_a_plan_that_a_migration_made_stale_works_when_asked_again(
    db: Database, admin: asyncpg.Connection
) -> None:
    async def read() -> list[asyncpg.Record]:
        async with db.transaction() as conn:
            return await conn.fetch("SELECT * FROM inbox")

    await read()
    await admin.execute("ALTER TABLE chat.inbox ADD COLUMN later int")
    with pytest.raises(asyncpg.InvalidCachedStatementError) as raised:
        await read()
    assert isinstance(raised.value, DATABASE_BUSY)
    assert await read() == []


async def misuse_argument(conn: Connection) -> None:
    await conn.fetch("SELECT $1::int", "no number")


async def misuse_statement(conn: Connection) -> None:
    await conn.fetch("SELECT nothing FROM inbox")


async def misuse_connection(conn: Connection) -> None:
    await asyncio.gather(conn.fetch("SELECT pg_sleep(0.1)"), conn.fetch("SELECT 1"))


@pytest.mark.parametrize("act", [misuse_argument, misuse_statement, misuse_connection])
async def test_a_mistake_is_never_taken_for_a_database_that_is_away(db: Database, act: Act) -> None:
    async def use() -> None:
        async with db.transaction() as conn:
            await act(conn)

    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)) as raised:
        await use()
    assert not isinstance(raised.value, OUTSIDE_AWAY)
    assert await count(db) == 0


async def test_a_server_that_takes_no_more_writes_is_left(db: Database, admin: asyncpg.Connection) -> None:
    """As the old primary after a failover: its connections live on and are of no use."""
    await limit(admin, "default_transaction_read_only", "on")
    seen: list[int] = []

    async def use() -> None:
        async with db.transaction() as conn:
            seen.append(conn.get_server_pid())
            await conn.execute(INSERT)

    with pytest.raises(DatabaseAway):
        await use()
    await limit(admin, "default_transaction_read_only", "off")
    await use()
    assert seen[0] != seen[1]
    assert await count(db) == 1


async def test_a_cancelled_transaction_leaves_nothing_and_its_statement_ends(
    db: Database, admin: asyncpg.Connection
) -> None:
    begun: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def use() -> None:
        async with db.transaction() as conn:
            await conn.execute(INSERT)
            begun.set_result(conn.get_server_pid())
            await conn.execute("SELECT pg_sleep(60)")

    task = asyncio.create_task(use())
    pid = await begun
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    # Nobody told the server; it looks by itself whether its client is still there.
    async with asyncio.timeout(20):
        while await admin.fetchval("SELECT true FROM pg_stat_activity WHERE pid = $1", pid):
            await asyncio.sleep(0.1)
    assert await count(db) == 0


def elsewhere(url: str, **parts: str) -> str:
    """The URL with another password, host or database."""
    split = urlsplit(url)
    user = split.username
    host, port = parts.get("host", split.hostname), split.port
    netloc = f"{user}:{parts.get('password', split.password)}@{host}:{port}"
    return urlunsplit(split._replace(netloc=netloc, path=parts.get("path", split.path)))


@pytest.mark.parametrize(
    ("wrong", "why"),
    [({"password": "no"}, "password"), ({"host": "nowhere.invalid"}, "gaierror"), ({"path": "/none"}, "none")],
)
async def test_who_gets_no_connection_has_not_begun(core_database: Databases, wrong: dict[str, str], why: str) -> None:
    """A password that is being changed, a name that does not resolve for a moment: never the message's fault."""
    async with opened(elsewhere(core_database.urls["chat"], **wrong)) as database:
        # Who comes second tries nothing itself while another knocks, and learns the reason all the same.
        for _ in range(2):
            with patience.having(HASTE), pytest.raises(DatabaseAway, match=f"no connection within .*{why}"):
                await count(database)
        assert not await database.ready()


async def test_a_trouble_that_is_over_is_not_the_reason_any_more(
    core_database: Databases, admin: asyncpg.Connection
) -> None:
    name = f"late_{uuid4().hex[:12]}"
    async with opened(elsewhere(core_database.urls["chat"], path=f"/{name}")) as database:
        with patience.having(HASTE), pytest.raises(DatabaseAway, match="does not exist"):
            await count(database)
        await admin.execute(f"CREATE DATABASE {name}")
        try:
            async with database.acquire(), database.acquire():
                with patience.having(HASTE), pytest.raises(DatabaseAway, match="all are in use"):
                    await count(database)
        finally:
            await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@asynccontextmanager
async def opened(url: str, size: int = 2) -> AsyncGenerator[Database]:
    database = Database(url, size=size)
    await database.open()
    try:
        yield database
    finally:
        await database.close()


async def test_a_pool_in_use_is_waited_for_and_then_given_up(core_database: Databases) -> None:
    async with opened(core_database.urls["chat"]) as database:
        async with database.acquire(), database.acquire():
            with patience.having(HASTE), pytest.raises(DatabaseAway, match="all are in use"):
                await count(database)
            waiting = asyncio.create_task(count(database))
            await asyncio.sleep(0.1)
        assert await waiting == 0


async def test_a_role_at_its_limit_gets_in_when_another_process_lets_go(core_database: Databases) -> None:
    async with (
        opened(core_database.urls["chat"], ROLE_CONNECTION_LIMIT) as hog,
        opened(core_database.urls["chat"]) as database,
    ):
        held = [hog.acquire() for _ in range(ROLE_CONNECTION_LIMIT)]
        for each in held:
            await each.__aenter__()
        with patience.having(HASTE), pytest.raises(DatabaseAway, match="too many connections"):
            await count(database)
        waiting = asyncio.create_task(count(database))
        await hog.close()
        for each in held:
            await each.__aexit__(None, None, None)
        assert await waiting == 0


async def test_a_closed_database_is_away_not_a_mistake(core_database: Databases) -> None:
    database = Database(core_database.urls["chat"])
    with pytest.raises(RuntimeError, match="not open"):
        await count(database)
    await database.open()
    assert await count(database) == 0
    await database.close()
    with pytest.raises(DatabaseAway):
        await count(database)


async def test_a_silent_connection_is_cut_for_those_in_haste(db: Database) -> None:
    async def use() -> None:
        async with db.transaction() as conn:
            await conn.execute(INSERT)
            await conn.execute("SELECT pg_sleep(60)")

    with patience.having(HASTE), pytest.raises(DatabaseAway):
        await use()
    assert await count(db) == 0


async def test_a_statement_that_is_waited_for_no_longer_says_so(db: Database) -> None:
    with pytest.raises(DatabaseAway, match="no answer in time"):
        async with db.acquire() as conn:
            await conn.fetch("SELECT pg_sleep(60)", timeout=0.3)
    assert await count(db) == 0


async def test_many_quick_answers_may_take_longer_than_one(db: Database) -> None:
    with patience.having(HASTE):
        async with db.transaction() as conn:
            for _ in range(8):
                await conn.execute("SELECT pg_sleep(0.1)")
            await conn.execute(INSERT)
    assert await count(db) == 1


async def test_a_peer_that_vanishes_is_noticed_by_the_kernel(db: Database) -> None:
    async with db.acquire() as conn:
        peer = conn._transport.get_extra_info("socket")
        assert peer.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert peer.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 10
        assert peer.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 10_000


async def test_work_never_takes_the_last_connection_from_requests(core_database: Databases) -> None:
    database = Database(core_database.urls["chat"], size=3, kept_for_requests=1)
    await database.open()
    release, holding = asyncio.Event(), asyncio.Semaphore(0)

    async def work() -> None:
        async with database.acquire() as conn:
            assert await conn.fetchval("SELECT 1") == 1
            holding.release()
            await release.wait()

    working = [asyncio.create_task(work()) for _ in range(10)]
    for _ in range(2):
        await holding.acquire()
    assert await database.ready()
    with patience.having(HASTE):
        assert await count(database) == 0
    assert database.pool.get_size() == 3
    release.set()
    await asyncio.gather(*working)
    await database.close()


async def test_a_snapshot_is_one_moment_and_leaves_nothing_behind(db: Database) -> None:
    before = await count(db)
    async with db.snapshot({"work_mem": "1MB", "plan_cache_mode": "force_generic_plan"}) as conn:
        assert await conn.fetchval(COUNT) == before
        # On another connection, since this one is lent.
        async with db.transaction() as other:
            await other.execute(INSERT)
        assert await conn.fetchval(COUNT) == before
        assert await conn.fetchval("SHOW work_mem") == "1MB"
        same = conn.get_server_pid()
    with pytest.raises(ZeroDivisionError):
        async with db.snapshot({"work_mem": "1MB"}):
            raise ZeroDivisionError
    async with db.acquire() as conn, db.acquire() as another:
        for one in (conn, another):
            assert not one.is_in_transaction()
            assert await one.fetchval("SHOW work_mem") != "1MB"
        assert same in {conn.get_server_pid(), another.get_server_pid()}
    # As on a server that has become a standby.
    with pytest.raises(DatabaseAway, match="read-only"):
        async with db.snapshot({}) as conn:
            await conn.execute(INSERT)
    assert await count(db) == before + 1
