"""The contract between services as files: a JSON Schema and an example per message, and AsyncAPI over all."""

import inspect
import json
from typing import Any

import yaml

from common import topology
from common.events import MESSAGES, Message
from common.examples import EXAMPLES

_ENVELOPE: dict[str, Any] = {
    "type": "object",
    "description": "CloudEvents 1.0 attributes; only ingestion.requested may come without them.",
    "properties": {
        "cloudEvents_specversion": {"type": "string", "const": "1.0"},
        "cloudEvents_id": {"type": "string", "format": "uuid"},
        "cloudEvents_source": {"type": "string"},
        "cloudEvents_type": {"type": "string"},
        "cloudEvents_subject": {"type": "string"},
        "cloudEvents_time": {"type": "string", "format": "date-time"},
        "traceparent": {"type": "string"},
    },
}


def schema_of(message: type[Message]) -> dict[str, Any]:
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **message.model_json_schema()}


def contract_files() -> dict[str, str]:
    """Path below ``schemas/`` to content, all but the OpenAPI file, which needs the services."""
    files = {f"{name}.json": _json(schema_of(message)) for name, message in MESSAGES.items()}
    files |= {f"examples/{name}.json": example_of(name) for name in MESSAGES}
    files["asyncapi.yaml"] = yaml.safe_dump(asyncapi(), sort_keys=False, width=110, allow_unicode=True)
    return files


def example_of(name: str) -> str:
    return _json(EXAMPLES[name].model_dump(mode="json", exclude_none=True))


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def asyncapi() -> dict[str, Any]:
    """AsyncAPI 3.0 made from the topology registry."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Earshot events",
            "version": "1",
            "description": "Facts on the topic exchange earshot.events. Generated from the topology registry.",
        },
        "defaultContentType": "application/json",
        "channels": {_channel(name): _channel_body(name, message) for name, message in MESSAGES.items()},
        "operations": {**_sends(), **_receives()},
        "components": {"messages": {name: _message_body(name, message) for name, message in MESSAGES.items()}},
    }


def _channel(name: str) -> str:
    return name.replace(".", "_")


def _channel_body(name: str, message: type[Message]) -> dict[str, Any]:
    return {
        "address": name,
        "description": inspect.getdoc(message) or "",
        "messages": {name: {"$ref": f"#/components/messages/{name}"}},
        "bindings": {
            "amqp": {
                "is": "routingKey",
                "exchange": {"name": topology.EVENTS_EXCHANGE, "type": "topic", "durable": True},
            }
        },
    }


def _message_body(name: str, message: type[Message]) -> dict[str, Any]:
    return {
        "name": name,
        "title": message.__name__,
        "summary": inspect.getdoc(message) or "",
        "contentType": "application/json",
        "headers": _ENVELOPE,
        "payload": {"$ref": f"./{name}.json"},
        "examples": [{"payload": json.loads(example_of(name))}],
    }


def _sends() -> dict[str, Any]:
    return {
        f"{service}_says_{_channel(message.type)}": _operation("send", message, f"{service} says it.")
        for service, messages in topology.SAYS.items()
        for message in messages
    }


def _receives() -> dict[str, Any]:
    heard = {
        f"{hearing.service}_hears_{_channel(hearing.message.type)}": _operation(
            "receive", hearing.message, f"{hearing.service} hears it on {', '.join(hearing.queues)}."
        )
        for hearing in topology.HEARINGS
    }
    everything = {
        f"gateway_hears_{_channel(message.type)}": _operation(
            "receive", message, f"gateway hears it on {topology.GATEWAY_QUEUE}."
        )
        for message in MESSAGES.values()
    }
    return heard | everything


def _operation(action: str, message: type[Message], summary: str) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{_channel(message.type)}"},
        "summary": summary,
        "messages": [{"$ref": f"#/channels/{_channel(message.type)}/messages/{message.type}"}],
    }
