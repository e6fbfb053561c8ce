"""The service's subscriptions by FastStream: who listens to which queue, and how listening begins and ends."""

import asyncio
from contextlib import suppress
from time import monotonic
from typing import Any

from aio_pika.abc import AbstractConnection, AbstractIncomingMessage
from faststream.rabbit import RabbitBroker

from common import metrics, topology
from common.amqp import CONNECT_SECONDS, broker_calls, connect_once, in_words, with_heartbeat
from common.away import BROKER_AWAY
from common.consumer import Consumer
from common.declaring import declare_on
from common.logs import get_logger
from common.subscription import Receive, Subscription
from common.watch import Watch

log = get_logger()

_GATEWAY_PREFETCH = 50
_START_SECONDS = 30
_CANCEL_SECONDS = 1.0
_ACQUIT_SECONDS = 0.5
_CLOSE_SECONDS = 1.0


async def _as_it_is(message: Any) -> Any:
    """FastStream's decoder step: the whole delivery, because bad JSON must be parked, not raised."""
    return message.raw_message


class Subscriptions:
    """Every queue of the service, each on a channel with its own prefetch, acknowledged only by us."""

    def __init__(self, url: str, consumer: Consumer) -> None:
        self._url = url
        self._consumer = consumer
        self._connection: AbstractConnection | None = None
        self._subscriptions: list[Subscription] = []
        self._watch: Watch | None = None
        self._keeper: asyncio.Task[None] | None = None

    @property
    def queues(self) -> dict[str, int]:
        """Queue name to prefetch."""
        if self._consumer.service == "gateway":
            return {topology.GATEWAY_QUEUE: _GATEWAY_PREFETCH}
        return {
            queue: self._consumer.at_once.get(hearing.message.type, hearing.prefetch)
            for hearing in topology.hearings(self._consumer.service)
            if hearing.message.type in self._consumer.handlers
            for queue in hearing.queues
        }

    async def start(self) -> None:
        """Waits for the broker as long as it takes; topology first, then traffic; watched from then on."""
        await self._begin()
        self._keeper = asyncio.create_task(self._keep())

    async def _begin(self) -> None:
        said = ""
        while True:
            try:
                # A broker that is just coming up may accept a consumer and never say so.
                async with asyncio.timeout(_START_SECONDS), broker_calls():
                    await self._begin_once()
            except BROKER_AWAY as error:
                metrics.connected.labels(self._consumer.service, "consume").set(0)
                if in_words(error) != said:
                    said = in_words(error)
                    log.warning("broker_waits", reason=said)
                await self.close()
                await asyncio.sleep(1)
            else:
                log.info("consuming", queues=len(self._subscriptions))
                return

    async def _begin_once(self) -> None:
        service = self._consumer.service
        async with await connect_once(self._url, f"{service}.declare") as connection:
            await declare_on(connection)
        broker = RabbitBroker(
            with_heartbeat(self._url).update_query(name=f"{service}.consume"),
            logger=None,
            apply_types=False,
            timeout=CONNECT_SECONDS,
            reconnect_interval=1.0,
            decoder=_as_it_is,
        )
        self._connection = await broker.connect()
        held = [Subscription(broker, queue, prefetch, self._on_work(queue)) for queue, prefetch in self.queues.items()]
        held.append(Subscription(broker, topology.dead_queue(service), 1, self._consumer.on_dead))
        self._subscriptions = held
        await broker.start()
        self._watch = Watch(service, self._url, self._connection, held)
        self._connection.close_callbacks.add(self._watch.tell)
        self._connection.reconnect_callbacks.add(self._watch.tell)
        # From the first look on, the broker's end of a consumer is noticed.
        await self._watch.look()

    def _on_work(self, queue: str) -> Receive:
        async def receive(message: AbstractIncomingMessage) -> None:
            await self._consumer.on_message(queue, message)

        return receive

    async def _keep(self) -> None:
        """Until cancelled: watch, and when watching finds that nothing else helps, begin anew."""
        while True:
            assert self._watch is not None
            try:
                await self._watch.run()
            except Exception:
                # Readiness says so from now on.
                log.exception("watch_ended")
                raise
            log.error("subscriptions_renewed")
            await self.close()
            await self._begin()

    @property
    def ready(self) -> bool:
        """Connected, every queue exists, and each has our consumer."""
        return self._watch is not None and self._watch.ready

    async def stop(self, seconds: float) -> None:
        """Cancel every consumer, hand back what has not begun, give running handlers the rest of the time, close.

        FastStream's own stop waits before it cancels, and swallows what is delivered meanwhile.
        """
        deadline = monotonic() + seconds
        await self._stop_watching()
        cancels = [asyncio.create_task(held.cancel(_CANCEL_SECONDS)) for held in self._subscriptions]
        if cancels:
            # What is handed back earlier comes back at once, as long as we are a consumer.
            await asyncio.wait(cancels, timeout=_CANCEL_SECONDS)
        self._consumer.turns.leave()
        await self._consumer.idle(max(0.0, deadline - monotonic()))
        if self._consumer.active:
            log.warning("drain_deadline", unfinished=self._consumer.active)
            # A database that does not answer must not hold up the end.
            await asyncio.wait({asyncio.create_task(self._consumer.acquit_suspect())}, timeout=_ACQUIT_SECONDS)
        await self.close()

    async def _stop_watching(self) -> None:
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.cancel()
            # Not for as long as a call to a silent broker may take.
            await asyncio.wait({keeper}, timeout=_CANCEL_SECONDS)

    async def close(self) -> None:
        """At once; handlers that still run are cancelled, and what they held goes back.

        FastStream's own stop asks the broker for every consumer's end, and gives up when it is silent.
        """
        connection, self._connection = self._connection, None
        self._watch, self._subscriptions = None, []
        if connection is not None:
            with suppress(*BROKER_AWAY):
                async with asyncio.timeout(_CLOSE_SECONDS), broker_calls():
                    await connection.close()
