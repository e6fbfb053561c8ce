"""Ids of a session's events name the attempt."""

import pytest
from chat.domain.resuming import BEGINNING, event_prefix, read_after, read_place
from hypothesis import given
from hypothesis import strategies as st


@given(st.integers(1, 999), st.integers(1, 999), st.integers(0, 99_999))
def test_what_was_seen_of_another_attempt_does_not_count(seen: int, now: int, number: int) -> None:
    assert read_after(f"{event_prefix(seen)}{number}", now) == (number if seen == now else 0)


@pytest.mark.parametrize(
    "strange", ["", "1", "1.", ".1", "a.1", "1.b", "-1.2", "1.2.3", "1. 2", "١.٢", "1." + "9" * 30]
)
def test_what_is_no_id_is_refused(strange: str) -> None:
    with pytest.raises(ValueError, match="event id"):
        read_after(strange, 1)


@given(st.integers(1, 999), st.integers(1, 999), st.integers(0, 99_999), st.integers(1, 9))
def test_so_it_is_with_places_in_a_run(seen: int, now: int, number: int, part: int) -> None:
    place = read_place(f"{event_prefix(seen)}{number}.{part}", now)
    assert place == ((number, part) if seen == now else BEGINNING)


@pytest.mark.parametrize("strange", ["", "1", "1.2", "1.2.", ".1.2", "1..2", "a.1.2", "1.2.3.4", "1.2.٣", "1.2.-3"])
def test_what_is_no_place_is_refused(strange: str) -> None:
    with pytest.raises(ValueError, match="event id"):
        read_place(strange, 1)
