"""One queue heard through FastStream: its consumer, and the signs that it still delivers."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import cast

import aiormq
from aio_pika.abc import AbstractIncomingMessage, AbstractRobustChannel, AbstractRobustQueue
from aio_pika.exceptions import AMQPChannelError, ChannelNotFoundEntity
from faststream import AckPolicy
from faststream.rabbit import Channel, QueueType, RabbitBroker, RabbitQueue

from common import metrics, topology
from common.amqp import broker_calls
from common.away import BROKER_AWAY
from common.logs import get_logger

log = get_logger()

_ANSWER_SECONDS = 5

Receive = Callable[[AbstractIncomingMessage], Awaitable[None]]


def _nobody() -> None:
    """Before anybody watches."""


def _is_broker_s_doing(error: BaseException | None) -> bool:
    # The end that we asked for has no words; a queue that is missing at reopening is the watch's to report.
    return isinstance(error, AMQPChannelError) and any(error.args) and not isinstance(error, ChannelNotFoundEntity)


class Subscription:
    """Holds one consumer, on a channel of its own, acknowledged only by us."""

    def __init__(self, broker: RabbitBroker, queue: str, prefetch: int, receive: Receive) -> None:
        self.queue = queue
        # Called when something happens to the consumer or its channel.
        self.tell: Callable[[], None] = _nobody
        self._service = topology.service_of_queue(queue)
        self._prefetch = prefetch
        self._receive = receive
        self._tag = ""
        self._running = 0
        self._delivered = 0
        # Deliveries at the last look at which messages waited though there was room for them here.
        self._waited_at: int | None = None
        self._subscriber = broker.subscriber(
            RabbitQueue(queue, queue_type=QueueType.QUORUM, durable=True, declare=False),
            ack_policy=AckPolicy.MANUAL,
            channel=Channel(prefetch_count=prefetch),
            no_reply=True,
        )
        self._subscriber(self._take)

    async def _take(self, message: AbstractIncomingMessage) -> None:
        self._delivered += 1
        self._running += 1
        try:
            await self._receive(message)
        finally:
            self._running -= 1

    @property
    def _queue(self) -> AbstractRobustQueue:
        # FastStream keeps aio-pika's queue to itself.
        queue: AbstractRobustQueue | None = getattr(self._subscriber, "_queue_obj", None)
        if queue is None:
            raise ConnectionError(f"{self.queue} is not heard")
        return queue

    @property
    def _held(self) -> str:
        return self._tag or getattr(self._subscriber, "_consumer_tag", None) or ""

    async def holds_consumer(self) -> bool:
        """Whether the channel is open and knows our consumer; from then on, its end by the broker is noticed."""
        channel = self._queue.channel
        if channel.is_closed:
            return False
        underlay = cast("aiormq.Channel", await channel.get_underlay_channel())
        underlay.on_consumer_cancel_callbacks.add(self._cancelled)
        channel.close_callbacks.add(self._closed)
        return self._held in underlay.consumers

    def _cancelled(self, _frame: object) -> None:
        metrics.cancelled.labels(self._service, self.queue).inc()
        log.error("consumer_cancelled", queue=self.queue, advice="if somebody deleted the queue, its messages are lost")
        self.tell()

    def _closed(self, _channel: object, error: BaseException | None) -> None:
        if _is_broker_s_doing(error):
            metrics.closed.labels(self._service, self.queue).inc()
            log.error("channel_closed", queue=self.queue, reason=str(error), unfinished=self._running)
        self.tell()

    def is_stalled(self, ready: int) -> bool:
        """Messages wait, there is room for them here, and none has come since the last look at which it was so."""
        waits = ready > 0 and self._running < self._prefetch
        stalled = waits and self._waited_at == self._delivered
        self._waited_at = self._delivered if waits else None
        return stalled

    async def renew(self) -> None:
        """Give up the consumer and take a new one; what the old one brought is still handled and acknowledged."""
        queue = self._queue
        with contextlib.suppress(*BROKER_AWAY):
            await queue.cancel(self._held, timeout=_ANSWER_SECONDS)
        await cast("AbstractRobustChannel", queue.channel).restore()
        self._tag = await queue.consume(cast("Receive", self._subscriber.consume), timeout=_ANSWER_SECONDS)
        self._waited_at = None

    async def cancel(self, seconds: float) -> None:
        """No more deliveries; what is here is still handled and acknowledged."""
        # Its own timeout does not cover the wait for a lost connection to come back.
        with contextlib.suppress(*BROKER_AWAY):
            async with asyncio.timeout(seconds), broker_calls():
                await self._queue.cancel(self._held)
