"""Publishing to RabbitMQ that knows what became of a message."""

import asyncio
from collections.abc import Mapping
from time import monotonic
from typing import Any

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractExchange, AbstractRobustConnection
from aio_pika.exceptions import ChannelNotFoundEntity, DeliveryError, PublishError

from common import metrics, topology
from common.amqp import broker_calls, connect, is_blocked, until_unblocked
from common.declaring import declare_on, restore_on
from common.depths import depths

# Less than the database lets a transaction idle (common.bootstrap): the relay waits for confirms inside one.
_CONFIRM_SECONDS = 10
# However many messages come back, the topology is declared again at most this often.
_DECLARE_SECONDS = 5
_NOWHERE = "earshot.pulse"
BLOCKED = "the broker takes no messages: it is low on disk or memory"


class Unroutable(Exception):
    """The broker returned or refused the message: no queue took it."""


class Blocked(ConnectionError):
    """The broker has said that it takes no messages now."""


class Publisher:
    """Confirmed, persistent publishing on a connection of its own: a blocked publisher must not stop consumers."""

    def __init__(self, url: str, name: str) -> None:
        self.name = name
        self._url = url
        self._connection: AbstractRobustConnection | None = None
        self._channel: AbstractChannel | None = None
        self._exchanges: dict[str, AbstractExchange] = {}
        self._opening = asyncio.Lock()
        # The transport on which the topology was declared: a new one may lead to a broker that has lost it.
        self._declared_on: object | None = None
        self._declared_at: float | None = None

    async def open(self) -> None:
        """Connect, and see to it that the topology is declared. Raises one of BROKER_AWAY."""
        async with self._opening, broker_calls():
            if self._connection is None or self._connection.is_closed:
                self._connection = await connect(self._url, f"{self.name}.publish")
                self._channel = None
            if not self.connected:
                raise ConnectionError("the broker is away")
            if self._declared_on is not self._connection.transport:
                await self._declare(self._connection)
            if self._channel is None or self._channel.is_closed:
                self._channel = await self._connection.channel(publisher_confirms=True, on_return_raises=True)
                self._exchanges = {}

    async def _declare(self, connection: AbstractRobustConnection) -> None:
        transport = connection.transport
        if self._declared_at is None:
            await declare_on(connection)
        else:
            await restore_on(connection, self.name)
        self._declared_on, self._declared_at = transport, monotonic()

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close()

    @property
    def connected(self) -> bool:
        return self._connection is not None and self._connection.connected.is_set()

    @property
    def blocked(self) -> bool:
        """The broker has said that it takes no messages now."""
        return self._connection is not None and is_blocked(self._connection)

    async def publish(
        self,
        exchange: str,
        routing_key: str,
        body: bytes,
        headers: Mapping[str, Any],
        *,
        message_id: str,
        mandatory: bool = True,
        patient: bool = False,
    ) -> None:
        """Returns when the broker has it safely. Raises Unroutable, or one of BROKER_AWAY.

        While the broker takes no messages: ``patient`` waits, for callers that hold a delivery and nothing else;
        otherwise Blocked at once, with nothing written that would be published later all the same.
        """
        if patient and self._connection is not None:
            await until_unblocked(self._connection)
        message = aio_pika.Message(
            body,
            headers=dict(headers),
            message_id=message_id,
            content_type="application/json",
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        )
        async with broker_calls():
            target = await self._exchange(exchange)
            try:
                await target.publish(message, routing_key, mandatory=mandatory, timeout=_CONFIRM_SECONDS)
            except DeliveryError as error:
                if isinstance(error, PublishError):
                    self._came_back()
                raise Unroutable(f"{exchange or 'default exchange'} / {routing_key}: {error}") from error
            except ChannelNotFoundEntity:
                # The exchange is gone, and with it the channel; both are there again before the next message.
                self._declared_on = None
                raise

    def _came_back(self) -> None:
        metrics.returned.labels(self.name).inc()
        # A queue or a binding may be missing: declared again before the next message.
        if self._declared_at is None or monotonic() - self._declared_at > _DECLARE_SECONDS:
            self._declared_on = None

    async def _exchange(self, name: str) -> AbstractExchange:
        if self.blocked:
            raise Blocked(BLOCKED)
        if not self._is_open():
            async with asyncio.timeout(_CONFIRM_SECONDS):
                await self.open()
        assert self._channel is not None
        if not name:
            return self._channel.default_exchange
        if name not in self._exchanges:
            self._exchanges[name] = await self._channel.get_exchange(name, ensure=False)
        return self._exchanges[name]

    def _is_open(self) -> bool:
        if self._connection is None or self._channel is None or self._channel.is_closed:
            return False
        return self.connected and self._declared_on is self._connection.transport

    async def probe(self) -> None:
        """Returns when the broker takes messages from here. Raises one of BROKER_AWAY."""
        await self.publish("", _NOWHERE, b"", {}, message_id=_NOWHERE, mandatory=False)

    async def look_over(self) -> None:
        """Declare the topology again if a queue of any service is missing: its own service may not be running."""
        await self.open()
        async with broker_calls():
            assert self._connection is not None
            found = await depths(self._connection, topology.all_queues())
        if None in found.values():
            self._declared_on = None
            await self.open()
