"""Who spoke how much, how fast and over whom."""

from uuid import UUID

import pytest
from asr.domain.analytics import analyse, cover, interruptions
from asr.domain.spans import Span
from common.transcript import Segment, Speaker, Transcript
from hypothesis import given
from hypothesis import strategies as st

Times = tuple[float, float]


def transcript(*said: tuple[str, float, float, str], duration: float = 60.0) -> Transcript:
    """``said``: speaker, start, end, text."""
    return Transcript(
        asset_id=UUID(int=1),
        revision=3,
        complete=True,
        language="en",
        engine="whisperx",
        duration_seconds=duration,
        speakers=[Speaker(id="a", label="Speaker 1", name="Anna"), Speaker(id="b", label="Speaker 2")],
        segments=[
            Segment(id=f"s{at}", speaker=speaker, start=start, end=end, text=text)
            for at, (speaker, start, end, text) in enumerate(said)
        ],
    )


def test_a_talk_of_two() -> None:
    found = analyse(
        transcript(
            ("a", 0, 10, "one two three four five"),
            ("a", 11, 21, "six seven eight nine ten"),
            ("b", 20.5, 30, "no no"),  # cuts Anna off
            ("a", 30.1, 40, "well"),
            ("b", 33, 33.5, "mhm"),  # while Anna goes on
            ("a", 41, 45, "so"),
        )
    )
    anna, bob = found.speakers
    assert (anna.speaker.name, bob.speaker.label) == ("Anna", "Speaker 2")
    assert (anna.speaking_seconds, bob.speaking_seconds) == (33.9, 10.0)
    assert anna.share == pytest.approx(33.9 / 43.9, abs=1e-4)
    assert (anna.turn_count, bob.turn_count) == (3, 2)
    assert (anna.word_count, bob.word_count) == (12, 3)
    assert anna.words_per_minute == pytest.approx(12 / 33.9 * 60, abs=0.1)
    assert anna.longest_monologue_seconds == 21
    assert anna.silence_seconds == 1, "her pause from 10 to 11; from 40 to 41 Bob has spoken in between"
    assert (bob.interruption_count, bob.interrupted_count) == (1, 0)
    assert (anna.interruption_count, anna.interrupted_count) == (0, 1)
    assert (found.duration_seconds, found.overlap_seconds) == (60, 1.0)
    assert found.speech_seconds == pytest.approx(60 - found.silence_seconds)
    assert found.silence_seconds == pytest.approx(1 + 0.1 + 1 + 15)
    assert (found.longest_silence_seconds, found.turn_count, found.word_count) == (15, 5, 15)


def test_a_long_silence_ends_a_turn_also_of_one_speaker() -> None:
    found = analyse(transcript(("a", 0, 5, "x"), ("a", 7, 9, "y"), ("a", 30, 36, "z")))
    (anna, bob) = found.speakers
    assert (anna.turn_count, anna.longest_monologue_seconds, anna.silence_seconds) == (2, 9, 2)
    assert (bob.turn_count, bob.words_per_minute, bob.share) == (0, 0, 0)


def test_nothing_said() -> None:
    found = analyse(transcript(duration=12))
    assert (found.silence_seconds, found.longest_silence_seconds, found.speech_seconds) == (12, 12, 0)
    assert all(figures.share == 0 for figures in found.speakers)


def test_a_speaker_who_is_not_listed_is_counted_and_a_late_segment_lengthens_the_recording() -> None:
    found = analyse(transcript(("c", 55, 65, "late words")))
    assert [figures.speaker.id for figures in found.speakers] == ["a", "b", "c"]
    assert (found.duration_seconds, found.silence_seconds) == (65, 55)


@pytest.mark.parametrize(
    ("interrupter", "interrupted", "count"),
    [
        ([(4, 9)], [(0, 5)], 1),
        ([(4.8, 9)], [(0, 5)], 0),  # the overlap of an ordinary change of speakers
        ([(2, 3)], [(0, 5)], 0),  # a word in between
        ([(0, 9)], [(0, 5)], 0),  # both begin at once
        ([(5, 9)], [(0, 5)], 0),
        ([(4, 9), (14, 19)], [(0, 5), (10, 15)], 2),
        ([(4, 12)], [(0, 5), (6, 7), (8, 9)], 1),
    ],
)
def test_interruptions(
    interrupter: list[tuple[float, float]], interrupted: list[tuple[float, float]], count: int
) -> None:
    assert interruptions([Span(*s) for s in interrupter], [Span(*s) for s in interrupted]) == count


said = st.lists(
    st.tuples(
        st.sampled_from("abc"), st.integers(0, 500), st.integers(1, 80), st.sampled_from(["x", "x y", "x y z"])
    ).map(lambda s: (s[0], s[1] / 10, (s[1] + s[2]) / 10, s[3])),
    max_size=25,
)


@given(said)
def test_times_add_up_like_counting_tenths(pieces: list[tuple[str, float, float, str]]) -> None:
    found = analyse(transcript(*pieces))
    speaking = [
        {at for s, start, end, _ in pieces if s == key for at in range(round(start * 10), round(end * 10))}
        for key in "abc"
    ]
    by_id = {figures.speaker.id: figures for figures in found.speakers}
    for key, tenths in zip("abc", speaking, strict=True):
        if key in by_id:
            assert by_id[key].speaking_seconds == pytest.approx(len(tenths) / 10)
    everywhere = set[int]().union(*speaking)
    twice = {at for at in everywhere if sum(at in tenths for tenths in speaking) > 1}
    assert found.speech_seconds == pytest.approx(len(everywhere) / 10)
    assert found.overlap_seconds == pytest.approx(len(twice) / 10)
    assert found.speech_seconds + found.silence_seconds == pytest.approx(found.duration_seconds)
    assert found.word_count == sum(len(text.split()) for *_, text in pieces)
    assert sum(figures.share for figures in found.speakers) == pytest.approx(1 if pieces else 0, abs=1e-3)
    assert all(f.longest_monologue_seconds <= f.speaking_seconds + f.silence_seconds + 1e-6 for f in found.speakers)
    interrupting = sum(figures.interruption_count for figures in found.speakers)
    assert interrupting == sum(figures.interrupted_count for figures in found.speakers)


@given(said)
def test_order_of_segments_does_not_matter(pieces: list[tuple[str, float, float, str]]) -> None:
    one, other = analyse(transcript(*pieces)), analyse(transcript(*reversed(pieces)))
    assert one.speech_seconds == other.speech_seconds
    assert {f.speaker.id: f.speaking_seconds for f in one.speakers} == {
        f.speaker.id: f.speaking_seconds for f in other.speakers
    }


def test_cover() -> None:
    spans = [Span(5, 6), Span(0, 2), Span(1, 3), Span(6.4, 7)]
    assert cover(spans) == [(0, 3), (5, 6), (6.4, 7)]
    assert cover(spans, 0.5) == [(0, 3), (5, 7)]
