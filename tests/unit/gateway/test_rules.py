"""Scopes, roles, cursors and rates."""

from uuid import UUID, uuid4

import pytest
from gateway.domain import cursor
from gateway.domain.rate import Buckets
from gateway.domain.scopes import allows, role_suffices, scope_for
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("granted", "needed", "answer"),
    [
        (["read"], "read", True),
        (["read"], "write", False),
        (["write"], "read", True),
        (["write"], "admin", False),
        (["admin"], "write", True),
        ([], "read", False),
        (["nonsense"], "read", False),
    ],
)
def test_a_greater_scope_includes_the_lesser(granted: list[str], needed: str, answer: bool):
    assert allows(granted, needed) is answer


def test_reading_methods_need_less():
    assert [scope_for(method) for method in ("GET", "head", "POST", "DELETE")] == ["read", "read", "write", "write"]


@pytest.mark.parametrize(
    ("role", "needed", "answer"),
    [("viewer", "viewer", True), ("viewer", "editor", False), ("owner", "editor", True), (None, "viewer", False)],
)
def test_roles_include_lesser_ones(role: str | None, needed: str, answer: bool):
    assert role_suffices(role, needed) is answer


@given(st.uuids())
def test_a_cursor_goes_there_and_back(identifier: UUID):
    assert cursor.decode(cursor.encode(identifier)) == identifier


@pytest.mark.parametrize("text", ["x", "not a cursor", "AAAA", "äöü", "A" * 23])
def test_what_is_no_cursor_is_said_so(text: str):
    with pytest.raises(ValueError):
        cursor.decode(text)


def test_a_bucket_lets_bursts_through_and_then_the_steady_rate():
    buckets = Buckets(per_second=2.0, burst=3.0)
    assert [buckets.take("a", 0.0) for _ in range(3)] == [0.0, 0.0, 0.0]
    assert buckets.take("a", 0.0) == 0.5
    assert buckets.take("b", 0.0) == 0.0
    assert buckets.take("a", 0.5) == 0.0
    assert buckets.take("a", 0.5) > 0


def test_callers_not_seen_for_long_are_forgotten():
    buckets = Buckets(per_second=1.0, burst=1.0, most_callers=2)
    for caller in (str(uuid4()) for _ in range(10)):
        buckets.take(caller, 0.0)
    assert len(buckets._buckets) == 2
