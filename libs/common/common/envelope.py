"""The envelope around a fact: CloudEvents 1.0 attributes as message headers."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from common import tracing
from common.events import MESSAGES, Message
from common.ids import uuid7

_PREFIX = "cloudEvents_"
ATTEMPT = "x-attempt"
ERRORS = "x-errors"
_KEPT_ERRORS = 5


def type_header(message: type[Message]) -> str:
    return f"earshot.{message.type}"


def headers_for(message: Message, service: str, message_id: UUID) -> dict[str, Any]:
    return {
        f"{_PREFIX}specversion": "1.0",
        f"{_PREFIX}id": str(message_id),
        f"{_PREFIX}source": f"/earshot/{service}",
        f"{_PREFIX}type": type_header(type(message)),
        f"{_PREFIX}subject": message.subject,
        f"{_PREFIX}time": datetime.now(UTC).isoformat(),
        "traceparent": tracing.current(),
    }


@dataclass(frozen=True)
class Outgoing:
    """A message ready for the outbox: ``body`` is JSON."""

    id: UUID
    exchange: str
    routing_key: str
    headers: dict[str, Any]
    body: bytes


def seal(message: Message, service: str, exchange: str) -> Outgoing:
    """Raises ValueError when the body is too large: messages carry references, never payloads."""
    message_id = uuid7()
    body = message.model_dump_json(exclude_none=True).encode()
    if len(body) > 64 * 1024:
        raise ValueError(f"{message.type} of {len(body)} bytes: put it into the object store and send the reference")
    return Outgoing(message_id, exchange, message.routing_key, headers_for(message, service, message_id), body)


def message_id_of(properties_id: str | None, headers: Mapping[str, Any], body: bytes) -> UUID:
    """The sender's id; for senders without one, a name for the content, so that the same bytes count once."""
    for candidate in (headers.get(f"{_PREFIX}id"), properties_id):
        try:
            return UUID(str(candidate))
        except ValueError:
            continue
    return uuid5(NAMESPACE_URL, f"earshot:{properties_id or ''}:{body.hex()}")


def type_of(headers: Mapping[str, Any], routing_key: str) -> type[Message] | None:
    """What was sent: by header, by routing key, or, for what the broker moved, by where it first was."""
    deaths: list[Mapping[str, Any]] = headers.get("x-death") or []
    died_as = [str(key) for death in deaths for key in death.get("routing-keys", [])]
    named = str(headers.get(f"{_PREFIX}type", "")).removeprefix("earshot.")
    for candidate in (named, routing_key, *died_as):
        known = MESSAGES.get(candidate.removesuffix(".bulk"))
        if known is not None:
            return known
    return None


def attempt_of(headers: Mapping[str, Any]) -> int:
    """1 for the first attempt; counted by us, because the broker also counts lost connections."""
    try:
        return max(1, int(headers.get(ATTEMPT, 1)))
    except (TypeError, ValueError):
        return 1


def errors_of(headers: Mapping[str, Any]) -> list[str]:
    try:
        return [str(line) for line in json.loads(headers.get(ERRORS, "[]"))]
    except (TypeError, ValueError):
        return []


def retry_headers(
    headers: Mapping[str, Any], message: type[Message] | None, attempt: int, error: str
) -> dict[str, Any]:
    """Headers of the next attempt: our own count and the last few errors; the broker's own are left behind."""
    kept = {key: value for key, value in headers.items() if not key.startswith("x-")}
    if message is not None:
        kept.setdefault(f"{_PREFIX}type", type_header(message))
    errors = [*errors_of(headers), error[:300]] if error else errors_of(headers)
    return {**kept, ATTEMPT: attempt, ERRORS: json.dumps(errors[-_KEPT_ERRORS:])}
