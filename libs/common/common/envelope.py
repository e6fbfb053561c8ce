"""The envelope around a fact: CloudEvents 1.0 attributes as message headers."""

import json
from collections.abc import Iterable, Mapping
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
_ERROR_CHARACTERS = 300
# Together with errors and history well below the 128 KiB of one frame, which all headers of a message must fit into.
_HEADER_BYTES = 32 * 1024


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
    named = str(headers.get(f"{_PREFIX}type", "")).removeprefix("earshot.")
    for candidate in (named, routing_key, *_died_as(headers.get("x-death"))):
        known = MESSAGES.get(candidate.removesuffix(".bulk"))
        if known is not None:
            return known
    return None


def _died_as(noted: Any) -> list[str]:
    """The routing keys that the broker noted when it moved the message; but anybody may write such a header."""
    deaths: Iterable[Mapping[str, Iterable[object]]] = noted or ()
    try:
        return [str(key) for death in deaths for key in death["routing-keys"]]
    except (TypeError, KeyError):
        return []


def attempt_of(headers: Mapping[str, Any]) -> int:
    """1 for the first attempt; counted by us, because the broker also counts lost connections."""
    try:
        return max(1, int(headers.get(ATTEMPT, 1)))
    except (TypeError, ValueError):
        return 1


def waited_seconds(headers: Mapping[str, Any]) -> float | None:
    """Since it was said; None of a later attempt, or where its sender does not say when."""
    if is_retried(headers):
        return None
    try:
        said = datetime.fromisoformat(str(headers.get(f"{_PREFIX}time")))
        return max(0.0, (datetime.now(UTC) - said).total_seconds())
    except (TypeError, ValueError):
        return None


def is_retried(headers: Mapping[str, Any]) -> bool:
    """Whether we handed it on to another attempt, counted or not."""
    return ATTEMPT in headers


def returns_of(headers: Mapping[str, Any]) -> int:
    """How often the broker has delivered it before without an acknowledgement."""
    count = headers.get("x-delivery-count", 0)
    return count if isinstance(count, int) else 0


def errors_of(headers: Mapping[str, Any]) -> list[str]:
    return [line[:_ERROR_CHARACTERS] for line in lines_of(headers, ERRORS)]


def lines_of(headers: Mapping[str, Any], name: str) -> list[str]:
    """What a header of ours lists; nothing where a stranger put something else there, however deeply it is nested."""
    try:
        return [str(line) for line in json.loads(headers.get(name, "[]"))]
    except (TypeError, ValueError, RecursionError):
        return []


def plain_headers(headers: Mapping[str, Any]) -> dict[str, Any]:
    """Those that can be kept as JSON and sent again, without the broker's own, attempts and errors.

    What is too much for the broker would end the publisher's connection, again and again.
    """
    kept: dict[str, Any] = {}
    room = _HEADER_BYTES
    for key, value in headers.items():
        if key.startswith("x-") or not isinstance(value, str | int | float):
            continue
        name, plain = storable(key), _plain(value)
        size = len(name.encode()) + len(str(plain).encode())
        if size <= room:
            kept[name] = plain
            room -= size
    return kept


def _plain(value: str | float) -> str | int:
    """Numbers that AMQP clients do not write as they read them become text."""
    if isinstance(value, int) and abs(value) < 2**63:
        return value
    return storable(str(value))


def storable(text: str) -> str:
    """Postgres keeps neither NUL nor half a surrogate pair, and what cannot be parked would come back for ever."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\x00", "\ufffd")


def retry_headers(
    headers: Mapping[str, Any], message: type[Message] | None, attempt: int, error: str
) -> dict[str, Any]:
    """Headers of the next attempt: our own count and the last few errors; the broker's own are left behind."""
    kept = plain_headers(headers)
    if message is not None:
        kept.setdefault(f"{_PREFIX}type", type_header(message))
    errors = [*errors_of(headers), error[:_ERROR_CHARACTERS]] if error else errors_of(headers)
    return {**kept, ATTEMPT: attempt, ERRORS: json.dumps(errors[-_KEPT_ERRORS:])}
