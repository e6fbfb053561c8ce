"""Hears every message on the events exchange on a durable queue of the rig's own, and can say some itself."""

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage
from common import topology
from common.away import BROKER_AWAY

QUEUE = "rig.facts"
# On what the rig says itself: copies of facts, and poison.
COPY = "x-rig-copy"
_PAUSE_SECONDS = 0.3
_CONFIRM_SECONDS = 10.0


@dataclass
class Heard:
    """A message as it was first heard; ``times`` counts the broker's and the relay's repetitions, not our copies."""

    message_id: str
    routing_key: str
    headers: dict[str, Any]
    body: bytes
    at: float
    times: int = 1


@dataclass
class Ear:
    """``facts`` in the order in which they came first."""

    url: str
    facts: dict[str, Heard] = field(default_factory=dict[str, Heard])
    heard_at: list[float] = field(default_factory=list[float])
    _publishing: AbstractChannel | None = None

    async def run(self, ready: asyncio.Event) -> None:
        """Until cancelled; a broker that is away is waited for."""
        while True:
            with suppress(*BROKER_AWAY):
                async with self._connected() as channel:
                    queue = await channel.declare_queue(QUEUE, durable=True, arguments={"x-queue-type": "quorum"})
                    await queue.bind(topology.EVENTS_EXCHANGE, "#")
                    ready.set()
                    async with queue.iterator() as messages:
                        async for message in messages:
                            self._take(message)
                            await message.ack()
            await asyncio.sleep(_PAUSE_SECONDS)

    @asynccontextmanager
    async def _connected(self) -> AsyncGenerator[AbstractChannel]:
        connection = await aio_pika.connect(f"{self.url}?heartbeat=5", timeout=5)
        try:
            self._publishing = await connection.channel(publisher_confirms=True, on_return_raises=True)
            channel = await connection.channel()
            await channel.set_qos(prefetch_count=200)
            yield channel
        finally:
            self._publishing = None
            with suppress(*BROKER_AWAY):
                await asyncio.wait_for(connection.close(), 2)

    def _take(self, message: AbstractIncomingMessage) -> None:
        if COPY in message.headers:
            return
        now, message_id = time.monotonic(), str(message.message_id)
        self.heard_at.append(now)
        known = self.facts.get(message_id)
        if known is not None:
            known.times += 1
            return
        self.facts[message_id] = Heard(message_id, message.routing_key or "", dict(message.headers), message.body, now)

    async def say(self, routing_key: str, body: bytes, headers: Mapping[str, Any], message_id: UUID | str) -> None:
        """Returns when the broker has it. Raises one of BROKER_AWAY."""
        if self._publishing is None:
            raise ConnectionError("the rig is not connected")
        message = aio_pika.Message(
            body,
            headers=dict(headers),
            message_id=str(message_id),
            content_type="application/json",
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        )
        exchange = await self._publishing.get_exchange(topology.EVENTS_EXCHANGE, ensure=False)
        try:
            await exchange.publish(message, routing_key, timeout=_CONFIRM_SECONDS)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise ConnectionError("the connection was lost while publishing") from None

    async def say_surely(self, routing_key: str, body: bytes, headers: Mapping[str, Any], message_id: UUID) -> None:
        """As a careful publisher does: again, with the same id, until it is confirmed."""
        while True:
            try:
                return await self.say(routing_key, body, headers, message_id)
            except BROKER_AWAY:
                await asyncio.sleep(_PAUSE_SECONDS)
