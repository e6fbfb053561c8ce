"""The service's subscriptions by FastStream: who listens to which queue, and how listening ends."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from aio_pika.abc import AbstractIncomingMessage
from faststream import AckPolicy
from faststream.rabbit import Channel, QueueType, RabbitBroker, RabbitQueue
from faststream.rabbit.subscriber.usecase import RabbitSubscriber

from common import topology
from common.away import BROKER_AWAY
from common.broker import connect, declare_on
from common.consumer import Consumer
from common.logs import get_logger

log = get_logger()

Receive = Callable[[AbstractIncomingMessage], Awaitable[None]]
_GATEWAY_PREFETCH = 50
_START_SECONDS = 30


async def _as_it_is(message: Any) -> Any:
    """FastStream's decoder step: the whole delivery, because bad JSON must be parked, not raised."""
    return message.raw_message


class Subscriptions:
    """Every queue of the service, each on a channel with its own prefetch, acknowledged only by us."""

    def __init__(self, url: str, consumer: Consumer) -> None:
        self._url = url
        self._consumer = consumer
        self._broker: RabbitBroker | None = None
        self._subscribers: list[RabbitSubscriber] = []

    @property
    def queues(self) -> dict[str, int]:
        """Queue name to prefetch."""
        if self._consumer.service == "gateway":
            return {topology.GATEWAY_QUEUE: _GATEWAY_PREFETCH}
        return {
            queue: hearing.prefetch
            for hearing in topology.hearings(self._consumer.service)
            if hearing.message.type in self._consumer.handlers
            for queue in hearing.queues
        }

    async def start(self) -> None:
        """Waits for the broker as long as it takes; topology first, then traffic."""
        while True:
            try:
                # A broker that is just coming up may accept a consumer and never say so.
                await asyncio.wait_for(self._start_once(), _START_SECONDS)
            except BROKER_AWAY as error:
                log.warning("broker_waits", error=repr(error)[:200])
                await self.close()
                await asyncio.sleep(1)
            else:
                log.info("consuming", queues=len(self._subscribers))
                return

    async def _start_once(self) -> None:
        connection = await connect(self._url, f"{self._consumer.service}.declare")
        async with connection:
            await declare_on(connection)
        separator = "&" if "?" in self._url else "?"
        self._broker = RabbitBroker(
            f"{self._url}{separator}heartbeat=10",
            logger=None,
            apply_types=False,
            graceful_timeout=0.1,
            reconnect_interval=1.0,
            decoder=_as_it_is,
        )
        for queue, prefetch in self.queues.items():
            self._subscribe(queue, prefetch, self._on_work(queue))
        self._subscribe(topology.dead_queue(self._consumer.service), 1, self._consumer.on_dead)
        await self._broker.start()

    def _on_work(self, queue: str) -> Receive:
        async def receive(message: AbstractIncomingMessage) -> None:
            await self._consumer.on_message(queue, message)

        return receive

    def _subscribe(self, queue: str, prefetch: int, receive: Receive) -> None:
        assert self._broker is not None
        subscriber = self._broker.subscriber(
            RabbitQueue(queue, queue_type=QueueType.QUORUM, durable=True, declare=False),
            ack_policy=AckPolicy.MANUAL,
            channel=Channel(prefetch_count=prefetch),
            no_reply=True,
        )
        subscriber(receive)
        self._subscribers.append(subscriber)

    @property
    def ready(self) -> bool:
        """Connected, and every subscriber holds a consumer."""
        connection = getattr(self._broker, "_connection", None)
        return bool(
            connection is not None
            and connection.connected.is_set()
            and self._subscribers
            and all(subscriber.running for subscriber in self._subscribers)
        )

    async def stop(self, seconds: float) -> None:
        """Cancel every consumer first, then give the running handlers one shared deadline, then close.

        FastStream's own stop waits before it cancels, and swallows what is delivered meanwhile.
        """
        await asyncio.gather(*(self._cancel(subscriber) for subscriber in self._subscribers), return_exceptions=True)
        deadline = asyncio.get_running_loop().time() + seconds
        await self._consumer.idle(deadline - asyncio.get_running_loop().time())
        if self._consumer.active:
            log.warning("drain_deadline", unfinished=self._consumer.active)
        await self.close()

    async def _cancel(self, subscriber: RabbitSubscriber) -> None:
        queue, tag = getattr(subscriber, "_queue_obj", None), getattr(subscriber, "_consumer_tag", None)
        if queue is not None and tag is not None:
            # Its own timeout does not cover the wait for a lost connection to come back.
            await asyncio.wait_for(queue.cancel(tag, timeout=2), 3)

    async def close(self) -> None:
        if self._broker is not None:
            try:
                await asyncio.wait_for(self._broker.stop(), 5)
            except BROKER_AWAY:
                log.info("broker_closed_hard")
        self._broker = None
        self._subscribers = []
