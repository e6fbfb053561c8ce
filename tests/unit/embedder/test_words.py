"""Words: folded alike however they are written, found where they stand."""

import itertools

import pytest
from embedder.domain.words import find_phrase, fold, language_code, matches, term, term_counts, tokens
from hypothesis import given
from hypothesis import strategies as st


@given(st.text())
def test_offsets_slice_to_the_words_in_order(text: str) -> None:
    found = tokens(text)
    assert [fold(text[token.start : token.end]) for token in found] == [token.word for token in found]
    assert all(a.end <= b.start for a, b in itertools.pairwise(found))
    assert all(token.start < token.end for token in found)


@given(st.text(st.characters(categories=["L", "Mn", "Nd"])))
def test_folding_twice_changes_nothing_more(text: str) -> None:
    for token in tokens(text):
        assert fold(token.word) == token.word


@pytest.mark.parametrize(
    ("written", "word"),
    [
        ("Café", "cafe"),
        ("CAFE\u0301", "cafe"),
        ("Ångström", "angstrom"),
        ("don’t", "don't"),
        ("STRASSE", "strasse"),
        ("Straße", "strasse"),
        ("12,500", "12500"),
        ("3.5", "3.5"),
        ("Йод", "йод"),
        ("が", "が"),
    ],
)
def test_folded_alike(written: str, word: str) -> None:
    assert [token.word for token in tokens(written)] == [word]


def test_a_script_without_spaces_gives_one_word_per_character() -> None:
    assert [token.word for token in tokens("東京 tower")] == ["東", "京", "tower"]


def test_english_words_are_stemmed_and_empty_ones_left_out() -> None:
    words = [token.word for token in tokens("The boards were discussing budgets, and the board's budget")]
    assert term_counts(words, "en") == {"board": 2, "discuss": 1, "budget": 2}


def test_an_unknown_language_counts_its_words_as_they_are() -> None:
    assert term("discussing", "xx") == "discussing"
    assert term("the", "xx") == "the"
    assert language_code("en-US") == "en"
    assert language_code("pt_BR") == "pt"


def test_matches_are_exact_with_accents_and_emoji() -> None:
    text = "🙂 Les cafés — CAFÉ au lait 👩‍👩‍👧 cafe\u0301!"
    found = [text[start:end] for start, end in matches(text, {term("cafe", "en") or ""}, "en")]
    assert found == ["cafés", "CAFÉ", "cafe\u0301"]


def test_every_place_of_a_phrase_is_found_also_overlapping_ones() -> None:
    assert find_phrase(["a", "b", "a", "b", "a"], ["a", "b", "a"]) == [0, 2]
    assert find_phrase(["a"], []) == []
