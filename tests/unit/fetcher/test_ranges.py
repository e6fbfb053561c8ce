"""Ranges as listeners ask for them and as servers answer with them."""

import pytest
from fetcher.domain.ranges import (
    ByteRange,
    ContentRange,
    Unsatisfiable,
    parse_content_range,
    parse_range,
)
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-0", ByteRange(0, 1)),
        ("bytes=0-", ByteRange(0, 100)),
        ("bytes=10-19", ByteRange(10, 20)),
        ("bytes=90-1000", ByteRange(90, 100)),
        ("bytes=-5", ByteRange(95, 100)),
        ("bytes=-500", ByteRange(0, 100)),
        ("Bytes = 5 - 6", ByteRange(5, 7)),
    ],
)
def test_one_range(header: str, expected: ByteRange) -> None:
    assert parse_range(header, 100) == expected


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=500-600", "bytes=-0"])
def test_ranges_without_a_byte(header: str) -> None:
    with pytest.raises(Unsatisfiable):
        parse_range(header, 100)


@pytest.mark.parametrize(
    "header", [None, "", "bytes=", "bytes=-", "bytes=a-b", "lines=0-5", "bytes=0-1,5-6", "bytes=9-5", "bytes=٣-٤"]
)
def test_what_is_ignored(header: str | None) -> None:
    assert parse_range(header, 100) is None


@given(st.integers(1, 10_000), st.integers(0, 20_000), st.integers(0, 20_000))
def test_a_range_is_the_slice_it_names(size: int, first: int, last: int) -> None:
    content = bytes(index % 251 for index in range(size))
    try:
        span = parse_range(f"bytes={first}-{last}", size)
    except Unsatisfiable:
        assert first >= size
        return
    if span is None:
        assert last < first
        return
    assert content[span.start : span.end] == content[first : last + 1]
    assert span.content_range(size) == f"bytes {first}-{min(last, size - 1)}/{size}"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes 5-9/10", ContentRange(5, 10)),
        ("bytes 5-9/*", ContentRange(5, None)),
        ("bytes */10", ContentRange(None, 10)),
        ("5-9/10", None),
        (None, None),
    ],
)
def test_content_range(header: str | None, expected: ContentRange | None) -> None:
    assert parse_content_range(header) == expected
