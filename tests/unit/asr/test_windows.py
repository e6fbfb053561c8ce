"""Putting utterances together to windows, and windows to batches."""

import random

from asr.domain.batching import Waiting, Window, padding
from asr.domain.cut import cut_parts
from asr.domain.spans import Span
from asr.domain.windows import windows_of
from hypothesis import given
from hypothesis import strategies as st


def talk(lengths: list[tuple[float, float]]) -> list[Span]:
    """Utterances of (silence before, length)."""
    spans: list[Span] = []
    at = 0.0
    for silence, length in lengths:
        at += silence
        spans.append(Span(round(at, 3), round(at + length, 3)))
        at += length
    return spans


lengths = st.lists(st.tuples(st.floats(0.1, 6), st.floats(0.2, 20)), max_size=60)


@given(lengths, st.sampled_from([0.0, 10.0, 30.0]))
def test_every_utterance_lies_whole_in_exactly_one_window(
    given_lengths: list[tuple[float, float]], longest: float
) -> None:
    utterances = talk(given_lengths)
    windows = windows_of(utterances, longest)
    holders = [[w for w in windows if w.start <= u.start and u.end <= w.end] for u in utterances]
    assert all(len(found) == 1 for found in holders)
    assert windows == sorted(windows)
    single = set(utterances)
    assert all(window.seconds <= longest + 1e-6 or window in single for window in windows)


@given(lengths, st.floats(5, 300), st.floats(5, 300))
def test_windows_do_not_depend_on_how_the_recording_is_cut(
    given_lengths: list[tuple[float, float]], one: float, another: float
) -> None:
    windows = windows_of(talk(given_lengths), 30.0)
    for target in (one, another):
        parts = cut_parts(windows, target, 300.0)
        assert [window for part in parts for window in part.utterances] == windows


def test_without_a_length_every_utterance_is_alone() -> None:
    utterances = talk([(0.5, 2.0)] * 5)
    assert windows_of(utterances, 0.0) == utterances


def test_a_long_silence_ends_a_window_and_a_full_one_ends_at_its_longest_silence() -> None:
    assert windows_of(talk([(0, 2), (0.5, 2), (4, 2)]), 30.0) == [Span(0, 4.5), Span(8.5, 10.5)]
    # Full enough after 27 s: the longest silence from there on.
    utterances = talk([(0, 13), (0.5, 14), (0.9, 0.5), (0.5, 0.5), (0.2, 3)])
    assert windows_of(utterances, 30.0)[0] == Span(0, 27.5)


def test_ordinary_talk_leaves_windows_nearly_full() -> None:
    chance = random.Random(3)
    utterances = talk([(chance.uniform(0.45, 1.5), chance.lognormvariate(1.0, 0.7)) for _ in range(2000)])
    windows = windows_of(utterances, 30.0)
    assert sum(window.seconds for window in windows) / (30.0 * len(windows)) > 0.88


def windows(*seconds: float, group: str = "en", first: int = 0) -> list[Window]:
    return [Window(first + at, group, length) for at, length in enumerate(seconds)]


def waiting(*held: Window) -> Waiting:
    heap = Waiting()
    for window in held:
        heap.add(window)
    return heap


def test_a_batch_holds_the_oldest_window_and_those_nearest_to_its_length() -> None:
    heap = waiting(*windows(30, 2, 29, 3, 28))
    assert [window.seconds for window in heap.take(3)] == [30, 29, 28]
    assert [window.seconds for window in heap.take(3)] == [2, 3]
    assert heap.take(3) == []


def test_languages_and_prompts_do_not_mix() -> None:
    heap = waiting(*windows(30, 30), *windows(30, 30, group="de", first=2))
    assert [window.group for window in heap.take(16)] == ["en", "en"]
    assert [window.group for window in heap.take(16)] == ["de", "de"]


def test_what_is_dropped_is_not_taken() -> None:
    heap = waiting(*windows(30, 30))
    heap.drop(0)
    heap.drop(7)
    assert [window.number for window in heap.take(16)] == [1]


@given(st.lists(st.tuples(st.sampled_from("ab"), st.floats(0.5, 30)), max_size=80), st.integers(1, 16))
def test_nothing_waits_for_ever_and_nothing_is_lost(held: list[tuple[str, float]], most: int) -> None:
    heap = waiting(*(Window(at, group, seconds) for at, (group, seconds) in enumerate(held)))
    taken: list[int] = []
    while batch := heap.take(most):
        left = set(range(len(held))) - set(taken)
        assert min(left) in {window.number for window in batch}
        assert len({window.group for window in batch}) == 1
        assert 0 <= padding(batch) < 1
        taken += [window.number for window in batch]
    assert sorted(taken) == list(range(len(held)))
