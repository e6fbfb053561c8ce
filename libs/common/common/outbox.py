"""The outbox: facts commit with the change that caused them, and only the relay publishes them."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import Any

from common import crash, metrics, topology, tracing
from common.away import OUTSIDE_AWAY
from common.broker import Publisher, Unroutable
from common.db import Connection, Database
from common.envelope import Outgoing, seal
from common.events import Message
from common.logs import get_logger

log = get_logger()

_BATCH = 100
# Between two attempts while broker or database are away: short enough that facts flow soon after they are back.
_TROUBLE_SECONDS = 1.0
# Rows that were deleted before their room is taken back; Postgres itself looks once a minute.
_VACUUM_ROWS = 10_000


async def put(conn: Connection, outgoing: Sequence[Outgoing]) -> None:
    crash.point("outbox.inserting")
    await conn.executemany(
        "INSERT INTO outbox (id, exchange, routing_key, headers, body) VALUES ($1, $2, $3, $4, $5)",
        [(each.id, each.exchange, each.routing_key, each.headers, each.body) for each in outgoing],
    )
    crash.point("outbox.inserted")


async def count_waiting(conn: Connection) -> int:
    return await conn.fetchval("SELECT count(*) FROM outbox") or 0


@dataclass
class Transaction:
    """An open transaction that can say facts; they leave when, and only if, it commits."""

    conn: Connection
    service: str
    said: int = 0

    async def say(self, *messages: Message) -> None:
        await self.pass_on([seal(message, self.service, topology.EVENTS_EXCHANGE) for message in messages])

    async def pass_on(self, outgoing: Sequence[Outgoing]) -> None:
        """Say what was sealed elsewhere."""
        if outgoing:
            await put(self.conn, outgoing)
            self.said += len(outgoing)


class Relay:
    """Publishes outbox rows: woken after a commit, and by the clock for what other processes wrote."""

    def __init__(self, db: Database, publisher: Publisher, service: str, *, poll_seconds: float = 0.5) -> None:
        self._db = db
        self._publisher = publisher
        self._service = service
        self._poll_seconds = poll_seconds
        self._woken = asyncio.Event()
        self._measured = 0.0
        self._deleted = 0
        self._stopping = False
        # How long to wait for what is away, before trying again; 0 while all is well.
        self._trouble_seconds = 0.0
        self.last_beat = monotonic()

    def wake(self) -> None:
        self._woken.set()

    def stop(self) -> None:
        """Ask `run` to end once what is due now has left: a batch that is cut off is published twice."""
        self._stopping = True
        self.wake()

    async def run(self) -> None:
        """Until stopped or cancelled. A broker or database that is away is waited for."""
        while not self._stopping:
            await self._rest()
            self._woken.clear()
            await self._empty()

    async def _rest(self) -> None:
        """Until woken, or by the clock; while something is away, no commit cuts the pause short."""
        if self._trouble_seconds:
            await asyncio.sleep(self._trouble_seconds)
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(self._poll_seconds):
                await self._woken.wait()

    async def _empty(self) -> None:
        """Publish until nothing is due."""
        try:
            if self._trouble_seconds or not self._publisher.connected:
                # Outside any transaction, and once: a frozen broker takes in whatever it is sent, time and again.
                await self._publisher.probe()
            while await self.publish_batch() == _BATCH:
                await self._tidy()
            await self._tidy()
            await self._measure()
            self.last_beat = monotonic()
            self._trouble_seconds = 0.0
        except (*OUTSIDE_AWAY, Unroutable) as error:
            self._wait_for(error)
        except Exception as error:
            # Everything that is said waits here: a bug met on the way must not end it.
            log.exception("relay_failed")
            self._wait_for(error)

    def _wait_for(self, error: Exception) -> None:
        if not self._trouble_seconds:
            log.warning("relay_waits", error=str(error)[:200])
        self._trouble_seconds = min(2 * (self._trouble_seconds or _TROUBLE_SECONDS / 4), _TROUBLE_SECONDS)

    async def publish_batch(self) -> int:
        """One transaction around one batch. Returns the number of rows taken up."""
        async with self._db.transaction() as conn:
            rows = await conn.fetch(
                """
                SELECT seq, id, exchange, routing_key, headers, body, attempts FROM outbox
                WHERE next_attempt_at <= now() ORDER BY seq LIMIT $1 FOR UPDATE SKIP LOCKED
                """,
                _BATCH,
            )
            if not rows:
                return 0
            crash.point("relay.claimed")
            results = await asyncio.gather(*(self._publish(row) for row in rows), return_exceptions=True)
            await self._settle(conn, rows, results)
        crash.point("relay.committed")
        return len(rows)

    async def _publish(self, row: Any) -> None:
        crash.point("relay.publishing")
        with tracing.sending(
            str(row["headers"].get("traceparent", "")), f"send {row['routing_key']}", partial(_attributes, row)
        ):
            await self._publisher.publish(
                row["exchange"], row["routing_key"], row["body"], row["headers"], message_id=str(row["id"])
            )
        crash.point("relay.confirmed")

    async def _settle(self, conn: Connection, rows: list[Any], results: list[Any]) -> None:
        """Delete what the broker has, back off what it returned, and only then report that it is away."""
        done = [row["seq"] for row, result in zip(rows, results, strict=True) if result is None]
        crash.point("relay.deleting")
        await conn.execute("DELETE FROM outbox WHERE seq = ANY($1::bigint[])", done)
        crash.point("relay.deleted")
        metrics.published.labels(self._service).inc(len(done))
        self._deleted += len(done)
        away: BaseException | None = None
        for row, result in zip(rows, results, strict=True):
            if isinstance(result, Unroutable):
                await self._back_off(conn, row, str(result))
            elif isinstance(result, BaseException):
                away = result
        if away is not None and not done:
            raise away

    async def _back_off(self, conn: Connection, row: Any, error: str) -> None:
        log.error("message_returned", routing_key=row["routing_key"], error=error, attempts=row["attempts"] + 1)
        await conn.execute(
            """
            UPDATE outbox SET attempts = attempts + 1, last_error = $2,
                next_attempt_at = now() + make_interval(secs => least(60, power(2, attempts)))
            WHERE seq = $1
            """,
            row["seq"],
            error[:500],
        )

    async def _tidy(self) -> None:
        """Without this the table would be as large as a minute of the heaviest traffic, and its front all holes."""
        if self._deleted >= _VACUUM_ROWS:
            self._deleted = 0
            async with self._db.acquire() as conn:
                await conn.execute("VACUUM (SKIP_LOCKED) outbox")

    async def _measure(self) -> None:
        if monotonic() - self._measured < 10:
            return
        self._measured = monotonic()
        async with self._db.acquire() as conn:
            row = await conn.fetchrow(
                "SELECT count(*) AS rows, coalesce(extract(epoch FROM now() - min(created_at)), 0) AS age FROM outbox"
            )
        assert row is not None
        metrics.outbox_rows.labels(self._service).set(row["rows"])
        metrics.outbox_lag.labels(self._service).set(float(row["age"]))


def _attributes(row: Any) -> dict[str, tracing.Value]:
    return {
        "messaging.system": "rabbitmq",
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
        "messaging.destination.name": row["exchange"],
        "messaging.rabbitmq.destination.routing_key": row["routing_key"],
        "messaging.message.id": str(row["id"]),
    }


@asynccontextmanager
async def saying(db: Database, service: str, relay: Relay | None) -> AsyncGenerator[Transaction]:
    """A transaction that can say facts; the relay is woken once it has committed."""
    async with db.transaction() as conn:
        transaction = Transaction(conn, service)
        yield transaction
    if relay is not None and transaction.said:
        relay.wake()
