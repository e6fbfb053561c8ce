"""How much waits in the broker's queues, as the broker itself says."""

from collections.abc import Iterable
from dataclasses import dataclass

import aiormq
from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import ChannelNotFoundEntity


@dataclass(frozen=True)
class Depth:
    """Messages that wait to be delivered (not those being handled), and consumers that listen."""

    messages: int
    consumers: int


async def depths(connection: AbstractConnection, names: Iterable[str]) -> dict[str, Depth | None]:
    """None for a queue that does not exist. Raises one of BROKER_AWAY."""
    found: dict[str, Depth | None] = {}
    channel = await _bare_channel(connection)
    for name in names:
        try:
            declared = await channel.queue_declare(name, passive=True)
            found[name] = Depth(declared.message_count or 0, declared.consumer_count or 0)
        except ChannelNotFoundEntity:
            # Asking for a queue that is not there costs the channel.
            found[name] = None
            channel = await _bare_channel(connection)
    await channel.close(None)
    return found


async def _bare_channel(connection: AbstractConnection) -> aiormq.abc.AbstractChannel:
    # aio-pika's robust channel answers a passive declaration from memory, and comes back with what it declared.
    if connection.transport is None:
        raise ConnectionError("the broker's connection is lost")
    return await connection.transport.connection.channel(publisher_confirms=False)
