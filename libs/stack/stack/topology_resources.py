"""Writes the topology as resources of RabbitMQ's Messaging Topology Operator, from what every process declares."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from common import definitions

RESOURCES_FILE = Path("deploy/k8s/components/topology/topology.yaml")
# The RabbitmqCluster of the overlay `production`.
_CLUSTER = "earshot-rabbitmq"
_HEADING = """\
# Every exchange, queue and binding, made from libs/common/common/definitions.py by `./earshot schemas`; do not edit.
"""
# In a resource it is a field of its own, which the operator makes the argument of.
_TYPE = "x-queue-type"


def topology_resources() -> str:
    """The content of RESOURCES_FILE: one YAML document for each exchange, queue and binding."""
    # Short mappings on one line, as in the manifests that are written by hand.
    return _HEADING + yaml.safe_dump_all(
        _resources(), sort_keys=False, width=120, default_flow_style=None, explicit_start=True
    )


def _resources() -> Iterator[dict[str, Any]]:
    for exchange in definitions.exchanges():
        yield _resource("Exchange", exchange.name, {"name": exchange.name, "type": exchange.type, "durable": True})
    for queue in definitions.queues():
        yield _resource("Queue", queue.name, _queue(queue))
        for binding in queue.bindings:
            # A queue has one binding, which can have its name; kustomize would refuse a second one.
            yield _resource("Binding", queue.name, _binding(queue.name, binding))


def _queue(queue: definitions.Queue) -> dict[str, Any]:
    arguments = dict(queue.arguments)
    kind = arguments.pop(_TYPE, None)
    typed = {} if kind is None else {"type": kind}
    return {"name": queue.name, **typed, "durable": True, "arguments": arguments, "deletionPolicy": "retain"}


def _binding(queue: str, binding: definitions.Binding) -> dict[str, Any]:
    return {
        "source": binding.exchange,
        "destination": queue,
        "destinationType": "queue",
        "routingKey": binding.key,
    }


def _resource(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "rabbitmq.com/v1beta1",
        "kind": kind,
        "metadata": {"name": name, "labels": {"app.kubernetes.io/part-of": "earshot"}},
        "spec": {**spec, "vhost": "/", "rabbitmqClusterReference": {"name": _CLUSTER}},
    }
