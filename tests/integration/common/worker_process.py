"""A worker of the chat service in a process of its own, for tests that let it die or freeze.

Reads the database's and the broker's URL; the title of a transcript says what its handler does: ``kill`` dies of a
native fault, ``long <seconds>`` takes that long in one step, ``slow <seconds>`` in many, ``raise`` is a bug, anything
else records at once.
"""

import asyncio
import os
import signal
import sys
from typing import cast

from common import crash
from common.broker import Publisher
from common.consumer import Consumer
from common.db import Database
from common.delivery import Delivery
from common.events import TranscriptCompleted
from common.examples import EXAMPLES
from common.ids import uuid7
from common.outbox import Relay
from common.subscriptions import Subscriptions

QUEUE = f"chat.{TranscriptCompleted.type}"
DRAIN_SECONDS = 7.0


def completed(title: str) -> TranscriptCompleted:
    """A transcript of a recording of its own, with which the worker does what the title says."""
    of_its_own = {"asset_id": uuid7(), "collection_id": uuid7(), "title": title}
    return cast("TranscriptCompleted", EXAMPLES[TranscriptCompleted.type]).model_copy(update=of_its_own)


async def handle(fact: TranscriptCompleted, delivery: Delivery) -> None:
    act, _, argument = fact.title.partition(" ")
    if act == "kill":
        os.kill(os.getpid(), signal.SIGSEGV)
    if act == "raise":
        raise KeyError("a bug")
    print(f"begun {fact.asset_id}", flush=True)
    if act == "long":
        await asyncio.sleep(float(argument))
    if act == "slow":
        for _ in range(int(float(argument) / 0.05)):
            await asyncio.sleep(0.05)
            await delivery.still_wanted()
    async with delivery.record():
        pass
    print(f"done {fact.asset_id}", flush=True)


async def work(database_url: str, rabbitmq_url: str) -> None:
    crash.arm(os.environ.get("EARSHOT_CRASH_AT", ""))
    db = Database(database_url, size=4)
    await db.open()
    publisher = Publisher(rabbitmq_url, "chat")
    relay = Relay(db, publisher, "chat")
    consumer = Consumer("chat", db, publisher, relay)
    consumer.register(TranscriptCompleted, handle)
    subscriptions = Subscriptions(rabbitmq_url, consumer)
    asked = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asked.set)
    relaying = asyncio.create_task(relay.run())
    await subscriptions.start()
    print("ready", flush=True)
    await asked.wait()
    await subscriptions.stop(DRAIN_SECONDS)
    relay.stop()
    await relaying
    await publisher.close()
    await db.close()


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1], sys.argv[2]))
