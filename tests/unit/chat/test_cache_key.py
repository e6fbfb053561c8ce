"""Keys of the answer cache: one for ways to write a question, and never one for two questions."""

import unicodedata
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from chat.domain.cache_key import Grounds, normalised
from chat.domain.passages import Line, Passage
from chat.providers.choice import Writers
from chat.settings import ChatSettings
from common.identity import new_key_pair
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.unit.chat.passages import passage

ONE, OTHER, THIRD = UUID(int=1), UUID(int=2), UUID(int=3)
FINAL = "?.\uff1f\uff0e\u3002\u061f"
BLANKS = " \t\n\u00a0\u3000"
# Without surrogates and private characters; letters, marks, numbers, symbols and inner punctuation all bear meaning.
CHARACTERS = st.characters(exclude_categories=("Cs", "Cc", "Co", "Cn", "Z"), exclude_characters=FINAL)
WORDS = st.lists(st.text(CHARACTERS, min_size=1, max_size=8), min_size=1, max_size=6)


def shown(text: str = "It is due in May.", **changes: Any) -> Passage:
    return replace(passage([text]), **changes)


def grounds(question: str = "When is it due?", **changes: Any) -> Grounds:
    made = Grounds(question, ONE, None, 8, {ONE: 4}, [shown()], False, ("extractive",), "")
    return replace(made, **changes)


@pytest.mark.parametrize(
    "written",
    [
        "when is it due",
        "WHEN IS IT DUE??",
        "  When\u00a0is\n it due . ",
        "When is it due\uff1f",
        "When is it due\u3002",
    ],
)
def test_ways_to_write_a_question_share_a_key(written: str) -> None:
    assert grounds(written).key() == grounds().key()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Wie groß sind die Maße?", "Wie groß sind die Masse?"),
        ("What is x² here?", "What is x2 here?"),
        ("What is 5!", "What is 5?"),
        ("Is it 1.5 or 2?", "Is it 15 or 2?"),
        ("Who wrote C++?", "Who wrote C?"),
        ("When did she resign?", "When did she re-sign?"),
        ("Cuándo llegó?", "Cuando llego?"),
        ("?", "."),
    ],
)
def test_questions_that_mean_other_things_do_not(one: str, other: str) -> None:
    assert grounds(one).key() != grounds(other).key()


@given(words=WORDS, blank=st.text(BLANKS, min_size=1, max_size=3), end=st.text(FINAL + BLANKS, max_size=4))
def test_blanks_composition_and_the_last_mark_change_nothing(words: list[str], blank: str, end: str) -> None:
    plain = normalised(" ".join(words))
    assert normalised(blank + blank.join(words) + end) == plain
    assert normalised(unicodedata.normalize("NFD", " ".join(words))) == plain
    assert normalised(plain) == plain


@given(
    words=WORDS,
    place=st.integers(0, 100),
    inserted=CHARACTERS,
    fate=st.sampled_from(["insert", "replace", "remove"]),
)
def test_any_other_change_of_a_character_is_another_question(
    words: list[str], place: int, inserted: str, fate: str
) -> None:
    """Told apart by an oracle of its own: canonical forms of lower-case characters, one by one, without blanks."""
    text = " ".join(words)
    at = place % len(text)
    assume(text[at] != " ")
    changed = text[:at] + ("" if fate == "remove" else inserted) + text[at + (fate != "insert") :]
    assume(_characters(changed) != _characters(text))
    assume(changed.strip())
    assert grounds(changed).key() != grounds(text).key()


def _characters(text: str) -> list[str]:
    lower = "".join(char.lower() for char in unicodedata.normalize("NFC", text))
    # The two small sigmas have one capital.
    return list(unicodedata.normalize("NFD", lower).replace("\u03c2", "\u03c3"))


@pytest.mark.parametrize(
    "changes",
    [
        {"collection_id": OTHER},
        {"collection_id": None},
        {"asset_ids": [OTHER]},
        {"asset_ids": []},
        {"top_k": 9},
        {"generations": {ONE: 5}},
        {"generations": {OTHER: 4}},
        {"generations": {ONE: 4, OTHER: 0}},
        {"passages": []},
        {"passages": [shown("It is due in June.")]},
        {"passages": [shown(revision=2)]},
        {"passages": [shown(title="Another")]},
        {"passages": [shown(playable=False)]},
        {"passages": [shown(lines=(Line(0, 17, 0.0, 2.0, "Anna"),))]},
        {"passages": [shown(), shown(number=2)]},
        {"selected": True},
        {"writer": ("openai", "", "m")},
        {"rules": "Answer briefly."},
    ],
    ids=str,
)
def test_everything_that_an_answer_follows_from_is_in_the_key(changes: dict[str, Any]) -> None:
    assert grounds(**changes).key() != grounds().key()


def test_what_an_answer_does_not_follow_from_is_not() -> None:
    """Scores differ with every word that is indexed anywhere; assets and collections have no order."""
    scored: Passage = shown(score=0.2, semantic=0.7, lexical=3.0)
    assert grounds(passages=[scored]).key() == grounds().key()
    assert grounds(asset_ids=[ONE, OTHER, ONE]).key() == grounds(asset_ids=[OTHER, ONE]).key()
    assert grounds(generations={ONE: 4, THIRD: 2}).key() == grounds(generations={THIRD: 2, ONE: 4}).key()


def test_settings_that_change_answers_are_in_the_key() -> None:
    def prints(writer: str, **settings: Any) -> tuple[str, ...]:
        common = {"database_url": "postgresql://nobody@localhost/none", "identity_private_key": new_key_pair()[0]}
        return Writers(ChatSettings(**common | settings)).fingerprint(writer)  # type: ignore[arg-type]

    here: dict[str, Any] = {"provider": "openai", "model": "m", "openai_api_key": "k"}
    assert prints("extractive") == prints("extractive", **here)
    assert len({prints("extractive"), prints("extractive", quotes=2), prints("extractive", least_closeness=0.6)}) == 3
    elsewhere = here | {"openai_base_url": "http://127.0.0.1:1/v1"}
    assert len({prints("m", **here), prints("n", **here | {"model": "n"}), prints("m", **elsewhere)}) == 3
    assert prints("m", **here) != prints("m", **here, max_tokens=64)
