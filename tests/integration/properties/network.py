"""The broker as a bag of letters: everything said lies in the queues of its hearers until the test delivers it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from uuid import UUID

import aio_pika
from aiormq.abc import DeliveredMessage
from common import envelope, topology
from common.broker import Unroutable
from common.events import Message
from pamqp.commands import Basic
from pamqp.header import ContentHeader


@dataclass(frozen=True)
class Letter:
    """One message in one queue."""

    queue: str
    message_id: str
    exchange: str
    routing_key: str
    headers: Mapping[str, Any]
    body: bytes

    @property
    def service(self) -> str:
        return topology.service_of_queue(self.queue)

    @cached_property
    def message(self) -> Message:
        kind = envelope.type_of(self.headers, self.routing_key)
        assert kind is not None
        return kind.parse(self.body)

    @property
    def asset_id(self) -> UUID | None:
        return getattr(self.message, "asset_id", None)

    @property
    def name(self) -> str:
        """What a person calls it: hearer and fact."""
        return f"{self.service} hears {self.message.type.removesuffix('.v1')}"


@dataclass
class Line:
    """The channel a letter was delivered on: remembers how the consumer answered."""

    is_closed: bool = False
    answers: list[str] = field(default_factory=list[str])

    async def basic_ack(self, delivery_tag: int, multiple: bool = False, wait: bool = True) -> None:
        self.answers.append("ack")

    async def basic_nack(
        self, delivery_tag: int, multiple: bool = False, requeue: bool = True, wait: bool = True
    ) -> None:
        self.answers.append("nack")


def incoming(letter: Letter, line: Line, *, redelivered: bool) -> aio_pika.IncomingMessage:
    """The letter as aio-pika hands it to a consumer."""
    deliver = Basic.Deliver("consumer", 1, redelivered, letter.exchange, letter.routing_key)
    properties = Basic.Properties(
        content_type="application/json",
        delivery_mode=2,
        headers=dict(letter.headers),
        message_id=letter.message_id,
    )
    header = ContentHeader(body_size=len(letter.body), properties=properties)
    return aio_pika.IncomingMessage(DeliveredMessage(deliver, header, letter.body, line))  # type: ignore[arg-type]


@dataclass
class Network:
    """Takes the publisher's place. ``waiting`` may be delivered now, ``delayed`` once time has passed."""

    waiting: list[Letter] = field(default_factory=list[Letter])
    delayed: list[Letter] = field(default_factory=list[Letter])
    # Every letter that ever lay in a queue: at-least-once delivery may bring any of them again.
    sent: list[Letter] = field(default_factory=list[Letter])

    async def publish(
        self,
        exchange: str,
        routing_key: str,
        body: bytes,
        headers: Mapping[str, Any],
        *,
        message_id: str,
        mandatory: bool = True,
        patient: bool = False,
    ) -> None:
        queues = _route(exchange, routing_key)
        if not queues and mandatory:
            raise Unroutable(f"{exchange} / {routing_key}")
        letters = [Letter(queue, message_id, exchange, routing_key, dict(headers), body) for queue in queues]
        if exchange.startswith("earshot.delay."):
            self.delayed += letters
        else:
            self.waiting += letters
        self.sent += letters

    def pass_time(self, only: UUID | None = None) -> bool:
        """Every delay is over, or those of one asset's letters; answers whether there was any."""
        due = [letter for letter in self.delayed if only in (None, letter.asset_id)]
        self.delayed = [letter for letter in self.delayed if letter not in due]
        self.waiting += due
        return bool(due)

    def after_delay(self) -> list[Letter]:
        """What waits once every delay is over."""
        self.pass_time()
        return self.waiting

    def clear(self) -> None:
        for letters in (self.waiting, self.delayed, self.sent):
            letters.clear()


_BINDINGS = topology.work_queues()


def _route(exchange: str, routing_key: str) -> list[str]:
    if exchange == topology.EVENTS_EXCHANGE:
        return [queue for queue, keys in _BINDINGS.items() if any(_takes(key, routing_key) for key in keys)]
    # By the default exchange at once, by a delay exchange later: the routing key names the queue.
    return [routing_key] if routing_key in _BINDINGS else []


def _takes(binding: str, routing_key: str) -> bool:
    if binding == "#":
        return True
    stem = binding.removesuffix(".#")
    return routing_key == stem or (stem != binding and routing_key.startswith(f"{stem}."))
