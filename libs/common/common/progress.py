"""Progress and live news on the transient exchange: not persisted, not confirmed, allowed to be lost."""

import asyncio
import contextlib
import json
from typing import Any
from uuid import UUID

import aio_pika
from aio_pika.abc import AbstractExchange, AbstractRobustConnection

from common import topology
from common.away import BROKER_AWAY
from common.broker import connect

_WORDS = 300


class Progress:
    """Publishes to ``earshot.live``: ``progress.<asset>`` while work goes on, ``news.<asset>`` for facts."""

    def __init__(self, url: str, service: str) -> None:
        self._url = url
        self._service = service
        self._connection: AbstractRobustConnection | None = None
        self._exchange: AbstractExchange | None = None
        self._opening = asyncio.Lock()

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
        """Lost in silence when the broker is away: nothing depends on it."""
        with contextlib.suppress(*BROKER_AWAY):
            exchange = await self._live()
            message = aio_pika.Message(json.dumps(body).encode(), content_type="application/json")
            await asyncio.wait_for(exchange.publish(message, routing_key, mandatory=False), 3)

    async def _live(self) -> AbstractExchange:
        async with self._opening:
            if self._exchange is None:
                self._connection = await asyncio.wait_for(connect(self._url, f"{self._service}.live"), 5)
                channel = await self._connection.channel(publisher_confirms=False)
                self._exchange = await channel.declare_exchange(topology.LIVE_EXCHANGE, "topic", durable=True)
        if self._connection is None or not self._connection.connected.is_set():
            raise ConnectionError("the broker is away")
        return self._exchange

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close()
