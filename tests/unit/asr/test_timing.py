"""Times of words that an engine did not time, or timed out of order."""

from asr.domain.timing import TimedWord, evenly, in_order, spread
from hypothesis import given
from hypothesis import strategies as st

times = st.none() | st.floats(-5, 40)
words = st.lists(st.builds(TimedWord, st.text("abc", min_size=1, max_size=9), times, times, st.none()), max_size=30)


def test_untimed_words_share_the_gap_between_their_neighbours_by_letters() -> None:
    timed = spread(
        [
            TimedWord("a", 0.0, 1.0, 0.9),
            TimedWord("bb", None, None, None),
            TimedWord("cccc", None, 2.0, None),
            TimedWord("d", 4.0, 5.0, 0.9),
        ],
        10.0,
    )
    assert [(word.start, word.end) for word in timed] == [(0.0, 1.0), (1.0, 2.0), (2.0, 4.0), (4.0, 5.0)]


def test_a_text_of_which_only_the_length_is_known() -> None:
    assert [(word.word, word.start, word.end) for word in evenly("one three", 8.0)] == [("one", 0, 3), ("three", 3, 8)]
    assert evenly("  ", 8.0) == []


@given(words, st.floats(0.1, 30))
def test_every_word_stays_in_order_and_inside(given_words: list[TimedWord], seconds: float) -> None:
    timed = in_order(spread(given_words, seconds), seconds)
    assert [word.word for word in timed] == [word.word for word in given_words]
    latest = 0.0
    for word in timed:
        assert word.start is not None
        assert word.end is not None
        assert latest <= word.start <= word.end <= seconds
        latest = word.start
