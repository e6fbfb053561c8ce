"""How one delivery is settled: every one ends in one of five outcomes, and none is lost.

Done is acknowledged after the commit; TryAgain goes through a delay queue; Continue goes back to its queue;
CannotProcess is recorded for the user; anything else is a bug, retried a few times and then parked.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import structlog
from aio_pika.abc import AbstractIncomingMessage
from pydantic import ValidationError

from common import crash, envelope, metrics, topology
from common.away import DATABASE_TROUBLE
from common.broker import Publisher
from common.db import Database
from common.delivery import Delivery
from common.envelope import seal
from common.errors import AlreadyHandled, CannotProcess, Continue, Stale, TryAgain
from common.events import Fact, Message, ProcessingFailed
from common.ids import uuid7
from common.logs import get_logger
from common.outbox import Relay
from common.parked import Parked
from common.parked_headers import kept_headers
from common.parking import Parking, Telling
from common.progress import Progress
from common.recording import Arrival
from common.together import Together
from common.turns import Leaving

log = get_logger()

Handler = Callable[[Any, Delivery], Awaitable[None]]
# Of what was delivered; None where nobody knows it.
Kind = type[Message] | None

# A bug does not heal by waiting: three more tries a few seconds apart, for what only looked like one.
_BUG_ATTEMPTS = 4
_BUG_DELAY_SECONDS = 5
# A server that refuses every write at once (its disk is full) must not see the whole backlog go round and round.
_TROUBLE_SECONDS = 2.0


def delay_for(attempt: int) -> int:
    """Seconds to wait before the attempt after this one."""
    short, middle, long = topology.DELAYS
    return short if attempt <= 3 else middle if attempt <= 6 else long


@dataclass
class Settler:
    """Takes deliveries of one service to their outcome; whoever calls acknowledges them after it."""

    service: str
    db: Database
    publisher: Publisher
    relay: Relay | None = None
    live: Progress | None = None
    handlers: dict[str, Handler] = field(default_factory=dict[str, Handler])
    # Asked between the steps of long work.
    leaving: Callable[[], bool] = lambda: False

    def __post_init__(self) -> None:
        self.together = Together(self.db, self.service, self.relay)
        self.parking = Parking(self.db, self.service, self.relay)

    async def settle(self, queue: str, kind: Kind, incoming: AbstractIncomingMessage, *, last: bool = False) -> str:
        """Answers the name of the outcome. ``last``: what fails now is parked, not retried. Raises Leaving."""
        try:
            return await self._settle(queue, kind, incoming, last=last)
        except DATABASE_TROUBLE as error:
            # Whether the transaction committed is not known; the inbox knows it when the message comes again.
            log.warning("database_trouble", error=repr(error)[:300])
            await asyncio.sleep(0 if self.leaving() else _TROUBLE_SECONDS)
            await self._again(queue, kind, incoming, topology.DELAYS[0], envelope.attempt_of(incoming.headers), "")
            return "database_away"

    async def _settle(self, queue: str, kind: Kind, incoming: AbstractIncomingMessage, *, last: bool) -> str:
        if kind is None:
            return await self.park(queue, kind, incoming, "no known type")
        handler = self.handlers.get(kind.type)
        if handler is None and queue == topology.GATEWAY_QUEUE:
            # This queue hears everything; what the gateway has no use for is done.
            return "ignored"
        if handler is None:
            return await self.park(queue, kind, incoming, f"{self.service} has no handler for {kind.type}")
        try:
            message = kind.parse(incoming.body)
        except ValidationError as error:
            return await self.park(queue, kind, incoming, f"not a valid {kind.type}: {_brief(error)}")
        _bind(message)
        return await self._handle(handler, self._delivery(queue, message, incoming), incoming, last=last)

    def _delivery(self, queue: str, message: Message, incoming: AbstractIncomingMessage) -> Delivery:
        return Delivery(
            message,
            envelope.message_id_of(incoming.message_id, incoming.headers, incoming.body),
            queue,
            envelope.attempt_of(incoming.headers),
            self.service,
            self.db,
            self.relay,
            self.live,
            self.leaving,
            self.together if _may_join_others(queue, incoming) else None,
        )

    async def _handle(
        self, handler: Handler, delivery: Delivery, incoming: AbstractIncomingMessage, *, last: bool
    ) -> str:
        try:
            await handler(delivery.message, delivery)
        except Leaving:
            raise
        except AlreadyHandled:
            return "duplicate"
        except Stale as reason:
            log.info("fact_stale", reason=str(reason))
            return "stale"
        except Continue:
            await self._again(delivery.consumer, type(delivery.message), incoming, 0, delivery.attempt, "")
            return "continue"
        except CannotProcess as error:
            return await self._fail(delivery, error)
        except TryAgain as error:
            return await self._try_again(delivery, incoming, error)
        except DATABASE_TROUBLE:
            raise
        except Exception as error:  # noqa: BLE001 (a bug of ours: its consequence is decided here, for all handlers)
            return await self._bug(delivery, incoming, error, last=last)
        return "done"

    async def _try_again(self, delivery: Delivery, incoming: AbstractIncomingMessage, error: TryAgain) -> str:
        if delivery.attempt >= error.attempts:
            exhausted = CannotProcess(error.message, category=error.category, advice=error.advice, retryable=True)
            return await self._fail(delivery, exhausted)
        log.info("try_again", reason=error.message, attempt=delivery.attempt)
        delay, attempt = delay_for(delivery.attempt), delivery.attempt + 1
        await self._again(delivery.consumer, type(delivery.message), incoming, delay, attempt, error.message)
        return "try_again"

    async def _bug(self, delivery: Delivery, incoming: AbstractIncomingMessage, error: Exception, *, last: bool) -> str:
        log.exception("handler_failed", attempt=delivery.attempt)
        if delivery.attempt < _BUG_ATTEMPTS and not last:
            attempt = delivery.attempt + 1
            await self._again(
                delivery.consumer, type(delivery.message), incoming, _BUG_DELAY_SECONDS, attempt, repr(error)
            )
            return "bug"
        reason = f"{type(error).__name__}: {error}"[:1000]
        return await self.park(delivery.consumer, type(delivery.message), incoming, reason, at_once=last)

    async def _again(
        self, queue: str, kind: Kind, incoming: AbstractIncomingMessage, delay: int, attempt: int, error: str
    ) -> None:
        """Hand the message on to its next attempt, confirmed, before this delivery is acknowledged."""
        crash.point("retry.handing_on")
        await self.publisher.publish(
            topology.delay_name(delay) if delay else "",
            queue,
            incoming.body,
            envelope.retry_headers(incoming.headers, kind, attempt, error),
            message_id=str(envelope.message_id_of(incoming.message_id, incoming.headers, incoming.body)),
            patient=True,
        )
        crash.point("retry.handed_on")

    async def _fail(self, delivery: Delivery, error: CannotProcess) -> str:
        """Record the failure for the user, once, unless the fact is stale meanwhile."""
        log.info("cannot_process", category=error.category, reason=error.message)
        try:
            async with delivery.record() as rec:
                failure = _failure(delivery, error)
                if failure is not None:
                    await rec.say(failure)
        except (AlreadyHandled, Stale):
            return "stale"
        return "failed"

    async def park(
        self,
        queue: str,
        kind: Kind,
        incoming: AbstractIncomingMessage,
        reason: str,
        *,
        at_once: bool = False,
    ) -> str:
        """Set the message aside for people; the asset that it names, if any, is told to have failed."""
        log.error("message_parked", queue=queue, reason=reason)
        metrics.parked_total.labels(self.service).inc()
        message = _read(kind, incoming.body)
        row = _row(queue, kind, message, incoming, reason)
        telling = self._telling(self._delivery(queue, message, incoming)) if message is not None else None
        crash.point("parked.keeping")
        await self.parking.keep(row, telling, at_once=at_once or not topology.is_light(queue))
        crash.point("parked.kept")
        return "parked"

    def _telling(self, delivery: Delivery) -> Telling:
        # Sealed here, where the trace of the message is the current one.
        failure = _failure(delivery, _PARKED)
        sealed = [seal(failure, self.service, topology.EVENTS_EXCHANGE)] if failure is not None else []
        return Telling(Arrival(delivery.message, delivery.message_id, delivery.consumer), sealed)


_PARKED = CannotProcess("Something went wrong on our side.", category="internal")


def _read(kind: Kind, body: bytes) -> Message | None:
    """The message; of one that is not valid at least which asset it is about; else nothing."""
    for model in (kind, Fact):
        try:
            if model is not None:
                return model.parse(body)
        except ValidationError:
            continue
    return None


def _row(queue: str, kind: Kind, message: Message | None, incoming: AbstractIncomingMessage, reason: str) -> Parked:
    return Parked(
        uuid7(),
        queue,
        envelope.message_id_of(incoming.message_id, incoming.headers, incoming.body),
        kind.type if kind else None,
        message.asset_id if isinstance(message, Fact) else None,
        reason,
        envelope.errors_of(incoming.headers),
        kept_headers(incoming.headers, incoming.routing_key or ""),
        incoming.body,
        datetime.now(UTC),
    )


def _failure(delivery: Delivery, error: CannotProcess) -> ProcessingFailed | None:
    """What to tell; None where there is no asset to tell it of."""
    fact = delivery.message
    # A failure that cannot be recorded must not be told by another failure, round and round.
    if not isinstance(fact, Fact) or isinstance(fact, ProcessingFailed):
        return None
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


def _may_join_others(queue: str, incoming: AbstractIncomingMessage) -> bool:
    """Only what comes for the first time: what has failed before fails, or delays, nobody but itself."""
    return queue == topology.GATEWAY_QUEUE and not envelope.is_retried(incoming.headers)


def _bind(message: Message) -> None:
    if isinstance(message, Fact):
        structlog.contextvars.bind_contextvars(asset_id=str(message.asset_id), run=message.run, type=message.type)
    else:
        structlog.contextvars.bind_contextvars(type=message.type)


def _brief(error: ValidationError) -> str:
    return "; ".join(f"{'.'.join(map(str, e['loc'])) or 'body'}: {e['msg']}" for e in error.errors()[:5])
