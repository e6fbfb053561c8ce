"""Receives deliveries: gives each its turn, has it settled, and acknowledges it; none is lost."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import InitVar, dataclass, field
from functools import partial
from time import monotonic
from uuid import UUID

import structlog
from aio_pika.abc import AbstractIncomingMessage

from common import crash, envelope, metrics, suspects, tracing
from common.away import BROKER_AWAY, DATABASE_TROUBLE, OUTSIDE_AWAY
from common.broker import Publisher, Unroutable
from common.db import Database
from common.events import Message
from common.logs import get_logger
from common.outbox import Relay
from common.progress import Progress
from common.settling import Handler, Kind, Settler
from common.turns import Leaving, Turns

log = get_logger()

# Deliveries without an acknowledgement after which a message may be what kills its process.
_SUSPECT_AFTER = 2
# What kills its process does so early; whoever lives this long need not be alone any more, nor is suspected.
_ALONE_SECONDS = 30.0
# Of one queue. More handlers at once would only wait for the database, unless they record in groups (common.together).
_AT_ONCE = 16
_AT_ONCE_IN_GROUPS = 50
# Neither handled nor handed on: the delivery stays the broker's.
_NOT_NOW = (*OUTSIDE_AWAY, Unroutable, Leaving)


@dataclass
class Consumer:
    """Handles what the queues of one service deliver."""

    service: str
    db: Database
    publisher: InitVar[Publisher]
    relay: InitVar[Relay | None] = None
    live: InitVar[Progress | None] = None
    turns: Turns = field(init=False)
    at_once: dict[str, int] = field(default_factory=dict[str, int])
    _suspect: tuple[str, UUID] | None = None

    def __post_init__(self, publisher: Publisher, relay: Relay | None, live: Progress | None) -> None:
        self.turns = Turns(_AT_ONCE_IN_GROUPS if self.service == "gateway" else _AT_ONCE)
        self.settler = Settler(self.service, self.db, publisher, relay, live, leaving=lambda: self.turns.leaving)

    @property
    def handlers(self) -> dict[str, Handler]:
        return self.settler.handlers

    @property
    def active(self) -> int:
        return self.turns.active

    def register(self, message: type[Message], handler: Handler, at_once: int | None = None) -> None:
        """``at_once``: unacknowledged deliveries of this message, where the registry's number is not the one."""
        if message.type in self.handlers:
            raise ValueError(f"{self.service} already handles {message.type}")
        self.handlers[message.type] = handler
        if at_once is not None:
            self.at_once[message.type] = at_once

    async def on_message(self, queue: str, incoming: AbstractIncomingMessage) -> None:
        """Take one delivery to its outcome, then acknowledge it. Never raises but CancelledError."""
        suspected = envelope.returns_of(incoming.headers) >= _SUSPECT_AFTER
        await self._take(queue, incoming, _ALONE_SECONDS if suspected else 0)

    async def on_dead(self, incoming: AbstractIncomingMessage) -> None:
        """What the broker gave up on: tried again all alone, and parked if that kills or fails it too."""
        queue = str(incoming.headers.get("x-first-death-queue") or incoming.routing_key)
        await self._take(queue, incoming, None)

    async def _take(self, queue: str, incoming: AbstractIncomingMessage, alone_seconds: float | None) -> None:
        crash.point("consumer.received")
        structlog.contextvars.clear_contextvars()
        kind = envelope.type_of(incoming.headers, incoming.routing_key or "")
        name = kind.type if kind else "unknown"
        with tracing.receiving(
            str(incoming.headers.get("traceparent", "")), f"process {name}", partial(_attributes, queue, incoming)
        ):
            await self._take_traced(queue, kind, incoming, alone_seconds)

    async def _take_traced(
        self, queue: str, kind: Kind, incoming: AbstractIncomingMessage, alone_seconds: float | None
    ) -> None:
        try:
            if alone_seconds == 0:
                async with self.turns.beside(queue):
                    await self._settle(queue, kind, incoming, last=False)
            else:
                async with self.turns.alone(alone_seconds):
                    await self._try_suspect(queue, kind, incoming, alone_seconds)
        except _NOT_NOW as error:
            # It stays unacknowledged with a broken connection, else goes back.
            log.info("delivery_returned", queue=queue, error=repr(error)[:300])
            await _give_back(incoming, at_once=isinstance(error, Leaving))
        except Exception:
            # A bug of the machinery itself, or a database that refuses to park: it must not stay here unanswered.
            log.exception("delivery_unsettled", queue=queue)
            await _give_back(incoming, at_once=False)

    async def _try_suspect(
        self, queue: str, kind: Kind, incoming: AbstractIncomingMessage, seconds: float | None
    ) -> None:
        """Each beginning is noted before it begins: who never comes to an end is found by the count."""
        message_id = envelope.message_id_of(incoming.message_id, incoming.headers, incoming.body)
        async with self.db.transaction() as conn:
            deaths = await suspects.begin(conn, queue, message_id)
        if deaths >= suspects.DEATHS:
            reason = f"kills its worker: {deaths} processes died while they handled it alone"
            await self.settler.park(queue, kind, incoming, reason, at_once=True)
            await incoming.ack()
        else:
            async with self._suspecting(queue, message_id, seconds):
                await self._settle(queue, kind, incoming, last=seconds is None)
        await self._acquit(queue, message_id)

    @asynccontextmanager
    async def _suspecting(self, queue: str, message_id: UUID, seconds: float | None) -> AsyncGenerator[None]:
        self._suspect = (queue, message_id)
        timer = asyncio.create_task(self._acquit_after(seconds)) if seconds is not None else None
        try:
            yield
        finally:
            self._suspect = None
            if timer is not None:
                timer.cancel()

    async def _acquit_after(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self.acquit_suspect()

    async def acquit_suspect(self) -> None:
        """Whatever ends this process from now on, it is not the message being handled alone, if there is one."""
        suspect, self._suspect = self._suspect, None
        if suspect is not None:
            await self._acquit(*suspect)

    async def _acquit(self, queue: str, message_id: UUID) -> None:
        try:
            async with self.db.transaction() as conn:
                await suspects.acquit(conn, queue, message_id)
        except DATABASE_TROUBLE as error:
            log.warning("suspect_not_acquitted", queue=queue, error=repr(error)[:200])

    async def _settle(self, queue: str, kind: Kind, incoming: AbstractIncomingMessage, *, last: bool) -> None:
        started = monotonic()
        name = kind.type if kind else "unknown"
        waited = envelope.waited_seconds(incoming.headers)
        if waited is not None:
            metrics.waited.labels(self.service, name).observe(waited)
        outcome = await self.settler.settle(queue, kind, incoming, last=last)
        tracing.note("earshot.outcome", outcome)
        metrics.handled.labels(self.service, name, outcome).inc()
        metrics.handling.labels(self.service, name).observe(monotonic() - started)
        crash.point("consumer.acknowledging")
        await incoming.ack()
        crash.point("consumer.acknowledged")

    async def idle(self, seconds: float) -> None:
        """Returns when no handler runs, or when the time is over."""
        await self.turns.idle(seconds)


def _attributes(queue: str, incoming: AbstractIncomingMessage) -> dict[str, tracing.Value]:
    return {
        "messaging.system": "rabbitmq",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": queue,
        "messaging.message.id": str(incoming.message_id or ""),
        "messaging.message.body.size": len(incoming.body),
        "earshot.attempt": envelope.attempt_of(incoming.headers),
    }


async def _give_back(incoming: AbstractIncomingMessage, *, at_once: bool) -> None:
    if not at_once:
        # A pause first, so that a database that is away does not make the broker deliver in a hot loop.
        await asyncio.sleep(1)
    try:
        await incoming.nack(requeue=True)
    except BROKER_AWAY:
        return
