"""Near words: which are believed, and what they weigh."""

import pytest
from embedder.domain import near
from embedder.domain.near import (
    MOST_NEAR,
    Candidate,
    Near,
    distance,
    heads,
    is_plain_slip,
    likelihood,
    meant_stopword,
    tail_variants,
)
from hypothesis import given
from hypothesis import strategies as st

LETTERS = st.text("abcd", max_size=8)


def plain_distance(a: str, b: str) -> int:
    """By the definition, without any shortcut."""
    if not a or not b:
        return len(a) + len(b)
    costs = [plain_distance(a[1:], b) + 1, plain_distance(a, b[1:]) + 1, plain_distance(a[1:], b[1:]) + (a[0] != b[0])]
    if len(a) > 1 and len(b) > 1 and a[0] == b[1] and a[1] == b[0]:
        costs.append(plain_distance(a[2:], b[2:]) + 1)
    return min(costs)


@given(st.text("abc", max_size=5), st.text("abc", max_size=5))
def test_distance_is_what_its_definition_says(a: str, b: str) -> None:
    assert distance(a, b, 9) == plain_distance(a, b)


@given(LETTERS, LETTERS, st.integers(0, 3))
def test_distance_is_symmetric_and_stops_one_beyond_the_most(a: str, b: str, most: int) -> None:
    assert distance(a, b, most) == distance(b, a, most)
    assert distance(a, b, most) == min(distance(a, b, 99), most + 1)


def candidates(*terms: tuple[str, int], word: str = "budgte", alike: str = "") -> list[Candidate]:
    return [Candidate(word, number, term, df, term == alike) for number, (term, df) in enumerate(terms)]


def choose(word: str, found: list[Candidate], *, held_by: int = 0) -> list[Near]:
    likely = {candidate: likelihood(word, candidate, held_by) for candidate in found}
    return near.choose(word, {candidate: value for candidate, value in likely.items() if value}, held_by=held_by)


def test_few_slips_come_before_many_and_the_frequent_before_the_rare() -> None:
    found = choose("budgte", candidates(("budget", 5), ("budge", 5), ("budgte", 900), ("gadget", 900)))
    assert [one.term for one in found][:2] == ["budget", "budge"], "a swap is likelier than a letter too many"
    assert found[0].share == pytest.approx(0.6)
    many = choose("budgte", candidates(("budget", 50), ("budge", 1)))
    assert [one.term for one in many] == ["budget", "budge"]
    assert 0 < many[1].share < many[0].share < 1


def test_another_beginning_is_less_likely_and_the_same_sound_more() -> None:
    found = choose("cofee", candidates(("coffe", 1), ("tofee", 1), word="cofee"))
    assert [one.term for one in found] == ["coffe", "tofee"]
    found = choose("meier", candidates(("meyer", 1), ("meter", 3), word="meier", alike="meyer"))
    assert found[0].term == "meyer"


def test_two_slips_are_believed_only_of_long_words_and_of_those_that_sound_alike() -> None:
    assert choose("abcd", candidates(("axcy", 9), word="abcd")) == []
    assert choose("kubernetis", candidates(("cubernetes", 9), word="kubernetis"))
    assert choose("nalen", candidates(("nehlen", 9), word="nalen")) == []
    assert choose("nalen", candidates(("nehlen", 9), word="nalen", alike="nehlen"))


def test_a_rare_word_is_stood_in_for_with_little_weight_by_frequent_ones_only() -> None:
    found = choose("harbur", candidates(("harbour", 9), ("harbut", 1), word="harbur"), held_by=1)
    assert [(one.term, one.share) for one in found] == [("harbour", pytest.approx(0.3))]


def test_no_more_than_five() -> None:
    terms = [(f"budgt{letter}", 1) for letter in "abcdfghij"]
    assert len(choose("budgte", candidates(*terms))) == MOST_NEAR


def test_misspelt_words_that_say_nothing() -> None:
    assert meant_stopword("teh") == "the"
    assert meant_stopword("whcih") == "which"
    assert meant_stopword("budget") is None
    assert meant_stopword("a") is None
    assert meant_stopword("jhe") == "the"
    assert meant_stopword("ohat") == "what"
    assert [meant_stopword(word) for word in ("may", "war", "hat", "way")] == [None] * 4
    assert [is_plain_slip(*pair) for pair in (("teh", "the"), ("jhe", "the"), ("ohat", "what"))] == [True, False, True]


@given(st.text("abcdefghijklmnopqrstuvwxyz", min_size=6, max_size=12))
def test_tail_variants_are_one_slip_away(word: str) -> None:
    variants = tail_variants(word)
    assert all(distance(word, variant, 1) == 1 for variant in variants)
    assert word[:-1] in variants


def test_a_slip_in_the_suffix_is_put_right() -> None:
    assert "discussion" in tail_variants("discussoin")
    assert "meeting" in tail_variants("meetinf")
    assert tail_variants("日本語日本語") == []


def test_a_word_is_cut_wherever_a_suffix_may_begin() -> None:
    assert heads("discssion")[:4] == [("discssion", ""), ("discssio", "n"), ("discssi", "on"), ("discss", "ion")]
    assert min(len(head) for head, _ in heads("discssion")) == 4
    assert heads("usr") == []


def test_of_three_letters_only_a_missing_one_is_believed() -> None:
    assert choose("usr", candidates(("user", 5), ("use", 50), ("usb", 50), word="usr"))[0].term == "user"
    assert len(choose("usr", candidates(("user", 5), ("use", 50), ("usb", 50), word="usr"))) == 1
