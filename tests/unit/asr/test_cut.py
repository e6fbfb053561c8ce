"""Parts of a recording."""

from itertools import pairwise

from asr.domain.cut import Part, cut_parts, part_fingerprint
from asr.domain.spans import Span
from hypothesis import given
from hypothesis import strategies as st


def talk(*pieces: tuple[float, float]) -> list[Span]:
    """Utterances given as (silence before, length)."""
    spans: list[Span] = []
    at = 0.0
    for silence, length in pieces:
        spans.append(Span(at + silence, at + silence + length))
        at += silence + length
    return spans


recordings = st.lists(
    st.tuples(st.floats(0.01, 400, allow_nan=False), st.floats(0.1, 20, allow_nan=False)), max_size=60
).map(lambda pieces: talk(*pieces))


def test_silence_gives_no_parts() -> None:
    assert cut_parts([], 60, 300) == []


def test_a_short_recording_is_one_part() -> None:
    spans = talk((0, 10), (1, 10))
    assert cut_parts(spans, 60, 300) == [Part(0, tuple(spans))]


def test_cuts_at_the_longest_silence_near_the_target() -> None:
    spans = talk(*[(0.5, 5)] * 9, (3, 5), *[(0.5, 5)] * 10)
    parts = cut_parts(spans, 60, 300)
    assert [len(part.utterances) for part in parts] == [9, 11]


def test_parts_are_of_like_length() -> None:
    parts = cut_parts(talk(*[(0.5, 4)] * 100), 60, 300)
    lengths = [part.end - part.start for part in parts]
    assert 6 <= len(parts) <= 9
    assert all(40 <= length <= 75 for length in lengths)


def test_a_long_silence_belongs_to_no_part() -> None:
    parts = cut_parts(talk((0, 10), (500, 10)), 60, 300)
    assert [(part.start, part.end) for part in parts] == [(0, 10), (510, 520)]


@given(recordings, st.floats(5, 300))
def test_every_utterance_is_in_exactly_one_part(spans: list[Span], target: float) -> None:
    parts = cut_parts(spans, target, 300)
    assert [span for part in parts for span in part.utterances] == spans
    assert [part.index for part in parts] == list(range(len(parts)))
    assert all(part.end - part.start <= 300 + 1e-6 for part in parts)
    assert all(before.end <= after.start for before, after in pairwise(parts))


def test_fingerprint_changes_with_all_that_the_words_depend_on() -> None:
    part = Part(0, (Span(0, 1), Span(2, 3)))
    moved = Part(0, (Span(0, 1), Span(2, 3.01)))
    prints = {
        part_fingerprint(part, "sound", "engine", "en"),
        part_fingerprint(part, "other", "engine", "en"),
        part_fingerprint(part, "sound", "engine 2", "en"),
        part_fingerprint(moved, "sound", "engine", "en"),
    }
    assert len(prints) == 4
    assert part_fingerprint(part, "a") == part_fingerprint(Part(7, part.utterances), "a")
