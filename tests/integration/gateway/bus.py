"""The other services as the gateway hears them: their facts, published and taken."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import aio_pika
from common import events as e
from common import topology
from common.envelope import headers_for
from common.ids import uuid7

from tests.integration.gateway.running import Gateway


class Bus:
    """Publishes facts as the services would, and waits until the gateway has taken everything."""

    def __init__(
        self, gateway: Gateway, exchange: aio_pika.abc.AbstractExchange, channel: aio_pika.abc.AbstractChannel
    ):
        self.gateway = gateway
        self._exchange = exchange
        self._channel = channel

    async def say(self, *messages: e.Message, times: int = 2) -> None:
        """Every message is delivered twice, with the same id, and handled before the next one is sent."""
        for message in messages:
            message_id = uuid7()
            for _ in range(times):
                await self.publish(
                    message.routing_key, message.model_dump_json(exclude_none=True).encode(), message, message_id
                )
            await self.handled(message_id)

    async def publish(
        self, key: str, body: bytes, message: e.Message | None = None, message_id: UUID | None = None
    ) -> None:
        headers = headers_for(message, "test", message_id or uuid7()) if message else {}
        await self._exchange.publish(
            aio_pika.Message(
                body,
                headers=headers,
                message_id=str(message_id) if message_id else None,
                content_type="application/json",
                delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            ),
            key,
        )

    async def handled(self, message_id: UUID) -> None:
        """The queue is empty and nothing of it is being handled: what was stale leaves no other trace."""
        quiet = 0
        async with asyncio.timeout(30):
            while quiet < 3:
                await asyncio.sleep(0.02)
                queue = await self._channel.declare_queue(topology.GATEWAY_QUEUE, passive=True)
                waiting = (queue.declaration_result.message_count or 0) + self.gateway.service.consumer.active
                quiet = 0 if waiting else quiet + 1

    async def queue(self, name: str) -> aio_pika.abc.AbstractQueue:
        """One of another service's."""
        return await self._channel.get_queue(name)

    async def until(self, true: Callable[[], Awaitable[Any]]) -> Any:
        async with asyncio.timeout(30):
            while not (found := await true()):
                await asyncio.sleep(0.05)
            return found


@asynccontextmanager
async def talking(gateway: Gateway, url: str) -> AsyncGenerator[Bus]:
    connection = await aio_pika.connect(url)
    async with connection:
        channel = await connection.channel()
        yield Bus(gateway, await channel.get_exchange(topology.EVENTS_EXCHANGE), channel)


class Asset:
    """The facts of one asset, as its services would say them."""

    def __init__(self, accepted: dict[str, Any], run: int = 1) -> None:
        self.id = accepted["asset"]["id"]
        self.about: dict[str, Any] = {
            "asset_id": self.id,
            "run": run,
            "collection_id": accepted["asset"]["collection_id"],
        }

    def fetched(self) -> e.RecordingFetched:
        return e.RecordingFetched(
            **self.about,
            audio_uri="objects/aa",
            audio_sha256="aa",
            audio_bytes=100,
            duration_seconds=90.0,
            title="From the file",
            media_facts={"codec": "mp3"},
        )

    def transcribed(self, revision: int = 1, words: int = 7) -> e.TranscriptCompleted:
        return e.TranscriptCompleted(
            **self.about,
            revision=revision,
            transcript_uri="objects/bb",
            transcript_sha256="bb",
            title="From the file",
            language="en",
            engine="pocketsphinx",
            duration_seconds=90.0,
            segment_count=3,
            word_count=words,
            warnings=["This is a draft."],
        )

    def indexed(self) -> e.AssetIndexed:
        return e.AssetIndexed(**self.about, revision=1, chunk_count=4, generation=1, model="minilm")

    def failed(self, stage: str = "transcribe") -> e.ProcessingFailed:
        return e.ProcessingFailed(
            **self.about, stage=stage, category="damaged", message="It is damaged.", advice="Repair it.", retryable=True
        )
