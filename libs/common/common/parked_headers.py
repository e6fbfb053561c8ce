"""What is kept of a delivery's headers when it is parked, and which headers its replay carries."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from common import envelope, topology
from common.envelope import lines_of, plain_headers, storable

# What went before travels with a replayed message, so that one parked again still tells its whole story.
HISTORY = "earshot_history"
_TYPE = "cloudEvents_type"
_KEPT_LINES = 20
_REASON_CHARACTERS = 300
_LINE_CHARACTERS = 500


def kept_headers(headers: Mapping[str, Any], routing_key: str) -> dict[str, Any]:
    """Those that JSON can hold, and the type by name: a replay's routing key is the queue's name."""
    kept, kind = plain_headers(headers), envelope.type_of(headers, routing_key)
    if kind is not None:
        kept[_TYPE] = envelope.type_header(kind)
    elif routing_key not in topology.work_queues():
        # A type that a later version may know.
        kept.setdefault(_TYPE, storable(f"earshot.{routing_key}"))
    return kept


def replay_headers(
    headers: Mapping[str, Any], message_id: UUID, history: Sequence[str], reason: str, parked_at: datetime
) -> dict[str, Any]:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    told = f"{reason[:_REASON_CHARACTERS]} (parked {parked_at.isoformat(timespec='seconds')}, replayed {now})"
    lines = json.dumps([*history, told][-_KEPT_LINES:], ensure_ascii=False)
    return plain_headers(headers) | {"cloudEvents_id": str(message_id), HISTORY: lines}


def history_of(headers: Mapping[str, Any], errors: Sequence[str]) -> list[str]:
    """Everything that went wrong, oldest first: before earlier replays, then since the last one."""
    return [storable(line)[:_LINE_CHARACTERS] for line in [*lines_of(headers, HISTORY), *errors][-_KEPT_LINES:]]


def named_type(headers: Mapping[str, Any]) -> str | None:
    """The type that the sender named, known to us or not."""
    named = str(headers.get(_TYPE, "")).removeprefix("earshot.").removesuffix(".bulk")
    return named[:_LINE_CHARACTERS] or None
