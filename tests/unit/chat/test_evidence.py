"""Which lines come close to a question: by vectors, and by words where there are none."""

import math
from dataclasses import replace

import pytest
from chat.domain.evidence import Candidate, Meaning, closeness, texts_to_compare, weigh
from chat.domain.question import read_question

from tests.unit.chat.passages import passage

TALK = passage([
    "the bank has agreed to lend us two hundred thousand dollars",
    "how much would a guard cost",
    "it would cost about twelve hundred dollars a month",
    "we will move on the fifteenth of september",
])  # fmt: skip


def by_words(question: str) -> list[Candidate]:
    return weigh(read_question(question), [TALK], Meaning())


def at_angle(cosine: float) -> list[float]:
    return [cosine, math.sqrt(1 - cosine**2)]


def by_angle(question: str, **cosines: float) -> list[Candidate]:
    """Lines named by their first telling word have this cosine to the question's topic, others none."""
    read = read_question(question)
    vectors = {read.topic: [1.0, 0.0]}
    for line in TALK.sentences():
        text = TALK.text(line)
        vectors[text] = at_angle(next((value for word, value in cosines.items() if word in text.split()), 0.0))
    return weigh(read, [TALK], Meaning(vectors))


def best(candidates: list[Candidate]) -> str:
    return max(candidates, key=lambda c: c.score).text


def test_everything_that_is_compared_is_asked_for() -> None:
    texts = texts_to_compare(read_question("What did Anna say about the bank?"), [TALK, TALK])
    assert texts == ["the bank", *(TALK.text(line) for line in TALK.lines)]


def test_the_nearest_line_wins() -> None:
    candidates = by_angle("Who is generous?", bank=0.6, september=0.3)
    assert best(candidates) == TALK.text(TALK.lines[0])
    assert closeness(candidates) == pytest.approx(0.6)


def test_a_line_that_can_state_what_is_wanted_wins_over_a_slightly_nearer_one() -> None:
    assert best(by_angle("When is the relocation?", bank=0.5, september=0.42)) == TALK.text(TALK.lines[3])


def test_what_follows_a_question_answers_it() -> None:
    candidates = by_angle("What is the price of security?", guard=0.7, twelve=0.2)
    assert best(candidates) == TALK.text(TALK.lines[2])
    assert closeness(candidates) == pytest.approx(0.7)


def test_without_vectors_words_decide() -> None:
    assert best(by_words("When do they move?")) == TALK.text(TALK.lines[3])
    assert closeness(by_words("When do they move?")) > 0.45
    assert closeness(by_words("Who painted the ceiling of the chapel?")) == 0.0


def test_a_name_that_nobody_speaks_may_be_absent() -> None:
    with_name = by_words("What did Anna say about the loan from the bank?")
    assert closeness(with_name) == closeness(by_words("What was said about the loan from the bank?"))


def test_the_named_speaker_is_preferred() -> None:
    talk = passage(["the rent is too high", "the rent is much too high"], speakers=["Anna Smith", "Ben"])
    read = read_question("What did Ben say about the rent?")
    vectors = {read.topic: [1.0, 0.0]} | {talk.text(line): at_angle(0.6) for line in talk.lines}
    candidates = weigh(read, [talk], Meaning(vectors))
    assert best(candidates) == "the rent is much too high"


def test_the_passage_around_counts_a_little() -> None:
    near = weigh(read_question("When do they move?"), [replace(TALK, semantic=0.5)], Meaning())
    assert closeness(near) == pytest.approx(closeness(by_words("When do they move?")) + 0.15)


def test_no_passages_are_not_close_to_anything() -> None:
    assert closeness([]) == 0.0
