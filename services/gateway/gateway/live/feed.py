"""The gateway's ear on the live exchange: stores progress, and brings news to the clients that watch."""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any, Protocol
from uuid import uuid4

from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, AbstractQueue
from common import topology
from common.amqp import broker_calls, connect_once
from common.away import BROKER_AWAY, DATABASE_TROUBLE
from common.declaring import declare_topology
from common.logs import get_logger

from gateway.handlers.progress import ProgressKeeper, Report
from gateway.live.hub import Hub

log = get_logger()

_MOST_WAITING = 1_000
_EVERYTHING = "#"
# Other processes' connections come back within a second or two of ours; their news until then is lost.
_BIND_SECONDS = 2.0
_SETTLING_SECONDS = 5.0

Handle = Callable[[AbstractIncomingMessage], Awaitable[None]]


class Teller(Protocol):
    """Passes on what the live exchange brings."""

    async def tell(self, routing_key: str, body: dict[str, Any]) -> None: ...

    async def refresh(self) -> None: ...


class Feed:
    """Listens for as long as the gateway runs; what passes while the broker is away is lost, as it may be."""

    def __init__(self, url: str, hub: Hub, teller: Teller | None, keeper: ProgressKeeper | None) -> None:
        self._url = url
        self._hub = hub
        self._teller = teller
        self._keeper = keeper
        self._queue: AbstractQueue | None = None
        self._bound: set[str] = set()
        self._binding = asyncio.Lock()
        hub.on_watching(self.rebind)

    async def run(self) -> None:
        """Until cancelled. A bug in what is told ends it; the service starts it again."""
        while True:
            try:
                async with broker_calls():
                    await self._listen()
            except* BROKER_AWAY as away:
                log.info("live_waits", error=repr(away.exceptions[0])[:200])
            self._queue = None
            await asyncio.sleep(1)

    async def rebind(self) -> None:
        """Hear about exactly what the clients watch; while the broker is away there is nothing to bind."""
        try:
            # A client that subscribes waits for this: a silent broker must not keep it from its snapshot. What is
            # given up takes the channel along, and the next one is bound to everything that is watched by then.
            async with asyncio.timeout(_BIND_SECONDS), self._binding, broker_calls():
                if self._queue is not None:
                    await self._bind(self._queue)
        except BROKER_AWAY as error:
            log.info("live_binding_waits", error=repr(error)[:200])

    async def _bind(self, queue: AbstractQueue) -> None:
        wanted = {f"{kind}.{asset}" for asset in self._hub.watched_assets for kind in ("progress", "news")}
        if self._hub.watches_collections:
            wanted = {_EVERYTHING}
        for key in wanted - self._bound:
            await queue.bind(topology.LIVE_EXCHANGE, key)
            self._bound.add(key)
        for key in self._bound - wanted:
            await queue.unbind(topology.LIVE_EXCHANGE, key)
            self._bound.discard(key)

    async def _listen(self) -> None:
        lost = asyncio.Event()

        def on_loss(*_: object) -> None:
            lost.set()

        async with await connect_once(self._url, "gateway.live") as connection:
            connection.close_callbacks.add(on_loss)
            channel = await connection.channel()
            # A channel that the broker closes, or a queue that somebody deletes, leaves the connection as it was.
            channel.close_callbacks.add(on_loss)
            (await channel.get_underlay_channel()).on_consumer_cancel_callbacks.add(on_loss)
            await declare_topology(channel)
            async with asyncio.TaskGroup() as group:
                await self._hear(channel, group)
                await lost.wait()
                raise ConnectionError("the broker's connection, channel or queue was lost")

    async def _hear(self, channel: AbstractChannel, group: asyncio.TaskGroup) -> None:
        """Begin to consume; tasks of the group handle what comes, one message after the other."""
        if self._keeper is not None:
            queue = await channel.get_queue(topology.PROGRESS_QUEUE)
            await _in_order(queue, self._keep, group)
        if self._teller is not None:
            own = await channel.declare_queue(
                f"gateway.live.{uuid4().hex}", exclusive=True, auto_delete=True, arguments={"x-max-length": 10_000}
            )
            self._queue, self._bound = own, set()
            await _in_order(own, self._tell, group)
            await self.rebind()
            group.create_task(self._catch_up(self._teller))

    async def _catch_up(self, teller: Teller) -> None:
        """What passed while the broker was away is in a snapshot; a second one is for those who came back later."""
        with contextlib.suppress(*DATABASE_TROUBLE):
            await teller.refresh()
            await asyncio.sleep(_SETTLING_SECONDS)
            await teller.refresh()

    async def _keep(self, message: AbstractIncomingMessage) -> None:
        assert self._keeper is not None
        await self._keeper.take(Report.model_validate_json(message.body), monotonic())

    async def _tell(self, message: AbstractIncomingMessage) -> None:
        assert self._teller is not None
        await self._teller.tell(message.routing_key or "", json.loads(message.body))


async def _in_order(queue: AbstractQueue, handle: Handle, group: asyncio.TaskGroup) -> None:
    """Consume into a short queue of our own: the oldest goes when it is full, and no message waits for an ack."""
    waiting: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue(_MOST_WAITING)

    async def receive(message: AbstractIncomingMessage) -> None:
        if waiting.full():
            waiting.get_nowait()
        waiting.put_nowait(message)

    await queue.consume(receive, no_ack=True)
    group.create_task(_handle_all(waiting, handle))


async def _handle_all(waiting: "asyncio.Queue[AbstractIncomingMessage]", handle: Handle) -> None:
    while True:
        message = await waiting.get()
        try:
            await handle(message)
        except ValueError as error:
            log.info("live_message_strange", error=str(error)[:200])
        except DATABASE_TROUBLE as error:
            log.info("live_message_lost", error=repr(error)[:200])
