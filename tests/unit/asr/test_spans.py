"""Utterances from frames."""

from itertools import pairwise

from asr.domain.spans import Frames, Span, SpeechRules, find_speech
from hypothesis import given
from hypothesis import strategies as st

LOUD, QUIET = -20.0, -80.0


def frames(*stretches: tuple[int, bool], loudness: float = LOUD) -> Frames:
    """Frames of 0.1 s: how many, and whether they are speech."""
    speech = [said for count, said in stretches for _ in range(count)]
    return Frames(0.1, speech, [loudness if said else QUIET for said in speech])


RULES = SpeechRules(
    pause_seconds=0.5, margin_seconds=0.2, shortest_seconds=0.2, longest_seconds=5.0, quietest_dbfs=-60.0
)


def test_short_pauses_stay_inside_an_utterance() -> None:
    found = find_speech(frames((10, False), (5, True), (3, False), (5, True), (10, False)), RULES)
    assert found == [Span(0.8, 2.5)]


def test_long_pauses_part_utterances() -> None:
    found = find_speech(frames((10, False), (5, True), (8, False), (5, True), (10, False)), RULES)
    assert found == [Span(0.8, 1.7), Span(2.1, 3.0)]


def test_margins_stop_at_the_ends_of_the_recording() -> None:
    assert find_speech(frames((5, True)), RULES) == [Span(0.0, 0.5)]


def test_a_click_is_no_speech() -> None:
    assert find_speech(frames((10, False), (1, True), (10, False)), RULES) == []


def test_what_nobody_can_hear_is_no_speech() -> None:
    assert find_speech(frames((20, True), loudness=-75.0), RULES) == []


def test_nothing_in_nothing() -> None:
    assert find_speech(Frames(0.1, [], []), RULES) == []


def test_long_talk_is_divided_where_it_is_quietest() -> None:
    loudness = [LOUD] * 70
    loudness[31:34] = [-35.0] * 3
    found = find_speech(Frames(0.1, [True] * 70, loudness), RULES)
    assert [round(span.end, 1) for span in found] == [3.1, 7.0]


@given(st.lists(st.tuples(st.integers(1, 90), st.booleans()), max_size=12))
def test_utterances_are_in_order_short_enough_and_cover_the_speech(stretches: list[tuple[int, bool]]) -> None:
    heard = frames(*stretches)
    found = find_speech(heard, RULES)
    for span in found:
        assert 0 <= span.start < span.end <= len(heard.speech) * 0.1 + 1e-6
        assert span.seconds <= RULES.longest_seconds + 1e-6
    for before, after in pairwise(found):
        assert before.end <= after.start
    at = 0
    for count, said in stretches:
        if said and count >= 2:
            middle = (at + count / 2) * 0.1
            assert any(span.start - 1e-6 <= middle <= span.end + 1e-6 for span in found)
        at += count
