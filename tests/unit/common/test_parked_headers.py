"""Headers of strangers' messages: whatever they hold, a retry and a replay can be stored and sent."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pamqp.encode
import pytest
from common import envelope
from common.events import AssetDeleted
from common.ids import uuid7
from common.parked_headers import HISTORY, history_of, kept_headers, named_type, replay_headers
from hypothesis import example, given, settings
from hypothesis import strategies as st

# Everything that all headers of a message may take, because they travel in one frame.
FRAME_BYTES = 128 * 1024
NOW = datetime(2026, 1, 1, tzinfo=UTC)

values = st.one_of(
    st.text(),
    st.text(min_size=1).map(lambda text: text * 5000),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.none(),
    st.binary(),
    st.binary().map(bytearray),
    st.datetimes(),
    st.decimals(allow_nan=False).map(Decimal),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)
names = st.one_of(st.text(max_size=120), st.sampled_from([HISTORY, "x-errors", "x-attempt", "cloudEvents_type"]))
strange = st.dictionaries(names, values, max_size=8)


def sendable_and_storable(headers: dict[str, Any]) -> None:
    assert len(pamqp.encode.field_table(headers)) < FRAME_BYTES
    text = json.dumps(headers, allow_nan=False, ensure_ascii=False)
    # Half a pair of surrogates has no UTF-8, and Postgres stores no NUL.
    assert text.encode()
    assert "\\u0000" not in text


@example({HISTORY: "[" * 100_000, "x-errors": "[" * 100_000})
@given(strange)
@settings(max_examples=300, deadline=None)
def test_strange_headers_survive_being_retried_parked_and_replayed(headers: dict[str, Any]) -> None:
    again = envelope.retry_headers(headers, AssetDeleted, 2, "an error " * 1000)
    sendable_and_storable(again)
    kept = kept_headers(again, "asset.deleted.v1")
    history = history_of(kept, envelope.errors_of(again))
    for _ in range(3):
        replayed = replay_headers(kept, uuid7(), history, "a reason " * 1000, NOW)
        sendable_and_storable(replayed)
        sendable_and_storable(envelope.retry_headers(replayed, AssetDeleted, 3, "\U0001f600" * 1000))
        history = history_of(replayed, [])


def test_what_went_before_survives_retries_after_a_replay() -> None:
    replayed = replay_headers({"traceparent": "t"}, uuid7(), ["first"], "KeyError: 'a bug'", NOW)
    retried = envelope.retry_headers(replayed, AssetDeleted, 2, "second")
    kept = kept_headers(retried, "chat.asset.deleted.v1")
    first, parked, second = history_of(kept, envelope.errors_of(retried))
    assert (first, second) == ("first", "second")
    assert parked.startswith("KeyError: 'a bug' (parked 2026-01-01T00:00:00+00:00, replayed ")


@pytest.mark.parametrize(
    ("headers", "key", "named"),
    [
        ({}, "asset.deleted.v1", "earshot.asset.deleted.v1"),
        ({}, "asset.deleted.v1.bulk", "earshot.asset.deleted.v1"),
        ({}, "asset.polished.v3", "earshot.asset.polished.v3"),
        ({"cloudEvents_type": "earshot.asset.deleted.v1"}, "chat.asset.deleted.v1", "earshot.asset.deleted.v1"),
        ({"cloudEvents_type": "earshot.asset.polished.v3"}, "gateway.facts", "earshot.asset.polished.v3"),
        ({}, "gateway.facts", None),
    ],
)
def test_the_type_is_kept_by_name(headers: dict[str, Any], key: str, named: str | None) -> None:
    kept = kept_headers(headers, key)
    assert kept.get("cloudEvents_type") == named
    assert named_type(kept) == (named.removeprefix("earshot.") if named else None)
