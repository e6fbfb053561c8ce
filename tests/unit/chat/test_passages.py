"""Passages are cut into lines and sentences whose offsets and times are true."""

from dataclasses import replace
from itertools import pairwise

from chat.domain.passages import Line, Passage
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.chat.passages import ASSET, COLLECTION, passage

WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Z", "C"]), min_size=1, max_size=8)


def bare(content: str) -> Passage:
    return Passage(
        1, "c", content, ASSET, COLLECTION, "A page", "document", 1, {"type": "page", "page": 3}, "/d/x#page=3"
    )


def test_lines_without_punctuation_stay_whole() -> None:
    talk = passage(["we accept the loan", "it is a good price"])
    assert [talk.text(line) for line in talk.sentences()] == ["we accept the loan", "it is a good price"]


def test_punctuated_lines_are_cut_into_sentences_with_their_own_times() -> None:
    talk = passage(["We accept the loan. It is a good price."])
    first, second = talk.sentences()
    assert (talk.text(first), talk.text(second)) == ("We accept the loan.", "It is a good price.")
    assert (first.start_seconds, first.end_seconds) == (10.0, 11.5)
    assert (second.start_seconds, second.end_seconds) == (11.6, 13.5)


def test_a_text_without_a_clock_is_cut_too() -> None:
    page = bare("The rent is low. The roof leaks, says J. Smith of the town.\nThe end of it")
    assert [page.text(line) for line in page.sentences()] == [
        "The rent is low.", "The roof leaks, says J. Smith of the town.", "The end of it"
    ]  # fmt: skip
    assert page.seconds(0, 5) == (None, None)


def test_seconds_come_from_the_words() -> None:
    talk = passage(["one two three four"])
    start = talk.content.index("two")
    assert talk.seconds(start, start + len("two three")) == (10.4, 11.1)


def test_seconds_come_from_lines_where_words_have_none() -> None:
    talk = passage(["one two", "three four"])
    talk = replace(talk, words=())
    assert talk.seconds(talk.lines[1].start, talk.lines[1].end) == (10.8, 11.5)


def test_a_quote_of_two_voices_has_no_speaker() -> None:
    talk = passage(["one two", "three four"], speakers=["Anna", "Ben"])
    assert talk.speaker(0, 7) == "Anna"
    assert talk.speaker(0, len(talk.content)) is None


@given(st.text(max_size=300))
def test_sentences_cover_all_that_is_not_space_and_never_overlap(content: str) -> None:
    page = bare(content)
    sentences = page.sentences()
    for one, two in pairwise(sentences):
        assert one.end <= two.start
    covered = {i for line in sentences for i in range(line.start, line.end)}
    assert all(content[i].isspace() or i in covered or content[i] in "\"'”’)" for i in range(len(content)))


@given(
    st.lists(
        st.text(st.characters(codec="utf-8", exclude_categories=["Z", "C"]), min_size=1, max_size=8),
        min_size=1,
        max_size=30,
    )
)
def test_lines_and_words_point_at_their_text(words: list[str]) -> None:
    talk = passage([" ".join(words)])
    assert [talk.content[w.start : w.end] for w in talk.words] == words
    assert talk.text(Line(0, len(talk.content))) == talk.content
