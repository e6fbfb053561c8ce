"""A query as it was typed."""

import pytest
from embedder.domain.asking import exchange, read_query
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("text", "phrases"),
    [
        ('budget "twelve thousand dollars" now', [("twelve", "thousand", "dollars")]),
        ("“the Café” „zwei Wörter“ «trois mots»", [("the", "cafe"), ("zwei", "worter"), ("trois", "mots")]),
        ('one "alone', []),
        ('"" "!"', []),
        ("don't 'quote' me", []),
        ("「東京」 tower", [("東", "京")]),
    ],
)
def test_quoted_parts(text: str, phrases: list[tuple[str, ...]]) -> None:
    assert list(read_query(text).phrases) == phrases


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("https://www.Example.org/talk/7/", "example.org/talk/7"),
        ("youtube.com/watch?v=abc", "youtube.com/watch?v=abc"),
        ("example.org", "example.org"),
        ("two words example.org", None),
        ("3.5", None),
        ("budget", None),
    ],
)
def test_addresses(text: str, address: str | None) -> None:
    assert read_query(text).address == address


@given(st.text())
def test_any_text_can_be_read_and_put_together_again(text: str) -> None:
    asked = read_query(text)
    assert exchange(text, [(token, text[token.start : token.end]) for token in asked.words]) == text
