"""Word error rate against figures worked out by hand."""

import pytest
from asr.domain.accuracy import edit_distance, plain_words, word_error_rate
from hypothesis import given
from hypothesis import strategies as st

words = st.lists(st.sampled_from(["one", "two", "three", "four"]), max_size=12)


@pytest.mark.parametrize(
    ("reference", "recognised", "expected"),
    [
        ("We will move in May.", "we will move in may", 0.0),
        ("we will move in may", "we will move may", 1 / 5),
        ("we will move in may", "we will all move in may", 1 / 5),
        ("we will move in may", "we still move in march", 2 / 5),
        ("one", "two three four", 3.0),
        ("nine o’clock", "nine o'clock", 0.0),
        ("twenty-second", "twenty second", 0.0),
        ("something", "", 1.0),
        ("", "something", 1.0),
        ("", "", 0.0),
    ],
)
def test_rate(reference: str, recognised: str, expected: float) -> None:
    assert word_error_rate(reference, recognised) == pytest.approx(expected)


def test_plain_words_leave_no_punctuation() -> None:
    assert plain_words("Well — “that's” it: 5 o'clock!") == ["well", "that's", "it", "5", "o'clock"]


@given(words, words)
def test_distance_is_a_metric(left: list[str], right: list[str]) -> None:
    distance = edit_distance(left, right)
    assert distance == edit_distance(right, left)
    assert (distance == 0) == (left == right)
    assert abs(len(left) - len(right)) <= distance <= max(len(left), len(right))


@given(words, words, words)
def test_distance_obeys_the_triangle(one: list[str], two: list[str], three: list[str]) -> None:
    assert edit_distance(one, three) <= edit_distance(one, two) + edit_distance(two, three)
