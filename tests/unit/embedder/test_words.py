"""Words: folded alike however they are written, found where they stand."""

import itertools

import pytest
from embedder.domain.words import (
    asked_units,
    find_phrase,
    fold,
    language_code,
    matches,
    term,
    term_counts,
    tokens,
)
from hypothesis import given
from hypothesis import strategies as st


@given(st.text())
def test_offsets_slice_to_the_words_in_order(text: str) -> None:
    found = tokens(text)
    assert [fold(text[token.start : token.end]) for token in found] == [token.word for token in found]
    assert all(a.end <= b.start for a, b in itertools.pairwise(found))
    assert all(token.start < token.end for token in found)


@given(st.text(), st.sampled_from(["en", "ja", "it", "xx"]))
def test_matches_never_overlap_and_cover_every_unit(text: str, code: str) -> None:
    wanted = set(term_counts(text, code))
    found = matches(text, wanted, code)
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(found))
    assert bool(found) == bool(wanted)


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
    assert [token.word for token in tokens("tower東京2026")] == ["tower", "東", "京", "2026"]
    assert len(tokens("กข tower")) == 3


def test_neighbouring_characters_count_as_pairs() -> None:
    assert term_counts("東京都。京", "ja") == {"東": 1, "東京": 1, "京": 2, "京都": 1, "都": 1}
    assert [unit.word for unit in asked_units("東京都 tower", "ja")] == ["東京", "京都", "tower"]
    assert [unit.word for unit in asked_units("京", "ja")] == ["京"]
    text = "🙂東京都です"
    assert [text[a:b] for a, b in matches(text, {"東京", "京都"}, "ja")] == ["東京都"]


@pytest.mark.parametrize(
    ("text", "compound"),
    [
        ("an e-mail", "email"),
        ("COVID-19 came", "covid19"),
        ("state-of-the-art", "stateoftheart"),
        ("e‑mails", "email"),
    ],
)
def test_a_compound_counts_as_one_word_too(text: str, compound: str) -> None:
    assert term_counts(text, "en")[term(compound, "en") or ""] == 1
    found = [text[a:b] for a, b in matches(text, {term(compound, "en") or ""}, "en")]
    assert found == [text.removeprefix("an ").removesuffix(" came")]


def test_numbers_with_a_hyphen_are_no_compound() -> None:
    assert set(term_counts("2019-2020 - later", "en")) == {"2019", "2020", "later"}


def test_articles_are_taken_off_where_they_are_part_of_the_word() -> None:
    assert term("dell'acqua", "it") == term("acqua", "it")
    assert term("l'eau", "fr") == term("eau", "fr")
    assert term("l'aigua", "ca") == term("aigua", "ca")
    assert term("o'clock", "it") == "o'clock"


def test_english_words_are_stemmed_and_empty_ones_left_out() -> None:
    text = "The boards were discussing budgets, and the board's budget"
    assert term_counts(text, "en") == {"board": 2, "discuss": 1, "budget": 2}


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
