"""Titles of sessions: short, on one line, cut between words."""

import pytest
from chat.domain.titles import title_of
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("question", "title"),
    [
        ("When do we move?", "When do we move"),
        ("  When\n do\twe move ?!  ", "When do we move"),
        ("???", "???"),
        ("word " * 30, "word " * 14 + "word…"),
        ("x" * 200, "x" * 79 + "…"),
    ],
)
def test_made_from_the_question(question: str, title: str) -> None:
    assert title_of(question) == title


@given(st.text(min_size=1).filter(lambda text: text.strip() != ""))
def test_always_something_short(question: str) -> None:
    title = title_of(question)
    assert 1 <= len(title) <= 80
    assert "\n" not in title
