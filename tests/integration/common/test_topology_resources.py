"""The topology that Kubernetes' operator declares is the one that every process declares, as a broker sees both."""

import json
from pathlib import Path
from typing import Any

import aio_pika
import yaml
from common import topology
from stack.testing import ThrowawayRabbit
from stack.topology_resources import RESOURCES_FILE

RESOURCES = Path(__file__).parents[3] / RESOURCES_FILE
Spec = dict[str, Any]


def specs(kind: str) -> list[Spec]:
    found = yaml.safe_load_all(RESOURCES.read_text(encoding="utf-8"))
    return [resource["spec"] for resource in found if resource["kind"] == kind]


def arguments(queue: Spec) -> dict[str, Any]:
    """As the operator makes them: the type is one of them."""
    return queue["arguments"] | ({"x-queue-type": queue["type"]} if "type" in queue else {})


def bound(rabbit: ThrowawayRabbit) -> set[tuple[str, str, str]]:
    """Exchange, queue and key, for the queues of the topology; the default exchange's own are left out."""
    columns = ("source_name", "destination_name", "routing_key")
    rows = json.loads(rabbit.control("list_bindings", *columns, "--formatter", "json"))
    found = {(row[columns[0]], row[columns[1]], row[columns[2]]) for row in rows}
    return {row for row in found if row[0] and row[1] in topology.all_queues()}


async def test_a_broker_takes_the_resources_for_what_it_has(rabbit: ThrowawayRabbit, rabbitmq_url: str) -> None:
    """``rabbitmq_url`` has been declared by the code; the broker refuses whatever differs from it."""
    bindings = {(spec["source"], spec["destination"], spec["routingKey"]) for spec in specs("Binding")}
    assert bindings == bound(rabbit)
    async with await aio_pika.connect(rabbitmq_url) as connection:
        channel = await connection.channel()
        for exchange in specs("Exchange"):
            await channel.declare_exchange(exchange["name"], exchange["type"], durable=exchange["durable"])
        for queue in specs("Queue"):
            await channel.declare_queue(queue["name"], durable=queue["durable"], arguments=arguments(queue))
