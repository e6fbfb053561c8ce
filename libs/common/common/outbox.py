"""The outbox: facts commit with the change that caused them, and only the relay publishes them."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Any

from common import metrics, topology
from common.away import OUTSIDE_AWAY
from common.broker import Publisher, Unroutable
from common.db import Connection, Database
from common.envelope import Outgoing, seal
from common.events import Message
from common.logs import get_logger

log = get_logger()

_BATCH = 100


async def put(conn: Connection, outgoing: Outgoing) -> None:
    await conn.execute(
        "INSERT INTO outbox (id, exchange, routing_key, headers, body) VALUES ($1, $2, $3, $4, $5)",
        outgoing.id,
        outgoing.exchange,
        outgoing.routing_key,
        outgoing.headers,
        outgoing.body,
    )


@dataclass
class Transaction:
    """An open transaction that can say facts; they leave when, and only if, it commits."""

    conn: Connection
    service: str
    said: int = 0

    async def say(self, *messages: Message) -> None:
        for message in messages:
            await put(self.conn, seal(message, self.service, topology.EVENTS_EXCHANGE))
            self.said += 1


class Relay:
    """Publishes outbox rows: woken after a commit, and by the clock for what other processes wrote."""

    def __init__(self, db: Database, publisher: Publisher, service: str, *, poll_seconds: float = 0.5) -> None:
        self._db = db
        self._publisher = publisher
        self._service = service
        self._poll_seconds = poll_seconds
        self._woken = asyncio.Event()
        self._measured = 0.0
        self.last_beat = monotonic()

    def wake(self) -> None:
        self._woken.set()

    async def run(self) -> None:
        """Until cancelled. A broker or database that is away is waited for."""
        pause = self._poll_seconds
        while True:
            try:
                async with asyncio.timeout(pause):
                    await self._woken.wait()
            except TimeoutError:
                pass
            self._woken.clear()
            pause = await self._empty(pause)

    async def _empty(self, pause: float) -> float:
        """Publish until nothing is due; answers how long to sleep after it."""
        try:
            while await self.publish_batch() == _BATCH:
                pass
            await self._measure()
            self.last_beat = monotonic()
            return self._poll_seconds
        except OUTSIDE_AWAY as error:
            log.warning("relay_waits", error=str(error)[:200])
            return min(max(pause, self._poll_seconds) * 2, 2.0)

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
            results = await asyncio.gather(*(self._publish(row) for row in rows), return_exceptions=True)
            await self._settle(conn, rows, results)
            return len(rows)

    async def _publish(self, row: Any) -> None:
        await self._publisher.publish(
            row["exchange"], row["routing_key"], row["body"], row["headers"], message_id=str(row["id"])
        )

    async def _settle(self, conn: Connection, rows: list[Any], results: list[Any]) -> None:
        """Delete what the broker has, back off what it returned, and only then report that it is away."""
        done = [row["seq"] for row, result in zip(rows, results, strict=True) if result is None]
        await conn.execute("DELETE FROM outbox WHERE seq = ANY($1::bigint[])", done)
        metrics.published.labels(self._service).inc(len(done))
        away: BaseException | None = None
        for row, result in zip(rows, results, strict=True):
            if isinstance(result, Unroutable):
                await self._back_off(conn, row, str(result))
            elif isinstance(result, BaseException):
                away = result
        if away is not None and not done:
            raise away

    async def _back_off(self, conn: Connection, row: Any, error: str) -> None:
        metrics.returned.labels(self._service).inc()
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


@asynccontextmanager
async def saying(db: Database, service: str, relay: Relay | None) -> AsyncGenerator[Transaction]:
    """A transaction that can say facts; the relay is woken once it has committed."""
    async with db.transaction() as conn:
        transaction = Transaction(conn, service)
        yield transaction
    if relay is not None and transaction.said:
        relay.wake()
