"""The pulse ends when it is told to, whatever it is doing at that moment."""

import asyncio

from common.broker import Publisher
from common.pulse import Pulse

NOWHERE = "amqp://guest:guest@127.0.0.1:1/"
# More turns of the loop than a refused connection takes.
TURNS = 150


async def test_cancelled_at_any_moment_of_a_failing_connection_it_ends() -> None:
    for turns in range(TURNS):
        beating = asyncio.create_task(Pulse(Publisher(NOWHERE, "test")).run())
        for _ in range(turns):
            await asyncio.sleep(0)
        beating.cancel()
        _, alive = await asyncio.wait({beating}, timeout=10)
        assert not alive, turns
