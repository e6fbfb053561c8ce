"""Connections to Postgres: attempted at a pace that a hurt server survives, and noticed when their peer is dead."""

import asyncio
import json
import socket
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Any

import asyncpg

from common.logs import get_logger

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]
else:
    Connection = asyncpg.Connection

log = get_logger()

QueryLogger = Callable[[Any], None]

# Whatever it is (nobody there, no such host, starting up, too many connections, a wrong password): no connection.
CANNOT_CONNECT = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
CONNECT_SECONDS = 5.0
# The server itself ends a statement after 60 s (common.bootstrap); who hears nothing by then never will.
COMMAND_SECONDS = 65.0
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 1.0
# A peer that acknowledges nothing for this long is dead. Names that a system lacks are left out.
_TCP = {"TCP_KEEPIDLE": 10, "TCP_KEEPALIVE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 2, "TCP_USER_TIMEOUT": 10_000}


class Connector:
    """Makes a pool's connections. After a failed attempt nobody tries but one who knocks, once a second at most."""

    def __init__(self, url: str, *, query_logger: QueryLogger | None = None, **options: Any) -> None:
        """``query_logger`` is called after each statement, with asyncpg's ``LoggedQuery``."""
        self._url = url
        self._query_logger = query_logger
        self._options = {"command_timeout": COMMAND_SECONDS, "timeout": CONNECT_SECONDS, **options}
        # A standby takes no writes: right after a failover the same address may still lead to one.
        self._options.setdefault("target_session_attrs", "primary")
        self._open = asyncio.Event()
        self._open.set()
        self._pause = _FIRST_PAUSE_SECONDS
        self._away_since: float | None = None
        # What the last attempt met, while nobody may try but one who knocks.
        self.trouble: str | None = None
        self._knocking: asyncio.Task[None] | None = None

    async def connect(self, *_: Any, **options: Any) -> Connection:
        """For the pool. Waits while the database lets nobody in. Raises one of CANNOT_CONNECT."""
        await self._open.wait()
        try:
            connection = await self._attempt(**options)
            await connection.set_type_codec("jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")
        except BaseException as error:
            # Also when its caller lost patience: that there was no answer is news too.
            self._shut(error)
            raise
        self._note_success()
        return connection

    def close(self) -> None:
        if self._knocking is not None:
            self._knocking.cancel()

    async def _attempt(self, **options: Any) -> Connection:
        given: dict[str, Any] = {**self._options, **options}
        connection: Connection = await asyncpg.connect(self._url, **given)
        _notice_death(connection)
        if self._query_logger is not None:
            connection.add_query_logger(self._query_logger)
        return connection

    def _note_success(self) -> None:
        self._pause = _FIRST_PAUSE_SECONDS
        if self._away_since is not None:
            log.info("database_back", away_seconds=round(monotonic() - self._away_since, 1))
            self._away_since = None

    def _shut(self, error: BaseException) -> None:
        self.trouble = repr(error)[:200]
        if self._away_since is None:
            self._away_since = monotonic()
            log.warning("database_away", error=self.trouble)
        if self._open.is_set():
            self._open.clear()
            self._knocking = asyncio.create_task(self._knock())

    async def _knock(self) -> None:
        """With a connection of its own, until the server lets it in; then everybody may try."""
        while True:
            await asyncio.sleep(self._pause)
            self._pause = min(2 * self._pause, _LONGEST_PAUSE_SECONDS)
            try:
                connection = await self._attempt()
                await connection.close()
            except Exception as error:  # noqa: BLE001 (whatever keeps us out, we knock again)
                self.trouble = repr(error)[:200]
                continue
            self.trouble = None
            self._open.set()
            return


class Silence:
    """Cuts a connection on which one answer takes longer than ``seconds``: asking it for anything more is vain."""

    def __init__(self, connection: Connection, seconds: float) -> None:
        self._connection = connection
        self._seconds = seconds
        self._timer = self._begin()

    def __enter__(self) -> None:
        self._connection.add_query_logger(self._answered)

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        if not is_lost(self._connection):
            self._connection.remove_query_logger(self._answered)

    def _begin(self) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(self._seconds, cut, self._connection)

    def _answered(self, _query: object) -> None:
        self._timer.cancel()
        self._timer = self._begin()


def is_lost(connection: Connection) -> bool:
    """Whether nothing can be asked on it any more."""
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:
        # The pool has it back: it does that with connections that ended while they were used.
        return True


def cut(connection: Connection) -> None:
    """End it at once; whoever waits for an answer on it gets an error, and the server rolls back."""
    if not is_lost(connection):
        connection.terminate()


def _notice_death(connection: Connection) -> None:
    transport: asyncio.Transport | None = getattr(connection, "_transport", None)
    peer = transport.get_extra_info("socket") if transport else None
    if peer is None or peer.family not in (socket.AF_INET, socket.AF_INET6):
        return
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _TCP.items():
        if hasattr(socket, name):
            peer.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
