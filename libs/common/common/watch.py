"""The watch over a service's subscriptions: notices what the broker or a client library lost, and gets it back."""

import asyncio
import contextlib
from collections.abc import Sequence
from time import monotonic

from aio_pika.abc import AbstractConnection

from common import metrics
from common.amqp import broker_calls, connect_once, in_words
from common.away import BROKER_AWAY
from common.declaring import restore_on
from common.depths import depths
from common.logs import get_logger
from common.subscription import Subscription

log = get_logger()

_EVERY_SECONDS = 2.0
_TROUBLED_SECONDS = 1.0
_PATIENCE_SECONDS = 5.0
_HEALING_SECONDS = 15.0
# A look takes at most its pause, its patience and a healing; older than this, the watch itself has stopped.
_STALE_SECONDS = 30.0
# Looks with the same trouble before it is ours: aio-pika takes consumers up again by itself within a second.
_OURS = 4
# Looks in trouble, though the broker could be reached, before everything is taken up anew.
_HOPELESS = 12

MISSING, UNHEARD, STALLED = "the queue is missing", "there is no consumer", "messages wait and none is delivered"


class Watch:
    """Over one connection and the subscriptions on it."""

    def __init__(self, service: str, url: str, connection: AbstractConnection, held: Sequence[Subscription]) -> None:
        self._service = service
        self._url = url
        self._connection = connection
        self._held = held
        self._wrong: dict[str, str] = {}
        # How many looks in a row found each queue in trouble, and all of them together though the broker was there.
        self._looks: dict[str, int] = {}
        self._in_vain = 0
        self._said = ("", "")
        self._looked_at = monotonic()
        self._told = asyncio.Event()
        for subscription in held:
            subscription.tell = self.tell

    @property
    def ready(self) -> bool:
        """Every queue is there, and ours to hear, as of the last few seconds."""
        fresh = monotonic() - self._looked_at < _STALE_SECONDS
        return fresh and not self._wrong and self._connection.connected.is_set()

    def tell(self, *_news: object) -> None:
        """Something has happened to the connection, a channel or a consumer: look at once."""
        self._told.set()

    async def run(self) -> None:
        """Until cancelled, or until nothing helps but to take up everything anew."""
        while self._in_vain < _HOPELESS:
            self._told.clear()
            self._note(await self.look())
            if self._wrong:
                await self._heal()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_TROUBLED_SECONDS if self._wrong else _EVERY_SECONDS):
                    await self._told.wait()

    async def look(self) -> dict[str, str]:
        """What is wrong now, by queue."""
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS), broker_calls():
                return await self._look()
        except BROKER_AWAY as error:
            return {subscription.queue: in_words(error) for subscription in self._held}

    async def _look(self) -> dict[str, str]:
        if not self._connection.connected.is_set():
            raise ConnectionError("the broker's connection is lost")
        found = await depths(self._connection, [subscription.queue for subscription in self._held])
        wrong: dict[str, str] = {}
        for subscription in self._held:
            depth = found[subscription.queue]
            if depth is None:
                wrong[subscription.queue] = MISSING
            elif not await subscription.holds_consumer() or not depth.consumers:
                wrong[subscription.queue] = UNHEARD
            elif subscription.is_stalled(depth.messages):
                wrong[subscription.queue] = STALLED
        return wrong

    def _note(self, wrong: dict[str, str]) -> None:
        self._looked_at = monotonic()
        self._looks = {queue: self._looks.get(queue, 0) + 1 for queue in wrong}
        metrics.consumers_missing.labels(self._service).set(len(wrong))
        metrics.connected.labels(self._service, "consume").set(self._connection.connected.is_set())
        if wrong and wrong != self._wrong:
            log.warning("consumers_missing", troubles=sorted(set(wrong.values())), queues=sorted(wrong))
        elif self._wrong and not wrong:
            log.info("consumers_back")
        self._wrong = wrong
        if not wrong:
            self._in_vain = 0

    async def _heal(self) -> None:
        try:
            async with asyncio.timeout(_HEALING_SECONDS), broker_calls():
                await self._declare()
                for subscription in self._held:
                    if self._is_ours(subscription.queue):
                        log.warning("consumer_renewed", queue=subscription.queue)
                        await subscription.renew()
            self._in_vain += 1
        except BROKER_AWAY as error:
            self._say("healing_waits", in_words(error))

    def _say(self, event: str, reason: str) -> None:
        if self._said != (event, reason):
            log.warning(event, reason=reason)
        self._said = (event, reason)

    def _is_ours(self, queue: str) -> bool:
        trouble = self._wrong.get(queue)
        return trouble == STALLED or (trouble == UNHEARD and self._looks[queue] >= _OURS)

    async def _declare(self) -> None:
        if not self._connection.connected.is_set():
            # The connection comes back by itself, but never while a queue that it knows is missing.
            async with await connect_once(self._url, f"{self._service}.declare") as apart:
                await restore_on(apart, self._service)
        elif MISSING in self._wrong.values():
            await restore_on(self._connection, self._service)
