"""Voices of windows: which windows, how they are kept, grouped over a recording, and put together as turns."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from asr.domain.grouping import NOBODY, Limits, group_voices, print_of_groups
from asr.domain.packing import pack, unpack
from asr.domain.spans import Span
from asr.domain.stretch import Stretch, windows_in
from asr.domain.turns import turns_of
from asr.domain.voices import DifferentHearings, Hearing, Voices, join_voices
from hypothesis import given, settings
from hypothesis import strategies as st

HEARING = Hearing(
    by="test",
    window_seconds=5.0,
    step_seconds=0.5,
    frame_seconds=0.1,
    frame_length_seconds=0.1,
    onset=0.5,
    method="average",
    threshold=0.4,
    smallest_group=3,
    shortest_pause_seconds=0.3,
)
RATE = 16_000
DIMENSIONS = 16


def listen(said: list[tuple[float, float, int]], seconds: float, *, seed: int = 1, places: int = 3) -> Voices:
    """What ideal models hear: each window's speakers in an order of its own, their embeddings with some noise."""
    chance = np.random.default_rng(seed)
    people = {who: _unit(np.random.default_rng(who + 100).normal(size=DIMENSIONS)) for _, _, who in said}
    windows = np.arange(max(1, int((seconds - 5.0) / 0.5) + 1), dtype=np.int32)
    scores = np.zeros((len(windows), 50, places), dtype=np.float32)
    prints = np.full((len(windows), places, DIMENSIONS), np.nan, dtype=np.float32)
    for at, window in enumerate(windows):
        order = chance.permutation(places)
        heard: dict[int, int] = {}
        for start, end, who in said:
            frames = [f for f in range(50) if start <= window * 0.5 + f * 0.1 + 0.05 < end]
            if frames:
                place = order[heard.setdefault(who, len(heard)) % places]
                scores[at, frames, place] = 0.9
                prints[at, place] = people[who] + chance.normal(scale=0.05, size=DIMENSIONS)
    return Voices(HEARING, windows, scores, prints)


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


TALK = [(0.5, 6.0, 0), (6.5, 12.0, 1), (12.5, 20.0, 0), (20.5, 29.0, 2)]
HEARD = listen(TALK, 30.0)


def test_turns_are_those_of_the_people_who_talk() -> None:
    voices = listen(TALK, 30.0)
    turns = turns_of(voices, group_voices(voices, Limits()))
    expected = [edge for start, end, _ in TALK for edge in (start, end)]
    assert [edge for turn in turns for edge in (turn.start, turn.end)] == pytest.approx(expected, abs=0.11)
    voice = [turn.voice for turn in turns]
    assert voice[0] == voice[2]
    assert len(set(voice)) == 3


def test_two_at_once_have_two_turns() -> None:
    voices = listen([(0.5, 10.0, 0), (8.0, 18.0, 1)], 20.0)
    first, second = turns_of(voices, group_voices(voices, Limits()))
    assert (first.end - second.start) == pytest.approx(2.0, abs=0.2)


@pytest.mark.parametrize(("limits", "people"), [(Limits(most=2), 2), (Limits(most=1), 1), (Limits(least=3), 3)])
def test_how_many_speakers_there_may_be(limits: Limits, people: int) -> None:
    voices = listen(TALK, 30.0)
    assert len({turn.voice for turn in turns_of(voices, group_voices(voices, limits))}) == people


def test_at_least_so_many_speakers_where_voices_are_alike() -> None:
    voices = replace(listen(TALK, 30.0), hearing=replace(HEARING, threshold=1.9))
    assert len({turn.voice for turn in turns_of(voices, group_voices(voices, Limits()))}) == 1
    assert len({turn.voice for turn in turns_of(voices, group_voices(voices, Limits(least=3)))}) == 3


def test_silence_has_no_turns() -> None:
    voices = listen([], 20.0)
    groups = group_voices(voices, Limits())
    assert (groups == NOBODY).all()
    assert turns_of(voices, groups) == []
    assert print_of_groups(voices, groups) == {}


def test_a_speakers_print_is_theirs() -> None:
    voices = listen(TALK, 30.0)
    prints = print_of_groups(voices, group_voices(voices, Limits()))
    people = [_unit(np.random.default_rng(who + 100).normal(size=DIMENSIONS)) for who in range(3)]
    nearest = {int(np.argmax([own @ person for person in people])) for own in prints.values()}
    assert nearest == {0, 1, 2}
    assert all(max(float(own @ person) for person in people) > 0.95 for own in prints.values())


def test_long_recordings_are_grouped_from_a_share_of_their_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    voices = listen(TALK, 30.0)
    whole = turns_of(voices, group_voices(voices, Limits()))
    monkeypatch.setattr("asr.domain.grouping._MOST_COMPARED", 25)
    some = turns_of(voices, group_voices(voices, Limits()))
    assert [turn[:2] for turn in some] == [turn[:2] for turn in whole]


@settings(deadline=None)
@given(st.lists(st.integers(1, 50), max_size=4), st.randoms())
def test_parts_joined_in_any_order_are_the_whole(cuts: list[int], chance: object) -> None:
    voices = HEARD
    edges = [0, *sorted(set(cuts)), len(voices.windows)]
    pieces = [_piece(voices, first, after) for first, after in pairwise(edges)]
    chance.shuffle(pieces)  # type: ignore[attr-defined]
    joined = join_voices(pieces)
    for one, other in zip(
        (joined.windows, joined.scores, joined.prints), (voices.windows, voices.scores, voices.prints), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    some, rest = join_voices(pieces[:2]), pieces[2:]
    np.testing.assert_array_equal(join_voices([*rest, some]).windows, joined.windows)


def _piece(voices: Voices, first: int, after: int) -> Voices:
    return Voices(voices.hearing, voices.windows[first:after], voices.scores[first:after], voices.prints[first:after])


def test_voices_heard_in_different_ways_are_not_joined() -> None:
    voices = listen(TALK, 30.0)
    with pytest.raises(DifferentHearings):
        join_voices([voices, replace(voices, hearing=replace(HEARING, by="another"))])


def test_what_is_kept_gives_the_same_turns() -> None:
    voices = listen(TALK, 30.0)
    kept = pack(voices)
    assert len(kept) < 40_000
    back = unpack(kept)
    assert back.hearing == voices.hearing
    np.testing.assert_array_equal(back.active, voices.active)
    np.testing.assert_allclose(back.prints, voices.prints, atol=2e-3)
    assert turns_of(back, group_voices(back, Limits())) == turns_of(voices, group_voices(voices, Limits()))


def windows(stretch: Stretch, seconds: float) -> list[int]:
    return windows_in(stretch, total=round(seconds * RATE), window=5 * RATE, step=RATE // 2, rate=RATE)


@settings(deadline=None)
@given(st.lists(st.floats(0.3, 8.0), min_size=2, max_size=12), st.sets(st.integers(0, 10)))
def test_every_window_with_speech_belongs_to_one_part(lengths: list[float], cuts: set[int]) -> None:
    """Speech and silence take turns; parts begin before any of the utterances."""
    edges = np.cumsum(lengths).tolist()
    spans = [Span(start, end) for start, end in zip(edges[::2], edges[1::2], strict=False)]
    seconds = edges[-1] + 3.0
    starts = sorted({0, *(cut for cut in cuts if 0 < cut < len(spans))})
    parts = [tuple(spans[a:b]) for a, b in zip(starts, [*starts[1:], len(spans)], strict=True)]
    whole = windows(Stretch(None, None, tuple(spans)), seconds)
    found: list[int] = []
    for at, part in enumerate(parts):
        end = parts[at + 1][0].start if at + 1 < len(parts) else None
        found += windows(Stretch(part[0].start if at else None, end, part), seconds)
    assert found == sorted(set(found))
    assert found == whole


def test_a_short_recording_is_one_window_and_the_last_reaches_past_the_end() -> None:
    assert windows(Stretch(None, None, (Span(0, 2),)), 2.0) == [0]
    assert windows(Stretch(None, None, (Span(0, 6.2),)), 6.2) == [0, 1, 2, 3]
