"""The consumer middleware: every delivery ends in one of five outcomes, and none is lost.

Done is acknowledged after the commit; TryAgain goes through a delay queue; Continue goes back to its queue;
CannotProcess is recorded for the user; anything else is a bug, retried a few times and then parked.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic
from typing import Any
from uuid import UUID

import structlog
from aio_pika.abc import AbstractIncomingMessage
from pydantic import ValidationError

from common import envelope, metrics, topology, tracing
from common.away import BROKER_AWAY, DATABASE_TROUBLE, OUTSIDE_AWAY
from common.broker import Publisher, Unroutable
from common.db import Database
from common.delivery import Delivery
from common.errors import AlreadyHandled, CannotProcess, Continue, Stale, TryAgain
from common.events import Fact, Message, ProcessingFailed
from common.ids import uuid7
from common.logs import get_logger
from common.outbox import Relay
from common.parked import Parked, park, plain_headers
from common.progress import Progress

log = get_logger()

Handler = Callable[[Any, Delivery], Awaitable[None]]

# A bug does not heal by waiting: three more tries a few seconds apart, for what only looked like one.
_BUG_ATTEMPTS = 4
_BUG_DELAY_SECONDS = 5
# Neither handled nor handed on: the delivery stays the broker's.
_NOT_NOW = (*OUTSIDE_AWAY, Unroutable)


def delay_for(attempt: int) -> int:
    """Seconds to wait before the attempt after this one."""
    short, middle, long = topology.DELAYS
    return short if attempt <= 3 else middle if attempt <= 6 else long


@dataclass
class Consumer:
    """Handles what the queues of one service deliver."""

    service: str
    db: Database
    publisher: Publisher
    relay: Relay | None = None
    live: Progress | None = None
    handlers: dict[str, Handler] = field(default_factory=dict[str, Handler])
    active: int = 0
    _became_idle: asyncio.Event = field(default_factory=asyncio.Event)

    def register(self, message: type[Message], handler: Handler) -> None:
        if message.type in self.handlers:
            raise ValueError(f"{self.service} already handles {message.type}")
        self.handlers[message.type] = handler

    async def on_message(self, queue: str, incoming: AbstractIncomingMessage) -> None:
        """Take one delivery to its outcome, then acknowledge it. Never raises but CancelledError."""
        self.active += 1
        structlog.contextvars.clear_contextvars()
        tracing.begin(str(incoming.headers.get("traceparent", "")))
        started = monotonic()
        kind = envelope.type_of(incoming.headers, incoming.routing_key or "")
        name = kind.type if kind else "unknown"
        try:
            outcome = await self._settle(queue, kind, incoming)
            metrics.handled.labels(self.service, name, outcome).inc()
            metrics.handling.labels(self.service, name).observe(monotonic() - started)
            await incoming.ack()
        except _NOT_NOW as error:
            # Neither handled nor handed on: it stays unacknowledged with a broken connection, else goes back.
            log.warning("delivery_returned", queue=queue, error=repr(error)[:300])
            await _give_back(incoming)
        finally:
            self._leave()

    async def _settle(
        self, queue: str, kind: type[Message] | None, incoming: AbstractIncomingMessage, *, alone: bool = False
    ) -> str:
        message_id = envelope.message_id_of(incoming.message_id, incoming.headers, incoming.body)
        if kind is None:
            return await self._park(queue, incoming, message_id, None, "no known type")
        handler = self.handlers.get(kind.type)
        if handler is None:
            # The gateway's queue hears everything; what it has no use for is done.
            return "ignored"
        try:
            message = kind.parse(incoming.body)
        except ValidationError as error:
            return await self._park(queue, incoming, message_id, None, f"not a valid {kind.type}: {_brief(error)}")
        attempt = envelope.attempt_of(incoming.headers)
        delivery = Delivery(message, message_id, queue, attempt, self.service, self.db, self.relay, self.live)
        _bind(message)
        return await self._handle(handler, delivery, incoming, alone=alone)

    async def _handle(
        self, handler: Handler, delivery: Delivery, incoming: AbstractIncomingMessage, *, alone: bool
    ) -> str:
        try:
            await handler(delivery.message, delivery)
        except AlreadyHandled:
            return "duplicate"
        except Stale as reason:
            log.info("fact_stale", reason=str(reason))
            return "stale"
        except Continue:
            await self._again(delivery, incoming, 0, delivery.attempt, "")
            return "continue"
        except CannotProcess as error:
            return await self._fail(delivery, error)
        except TryAgain as error:
            return await self._try_again(delivery, incoming, error)
        except DATABASE_TROUBLE as error:
            log.warning("database_away", error=repr(error)[:300])
            await self._again(delivery, incoming, topology.DELAYS[0], delivery.attempt, "")
            return "database_away"
        except Exception as error:  # noqa: BLE001 (a bug of ours: its consequence is decided here, for all handlers)
            return await self._bug(delivery, incoming, error, alone=alone)
        return "done"

    async def _try_again(self, delivery: Delivery, incoming: AbstractIncomingMessage, error: TryAgain) -> str:
        if delivery.attempt >= error.attempts:
            exhausted = CannotProcess(error.message, category=error.category, advice=error.advice, retryable=True)
            return await self._fail(delivery, exhausted)
        log.info("try_again", reason=error.message, attempt=delivery.attempt)
        await self._again(delivery, incoming, delay_for(delivery.attempt), delivery.attempt + 1, error.message)
        return "try_again"

    async def _bug(
        self, delivery: Delivery, incoming: AbstractIncomingMessage, error: Exception, *, alone: bool
    ) -> str:
        log.exception("handler_failed", attempt=delivery.attempt)
        if delivery.attempt < _BUG_ATTEMPTS and not alone:
            await self._again(delivery, incoming, _BUG_DELAY_SECONDS, delivery.attempt + 1, repr(error))
            return "bug"
        return await self._park(
            delivery.consumer, incoming, delivery.message_id, delivery, f"{type(error).__name__}: {error}"[:1000]
        )

    async def _again(
        self, delivery: Delivery, incoming: AbstractIncomingMessage, delay: int, attempt: int, error: str
    ) -> None:
        """Hand the message on to its next attempt, confirmed, before this delivery is acknowledged."""
        await self.publisher.publish(
            topology.delay_name(delay) if delay else "",
            delivery.consumer,
            incoming.body,
            envelope.retry_headers(incoming.headers, type(delivery.message), attempt, error),
            message_id=str(delivery.message_id),
        )

    async def _fail(self, delivery: Delivery, error: CannotProcess) -> str:
        """Record the failure for the user, once, unless the fact is stale meanwhile."""
        log.info("cannot_process", category=error.category, reason=error.message)
        try:
            async with delivery.record() as rec:
                # A failure that cannot be recorded must not be told by another failure, round and round.
                if isinstance(delivery.message, Fact) and not isinstance(delivery.message, ProcessingFailed):
                    await rec.say(_failure(delivery, delivery.message, error))
        except (AlreadyHandled, Stale):
            return "stale"
        return "failed"

    async def _park(
        self,
        queue: str,
        incoming: AbstractIncomingMessage,
        message_id: UUID,
        delivery: Delivery | None,
        reason: str,
    ) -> str:
        log.error("message_parked", queue=queue, reason=reason)
        metrics.parked_total.labels(self.service).inc()
        kind = envelope.type_of(incoming.headers, incoming.routing_key or "")
        fact = delivery.message if delivery and isinstance(delivery.message, Fact) else None
        row = Parked(
            uuid7(),
            queue,
            message_id,
            kind.type if kind else None,
            fact.asset_id if fact else None,
            reason,
            envelope.errors_of(incoming.headers),
            plain_headers(incoming.headers) | ({"cloudEvents_type": envelope.type_header(kind)} if kind else {}),
            incoming.body,
            datetime.now(UTC),
        )
        async with self.db.transaction() as conn:
            await park(conn, row)
        if delivery is not None:
            await self._fail(
                delivery,
                CannotProcess(
                    "Something went wrong on our side.",
                    category="internal",
                    advice="Retry; if it fails again, ask an administrator to look at the parked messages.",
                    retryable=True,
                ),
            )
        return "parked"

    async def on_dead(self, incoming: AbstractIncomingMessage) -> None:
        """What the broker gave up on: tried once more alone, and parked if that kills or fails it too."""
        self.active += 1
        try:
            headers = incoming.headers
            queue = str(headers.get("x-first-death-queue") or incoming.routing_key)
            kind = envelope.type_of(headers, incoming.routing_key or "")
            died_alone = int(str(headers.get("x-delivery-count", 0) or 0)) > 0
            message_id = envelope.message_id_of(incoming.message_id, headers, incoming.body)
            if died_alone:
                await self._park(queue, incoming, message_id, self._revive(queue, kind, incoming), "kills its worker")
            else:
                await self._settle(queue, kind, incoming, alone=True)
            await incoming.ack()
        except _NOT_NOW as error:
            log.warning("dead_returned", error=repr(error)[:300])
            await _give_back(incoming)
        finally:
            self._leave()

    def _leave(self) -> None:
        self.active -= 1
        if not self.active:
            self._became_idle.set()

    async def idle(self, seconds: float) -> None:
        """Returns when no handler runs, or when the time is over."""
        try:
            async with asyncio.timeout(seconds):
                while self.active:
                    self._became_idle.clear()
                    await self._became_idle.wait()
        except TimeoutError:
            return

    def _revive(self, queue: str, kind: type[Message] | None, incoming: AbstractIncomingMessage) -> Delivery | None:
        try:
            message = kind.parse(incoming.body) if kind else None
        except ValidationError:
            return None
        if message is None:
            return None
        message_id = envelope.message_id_of(incoming.message_id, incoming.headers, incoming.body)
        return Delivery(message, message_id, queue, 1, self.service, self.db, self.relay, self.live)


def _failure(delivery: Delivery, fact: Fact, error: CannotProcess) -> ProcessingFailed:
    return ProcessingFailed(
        asset_id=fact.asset_id,
        run=fact.run,
        collection_id=fact.collection_id,
        priority=fact.priority,
        stage=topology.stage_of(delivery.service),
        category=error.category,
        message=error.message[:2000],
        advice=error.advice[:2000],
        retryable=error.retryable,
    )


async def _give_back(incoming: AbstractIncomingMessage) -> None:
    # A pause first, so that a database that is away does not make the broker deliver in a hot loop.
    await asyncio.sleep(1)
    try:
        await incoming.nack(requeue=True)
    except BROKER_AWAY:
        return


def _bind(message: Message) -> None:
    if isinstance(message, Fact):
        structlog.contextvars.bind_contextvars(asset_id=str(message.asset_id), run=message.run, type=message.type)
    else:
        structlog.contextvars.bind_contextvars(type=message.type)


def _brief(error: ValidationError) -> str:
    return "; ".join(f"{'.'.join(map(str, e['loc'])) or 'body'}: {e['msg']}" for e in error.errors()[:5])
