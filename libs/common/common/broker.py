"""Connections to RabbitMQ, the declared topology, and publishing that knows what became of a message."""

import asyncio
from collections.abc import Mapping
from typing import Any

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractExchange, AbstractRobustConnection
from aio_pika.exceptions import DeliveryError, PublishError

from common import topology
from common.logs import get_logger

log = get_logger()

_HEARTBEAT_SECONDS = 10
_CONFIRM_SECONDS = 15


class Unroutable(Exception):
    """The broker returned or refused the message: no queue took it."""


async def connect(url: str, name: str) -> AbstractRobustConnection:
    """A connection that comes back by itself. Raises one of BROKER_AWAY when there is no broker now."""
    separator = "&" if "?" in url else "?"
    return await aio_pika.connect_robust(
        f"{url}{separator}heartbeat={_HEARTBEAT_SECONDS}&reconnect_interval=1",
        client_properties={"connection_name": name},
        timeout=10,
    )


async def declare_topology(channel: AbstractChannel) -> None:
    """Declare everything that exists, whoever needs it: a fact published before a hearer's queue is lost to it."""
    events = await channel.declare_exchange(topology.EVENTS_EXCHANGE, "topic", durable=True)
    live = await channel.declare_exchange(topology.LIVE_EXCHANGE, "topic", durable=True)
    dead = await channel.declare_exchange(topology.DEAD_EXCHANGE, "direct", durable=True)
    for service in topology.SERVICES:
        queue = await channel.declare_queue(
            topology.dead_queue(service),
            durable=True,
            arguments={"x-queue-type": "quorum", "x-delivery-limit": 1_000_000},
        )
        await queue.bind(dead, service)
    for name, keys in topology.work_queues().items():
        queue = await channel.declare_queue(name, durable=True, arguments=_work_arguments(name))
        for key in keys:
            await queue.bind(events, key)
    for seconds in topology.DELAYS:
        await _declare_delay(channel, seconds)
    progress = await channel.declare_queue(
        topology.PROGRESS_QUEUE, durable=True, arguments={"x-max-length": 10_000, "x-overflow": "drop-head"}
    )
    await progress.bind(live, "progress.#")


def _work_arguments(queue: str) -> dict[str, Any]:
    return {
        "x-queue-type": "quorum",
        "x-delivery-limit": topology.DELIVERY_LIMIT,
        "x-dead-letter-exchange": topology.DEAD_EXCHANGE,
        "x-dead-letter-routing-key": topology.service_of_queue(queue),
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }


async def _declare_delay(channel: AbstractChannel, seconds: int) -> None:
    # A fanout in front and no dead-letter routing key: the message keeps its routing key, which names the
    # queue to return to. Through the default exchange it would be dead-lettered to the delay queue itself.
    name = topology.delay_name(seconds)
    exchange = await channel.declare_exchange(name, "fanout", durable=True)
    queue = await channel.declare_queue(
        name,
        durable=True,
        arguments={
            "x-queue-type": "quorum",
            "x-message-ttl": seconds * 1000,
            "x-dead-letter-exchange": "",
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
        },
    )
    await queue.bind(exchange)


async def declare_on(connection: AbstractRobustConnection) -> None:
    channel = await connection.channel()
    try:
        await declare_topology(channel)
    finally:
        await channel.close()


class Publisher:
    """Confirmed, persistent publishing on a connection of its own: a blocked publisher must not stop consumers."""

    def __init__(self, url: str, name: str) -> None:
        self._url = url
        self._name = name
        self._connection: AbstractRobustConnection | None = None
        self._channel: AbstractChannel | None = None
        self._exchanges: dict[str, AbstractExchange] = {}
        self._opening = asyncio.Lock()

    async def open(self) -> None:
        """Connect and declare the topology. Raises one of BROKER_AWAY."""
        async with self._opening:
            if self._connection is None or self._connection.is_closed:
                self._connection = await connect(self._url, f"{self._name}.publish")
                self._channel = None
            if self._channel is None or self._channel.is_closed:
                await declare_on(self._connection)
                self._channel = await self._connection.channel(publisher_confirms=True, on_return_raises=True)
                self._exchanges = {}

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close()

    @property
    def connected(self) -> bool:
        return self._connection is not None and self._connection.connected.is_set()

    async def publish(
        self,
        exchange: str,
        routing_key: str,
        body: bytes,
        headers: Mapping[str, Any],
        *,
        message_id: str,
        mandatory: bool = True,
    ) -> None:
        """Returns when the broker has it safely. Raises Unroutable, or one of BROKER_AWAY."""
        target = await self._exchange(exchange)
        message = aio_pika.Message(
            body,
            headers=dict(headers),
            message_id=message_id,
            content_type="application/json",
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        )
        try:
            await target.publish(message, routing_key, mandatory=mandatory, timeout=_CONFIRM_SECONDS)
        except (PublishError, DeliveryError) as error:
            raise Unroutable(f"{exchange or 'default exchange'} / {routing_key}: {error}") from error
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            # aiormq cancels waiting publishers when a heartbeat is lost; nobody cancelled us.
            raise ConnectionError("the broker's connection was lost while publishing") from None

    async def _exchange(self, name: str) -> AbstractExchange:
        if self._channel is None or self._channel.is_closed or not self.connected:
            await asyncio.wait_for(self.open(), _CONFIRM_SECONDS)
        assert self._channel is not None
        if not name:
            return self._channel.default_exchange
        if name not in self._exchanges:
            self._exchanges[name] = await self._channel.get_exchange(name, ensure=False)
        return self._exchanges[name]
