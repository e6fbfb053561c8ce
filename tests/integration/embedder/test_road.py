"""The running service: a transcript comes by the broker, can be searched, and the broker hears of it."""

import asyncio
from pathlib import Path

import aio_pika
from common import topology
from common.amqp import connect
from common.broker import Publisher
from common.envelope import headers_for
from common.events import AssetDeleted, AssetIndexed, AssetPurged, Message
from common.ids import uuid7
from embedder.main import build
from embedder.settings import EmbedderSettings

from tests.conftest import Databases
from tests.integration.embedder.world import World, transcript_of


async def publish(publisher: Publisher, message: Message) -> None:
    message_id = uuid7()
    await publisher.publish(
        topology.EVENTS_EXCHANGE,
        message.routing_key,
        message.model_dump_json().encode(),
        headers_for(message, "test", message_id),
        message_id=str(message_id),
    )


async def hear(queue: aio_pika.abc.AbstractQueue, kind: type[Message]) -> Message:
    async with asyncio.timeout(60), queue.iterator() as messages:
        async for message in messages:
            await message.ack()
            if message.routing_key == kind.type:
                return kind.parse(message.body)  # type: ignore[return-value]
    raise AssertionError


async def test_a_transcript_is_indexed_searched_and_purged(
    world: World, fresh_database: Databases, store_url: str, rabbitmq_url: str, model_dir: Path, tmp_path: Path
) -> None:
    me = await world.user()
    asset = await world.asset(await world.collection(me))
    fact = await world.completed(transcript_of([("Anna", "The harbour will be dredged in autumn.")], asset_id=asset))
    service = build(
        EmbedderSettings(
            database_url=fresh_database.urls["embedder"],
            object_store_url=store_url,
            rabbitmq_url=rabbitmq_url,
            scratch_dir=tmp_path,
            model_dir=model_dir,
            threads=1,
        )
    )
    publisher = Publisher(rabbitmq_url, "test")
    listening = await connect(rabbitmq_url, "test")
    channel = await listening.channel()
    facts = await channel.get_queue(topology.GATEWAY_QUEUE)
    await service.start()
    try:
        await publish(publisher, fact)
        await publish(publisher, fact)
        indexed = await hear(facts, AssetIndexed)
        assert isinstance(indexed, AssetIndexed)
        assert (indexed.asset_id, indexed.revision, indexed.chunk_count) == (asset, 1, 1)
        assert len((await world.find(me, "harbour")).found) == 1
        await publish(publisher, AssetDeleted(asset_id=asset, run=1, collection_id=fact.collection_id))
        purged = await hear(facts, AssetPurged)
        assert isinstance(purged, AssetPurged)
        assert (purged.asset_id, purged.service) == (asset, "embedder")
        assert await world.count("chunks") == await world.count("postings") == await world.count("embeddings_1") == 0
    finally:
        await service.stop()
        await publisher.close()
        await listening.close()
