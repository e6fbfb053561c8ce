"""The envelope: ids, types and attempts, also of messages from strangers and of those the broker moved."""

from uuid import UUID

import pytest
from common import envelope, topology
from common.events import MESSAGES, AssetDeleted, AssetRegistered, RecordingOptions, Source
from common.examples import EXAMPLES
from common.ids import short_id, uuid7
from common.settling import delay_for
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize("name", sorted(MESSAGES))
def test_every_message_survives_the_journey(name: str) -> None:
    example = EXAMPLES[name]
    sealed = envelope.seal(example, "gateway", topology.EVENTS_EXCHANGE)
    kind = envelope.type_of(sealed.headers, "somewhere.else")
    assert kind is type(example)
    assert kind.parse(sealed.body) == example
    assert envelope.message_id_of(None, sealed.headers, sealed.body) == sealed.id


def test_the_bulk_lane_is_a_last_word() -> None:
    fact = AssetDeleted(asset_id=uuid7(), run=1, collection_id=uuid7(), priority="bulk")
    assert fact.routing_key == "asset.deleted.v1.bulk"
    assert envelope.type_of({}, fact.routing_key) is AssetDeleted


def test_what_the_broker_moved_is_known_by_where_it_was() -> None:
    headers = {"x-death": [{"routing-keys": ["asset.deleted.v1"], "queue": "chat.asset.deleted.v1"}]}
    assert envelope.type_of(headers, "chat") is AssetDeleted
    assert envelope.type_of({}, "no.such.v1") is None


def test_a_stranger_without_an_id_is_recognised_by_what_he_says() -> None:
    one = envelope.message_id_of(None, {}, b'{"request_id": "a"}')
    assert one == envelope.message_id_of(None, {}, b'{"request_id": "a"}')
    assert one != envelope.message_id_of(None, {}, b'{"request_id": "b"}')
    assert envelope.message_id_of(str(one), {}, b"other") == one


def test_retries_keep_the_meaning_and_drop_the_broker_s_own_headers() -> None:
    headers = {"cloudEvents_id": "x", "x-death": [1], "x-delivery-count": 3, "traceparent": "t"}
    again = envelope.retry_headers(headers, AssetDeleted, 2, "boom")
    assert again["cloudEvents_id"] == "x"
    assert again["cloudEvents_type"] == "earshot.asset.deleted.v1"
    assert (envelope.attempt_of(again), envelope.errors_of(again)) == (2, ["boom"])
    assert "x-death" not in again
    for attempt in range(3, 12):
        again = envelope.retry_headers(again, AssetDeleted, attempt, f"boom {attempt}")
    assert envelope.errors_of(again) == [f"boom {attempt}" for attempt in range(7, 12)]


@pytest.mark.parametrize("value", ["not a number", None, -4, {}])
def test_attempts_that_make_no_sense_count_as_the_first(value: object) -> None:
    assert envelope.attempt_of({envelope.ATTEMPT: value}) == 1


def test_messages_carry_references_not_payloads() -> None:
    with pytest.raises(ValueError, match="object store"):
        envelope.seal(
            AssetRegistered(
                asset_id=uuid7(),
                run=1,
                collection_id=uuid7(),
                kind="recording",
                title="x",
                source=Source(type="url", url="https://example.org/a.mp3"),
                options=RecordingOptions.model_construct(key_terms=["x" * 70_000]),
            ),
            "gateway",
            topology.EVENTS_EXCHANGE,
        )


@given(st.integers(min_value=1, max_value=1000))
def test_delays_only_grow_and_each_has_its_queue(attempt: int) -> None:
    assert delay_for(attempt) in topology.DELAYS
    assert delay_for(attempt) <= delay_for(attempt + 1)


def test_ids_rise_with_time_and_short_ones_show_the_random_tail() -> None:
    ids = [uuid7() for _ in range(50)]
    assert {i.version for i in ids} == {7}
    assert [i.int >> 80 for i in ids] == sorted(i.int >> 80 for i in ids)
    assert len({short_id(i) for i in ids}) == 50
    assert UUID(hex="0" * 24 + short_id(ids[0])).int == ids[0].int & 0xFFFFFFFF
