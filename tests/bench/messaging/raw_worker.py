"""The peer by hand: aio-pika and asyncpg, the same queue, prefetch and pool, the same statements for every message.

It does what a careful author would write for one service: parse, lock the asset's row, note the message, do the
effect, commit, acknowledge. It has no retries, no parking, no metrics, no traces and no orderly end.
"""

import asyncio
import os
from uuid import UUID

import aio_pika
from aio_pika.abc import AbstractIncomingMessage
from bench.messaging.ground import EFFECT, POOL_SIZE, PREFETCH, QUEUE
from common.db import Database
from common.events import AssetIndexed

_LOCK = """
INSERT INTO asset_states AS s (asset_id, collection_id, run) VALUES ($1, $2, $3)
ON CONFLICT (asset_id) DO UPDATE SET run = greatest(s.run, excluded.run)
RETURNING asset_id, collection_id, run, revision, version, cancelled_run, deleted_at
"""
_TAKE_IN = "INSERT INTO inbox (consumer, message_id) VALUES ($1, $2) ON CONFLICT DO NOTHING"


async def main() -> None:
    db = Database(os.environ["BENCH_DATABASE_URL"], size=POOL_SIZE)
    await db.open()
    connection = await aio_pika.connect_robust(os.environ["BENCH_RABBITMQ_URL"])
    channel = await connection.channel()
    await channel.set_qos(PREFETCH)

    async def receive(message: AbstractIncomingMessage) -> None:
        fact = AssetIndexed.parse(message.body)
        async with db.transaction() as conn:
            await conn.fetchrow(_LOCK, fact.asset_id, fact.collection_id, fact.run)
            if await conn.execute(_TAKE_IN, QUEUE, UUID(message.message_id)) == "INSERT 0 1":
                await conn.execute(EFFECT, fact.asset_id)
        await message.ack()

    queue = await channel.get_queue(QUEUE, ensure=False)
    await queue.consume(receive)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
