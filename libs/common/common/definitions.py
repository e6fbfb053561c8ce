"""The topology as plain data: every exchange, queue and binding, for processes to declare and manifests to repeat."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from common import topology


@dataclass(frozen=True)
class Exchange:
    """A durable one."""

    name: str
    type: Literal["topic", "direct", "fanout"]


@dataclass(frozen=True)
class Binding:
    exchange: str
    key: str


@dataclass(frozen=True)
class Queue:
    """A durable one. Its arguments last as long as it does: the broker refuses others with PRECONDITION_FAILED."""

    name: str
    arguments: Mapping[str, str | int]
    bindings: tuple[Binding, ...]


def exchanges() -> Iterator[Exchange]:
    """Every exchange; no binding names another."""
    yield Exchange(topology.EVENTS_EXCHANGE, "topic")
    yield Exchange(topology.LIVE_EXCHANGE, "topic")
    yield Exchange(topology.DEAD_EXCHANGE, "direct")
    for seconds in topology.DELAYS:
        yield Exchange(topology.delay_name(seconds), "fanout")


def queues() -> Iterator[Queue]:
    """Every queue, with all its bindings."""
    for service in topology.SERVICES:
        yield _dead(service)
    for name, keys in topology.work_queues().items():
        yield _work(name, keys)
    for seconds in topology.DELAYS:
        yield _delay(seconds)
    yield Queue(
        topology.PROGRESS_QUEUE,
        {"x-max-length": 10_000, "x-overflow": "drop-head"},
        (Binding(topology.LIVE_EXCHANGE, "progress.#"),),
    )


def _dead(service: str) -> Queue:
    return Queue(
        topology.dead_queue(service),
        {"x-queue-type": "quorum", "x-delivery-limit": 1_000_000},
        (Binding(topology.DEAD_EXCHANGE, service),),
    )


def _work(name: str, keys: tuple[str, ...]) -> Queue:
    arguments = {
        "x-queue-type": "quorum",
        "x-delivery-limit": topology.DELIVERY_LIMIT,
        "x-dead-letter-exchange": topology.DEAD_EXCHANGE,
        "x-dead-letter-routing-key": topology.service_of_queue(name),
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }
    return Queue(name, arguments, tuple(Binding(topology.EVENTS_EXCHANGE, key) for key in keys))


def _delay(seconds: int) -> Queue:
    # A fanout in front and no dead-letter routing key: the message keeps its routing key, which names the
    # queue to return to. Through the default exchange it would be dead-lettered to the delay queue itself.
    name = topology.delay_name(seconds)
    arguments = {
        "x-queue-type": "quorum",
        "x-message-ttl": seconds * 1000,
        "x-dead-letter-exchange": "",
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }
    # A fanout asks for no key; this is the one that the client library has always put there.
    return Queue(name, arguments, (Binding(name, name),))
