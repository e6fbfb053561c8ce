"""Progress and live news on the transient exchange: not persisted, not confirmed, allowed to be lost."""

import asyncio
import json
from time import monotonic
from typing import Any
from uuid import UUID

import aio_pika
from aio_pika.abc import AbstractExchange, AbstractRobustConnection

from common import topology
from common.amqp import broker_calls, connect, is_blocked
from common.away import BROKER_AWAY

_WORDS = 300
_PATIENCE_SECONDS = 5.0
_QUIET_SECONDS = 5.0


class Progress:
    """Publishes to ``earshot.live``: ``progress.<asset>`` while work goes on, ``news.<asset>`` for facts."""

    def __init__(self, url: str, service: str) -> None:
        self._url = url
        self._service = service
        self._connection: AbstractRobustConnection | None = None
        self._exchange: AbstractExchange | None = None
        self._opening = asyncio.Lock()
        self._quiet_until = 0.0

    async def tell(self, asset_id: UUID, run: int, stage: str, fraction: float, words: str, **extra: object) -> None:
        """``fraction`` of the stage from 0 to 1; ``words`` for a person; ``extra`` must be JSON."""
        body = {
            "asset_id": str(asset_id),
            "run": run,
            "stage": stage,
            "progress": round(min(max(fraction, 0.0), 1.0), 4),
            "words": words[:_WORDS],
            **extra,
        }
        await self.send(f"progress.{asset_id}", body)

    async def send(self, routing_key: str, body: dict[str, Any]) -> None:
        """Lost in silence when the broker is away or takes nothing: nothing depends on it, nothing waits for it."""
        if monotonic() < self._quiet_until:
            return
        message = aio_pika.Message(json.dumps(body).encode(), content_type="application/json")
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS), broker_calls():
                exchange = await self._live()
                await exchange.publish(message, routing_key, mandatory=False)
        except BROKER_AWAY:
            # Work that tells its progress often must not wait every time.
            self._quiet_until = monotonic() + _QUIET_SECONDS

    async def _live(self) -> AbstractExchange:
        async with self._opening:
            if self._connection is None:
                self._connection = await connect(self._url, f"{self._service}.live")
            if self._exchange is None:
                channel = await self._connection.channel(publisher_confirms=False)
                self._exchange = await channel.declare_exchange(topology.LIVE_EXCHANGE, "topic", durable=True)
        if not self._connection.connected.is_set() or is_blocked(self._connection):
            raise ConnectionError("the broker is away, or takes no messages")
        return self._exchange

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close()
