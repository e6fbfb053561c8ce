"""A small asyncpg pool that a lost Postgres cannot break, and errors that say what became of the work."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any

import asyncpg

from common import patience
from common.away import CONNECTION_LOST, DATABASE_TROUBLE, TOOK_TOO_LONG, USELESS
from common.connecting import CANNOT_CONNECT, Connection, Connector, QueryLogger, Silence, cut, is_lost
from common.errors import DatabaseAway, TooSlow
from common.patience import Patience

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Pool = asyncpg.Pool[asyncpg.Record]
    Borrowed = PoolConnectionProxy[asyncpg.Record]
else:
    Pool = asyncpg.Pool

__all__ = ["Connection", "Database", "consequence"]

# Idle connections go, so that many processes can share a role's limit, and none outlives a failover for long.
_IDLE_SECONDS = 60.0
_READY = Patience(connection_seconds=2.0, answer_seconds=3.0)
_RETRY_SECONDS = 0.05
_RELEASE_SECONDS = 2.0


class Database:
    """The service's slice of Postgres; its role's search_path names the schema, so SQL names only tables.

    How long one waits is the caller's `Patience`. Besides the errors of the SQL itself it raises DatabaseAway,
    TooSlow, and one of away.DATABASE_BUSY; only on a live connection is a misuse of asyncpg told as such.
    """

    def __init__(
        self,
        url: str,
        *,
        size: int = 4,
        pooled: bool = False,
        kept_for_requests: int = 0,
        query_logger: QueryLogger | None = None,
    ) -> None:
        """``kept_for_requests`` connections are never lent to work, however much of it there is."""
        options: dict[str, Any] = {"statement_cache_size": 0} if pooled else {}
        self._connector = Connector(url, query_logger=query_logger, **options)
        self._size = size
        self._turns = asyncio.Semaphore(max(1, size - kept_for_requests))
        self._pool: Pool | None = None
        self._closed = False

    async def open(self) -> None:
        """Connects to nothing yet, so that a service starts while its database is away."""
        self._pool = await asyncpg.create_pool(
            min_size=0,
            max_size=self._size,
            connect=self._connector.connect,
            reset=_as_it_is,
            max_inactive_connection_lifetime=_IDLE_SECONDS,
        )

    async def close(self) -> None:
        self._closed = True
        self._connector.close()
        if self._pool is not None:
            self._pool.terminate()
            self._pool = None

    @property
    def pool(self) -> Pool:
        if self._closed:
            raise DatabaseAway("the database is closed: the process ends")
        if self._pool is None:
            raise RuntimeError("the database is not open")
        return self._pool

    @asynccontextmanager
    async def acquire(self) -> AsyncGenerator[Connection]:
        """A connection outside any transaction."""
        pool, waiting = self.pool, patience.current()
        async with self._turn(waiting):
            borrowed = await self._take(waiting.connection_seconds)
            connection: Connection = borrowed  # type: ignore[assignment]  # the proxy has the connection's interface
            try:
                with _limited(connection, waiting.answer_seconds):
                    yield connection
            except CANNOT_CONNECT as error:
                outcome = consequence(error, connection)
                if outcome is None:
                    raise
                raise outcome from error
            finally:
                # What was done is done, whether or not the connection can be used again.
                with suppress(*CANNOT_CONNECT):
                    await pool.release(borrowed, timeout=_RELEASE_SECONDS)

    @asynccontextmanager
    async def _turn(self, waiting: Patience) -> AsyncGenerator[None]:
        """Work takes turns at the connections that are not kept for requests."""
        if waiting.in_haste:
            yield
            return
        try:
            async with asyncio.timeout(waiting.connection_seconds):
                await self._turns.acquire()
        except TimeoutError:
            raise DatabaseAway("no connection in time: other work has them all") from None
        try:
            yield
        finally:
            self._turns.release()

    async def _take(self, seconds: float) -> "Borrowed":
        """Tries until the time is over; the connector sees to it that this is no hot loop."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    try:
                        return await self.pool.acquire()
                    except CANNOT_CONNECT:
                        await asyncio.sleep(_RETRY_SECONDS)
        except TimeoutError:
            why = self._connector.trouble or "all are in use"
            raise DatabaseAway(f"no connection within {seconds:g} s: {why}") from None

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[Connection]:
        """Commits at the end. DatabaseAway does not say whether it did: the answer to COMMIT may be what was lost."""
        async with self.acquire() as connection:
            transaction = connection.transaction()
            await transaction.start()
            try:
                yield connection
            except BaseException as error:
                # Asyncpg's own context would hide this error behind the complaint that the connection is gone.
                await _undo(connection, transaction.rollback, error)
                raise
            await transaction.commit()

    @asynccontextmanager
    async def snapshot(self, settings: Mapping[str, str | int]) -> AsyncGenerator[Connection]:
        """Everything read inside is of one moment; nothing can be written. ``settings`` are Postgres' own, by name, and
        hold until the end; they begin together with it, so that they cost no round trip."""
        begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
        local = [f"SET LOCAL {name} = '{value}'" for name, value in settings.items()]
        async with self.acquire() as connection:
            try:
                await connection.execute("; ".join([begin, *local]))
                yield connection
                await connection.execute("COMMIT")
            except BaseException as error:
                await _undo(connection, lambda: connection.execute("ROLLBACK"), error)
                raise

    @asynccontextmanager
    async def alone(self) -> AsyncGenerator[Connection]:
        """A connection of its own beside the pool, closed at the end: for what takes longer than any other work may,
        such as building an index. It is waited for without limit; what the server limits, the caller lifts."""
        try:
            connection = await self._connector.connect(command_timeout=None)
        except CANNOT_CONNECT as error:
            raise DatabaseAway(repr(error)[:300]) from error
        try:
            yield connection
        except CANNOT_CONNECT as error:
            outcome = consequence(error, connection)
            if outcome is None:
                raise
            raise outcome from error
        finally:
            # The server notices at once that nobody waits, and ends what it is at.
            cut(connection)

    async def ready(self) -> bool:
        try:
            with patience.having(_READY):
                async with self.acquire() as connection:
                    return await connection.fetchval("SELECT 1") == 1
        except DATABASE_TROUBLE:
            return False


def _limited(connection: Connection, seconds: float | None) -> AbstractContextManager[None]:
    return nullcontext() if seconds is None else Silence(connection, seconds)


def consequence(error: Exception, connection: Connection) -> Exception | None:
    """What an error means for the work; None when the work itself is at fault."""
    # A connection that the server ended says so only in the cause.
    if isinstance(error, TOOK_TOO_LONG) or isinstance(error.__cause__, TOOK_TOO_LONG):
        return TooSlow()
    if isinstance(error, USELESS):
        cut(connection)
    if not isinstance(error, CONNECTION_LOST) and not is_lost(connection):
        return None
    return DatabaseAway(_told(error.__cause__ or error))


def _told(error: BaseException) -> str:
    # These have no words of their own: so ends what is asked with a time limit, and what asyncpg made of it.
    if isinstance(error, TimeoutError | asyncio.CancelledError):
        return "no answer in time"
    return repr(error)[:300]


async def _undo(connection: Connection, roll_back: Callable[[], Awaitable[object]], error: BaseException) -> None:
    """Roll back. Where the server is still busy with a statement that nobody waits for, cut: then it does so itself."""
    if isinstance(error, TimeoutError | asyncio.CancelledError):
        cut(connection)
    if not is_lost(connection):
        # Where it fails, the pool drops the connection when it gets it back.
        with suppress(*CANNOT_CONNECT):
            await roll_back()


async def _as_it_is(_connection: Connection) -> None:
    """Nothing of ours outlives a transaction (only SET LOCAL is used): a reset would cost a round trip per use."""
