"""Words and the voices that say them."""

from itertools import pairwise

from asr.domain.attribution import ONE_VOICE, attribute, number_speakers, talks_of
from asr.domain.voices import Turn
from common.transcript import Word
from hypothesis import given, settings
from hypothesis import strategies as st


def word(text: str, start: float, end: float) -> Word:
    return Word(word=text, start=start, end=end)


def row(text: str, start: float, each: float = 0.4) -> list[Word]:
    return [word(w, start + n * each, start + (n + 1) * each) for n, w in enumerate(text.split())]


TIMES = st.floats(0, 60).map(lambda value: round(value, 2))
LENGTHS = st.floats(0, 3).map(lambda value: round(value, 2))
WORDS = st.lists(st.builds(lambda at, long: word("word", at, round(at + long, 2)), TIMES, LENGTHS), max_size=30)


@st.composite
def turns(draw: st.DrawFn) -> list[Turn]:
    """Any number of people, each with turns that do not overlap each other."""
    found: list[Turn] = []
    for voice in range(draw(st.integers(0, 4))):
        edges = sorted(set(draw(st.lists(TIMES, max_size=10))))
        pairs = zip(edges[::2], edges[1::2], strict=False)
        found += [Turn(start, end, str(voice)) for start, end in pairs]
    return found


@settings(deadline=None)
@given(WORDS, turns())
def test_every_word_is_said_once_in_order_by_a_voice_that_is_heard(words: list[Word], heard: list[Turn]) -> None:
    talks = talks_of(words, heard)
    said = [w for talk in talks for w in talk.words]
    assert said == sorted(words, key=lambda w: (w.start, w.end))
    assert {talk.voice for talk in talks} <= ({turn.voice for turn in heard} or {ONE_VOICE})
    assert all(first.voice != second.voice for first, second in pairwise(talks))


@settings(deadline=None)
@given(st.lists(WORDS, max_size=4), turns(), st.randoms())
def test_parts_in_any_order_give_the_same_talks(parts: list[list[Word]], heard: list[Turn], chance: object) -> None:
    together = [w for part in parts for w in part]
    shuffled = list(together)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert talks_of(together, heard) == talks_of(shuffled, heard)


def test_the_voice_heard_in_most_of_a_word_says_it() -> None:
    words = [word("so", 0.0, 1.0), word("you", 2.0, 3.0)]
    heard = [Turn(0.0, 0.6, "a"), Turn(0.4, 1.0, "b"), Turn(0.0, 0.1, "c"), Turn(2.1, 3.0, "b")]
    assert attribute(words, [*heard, Turn(0.6, 0.9, "a")])[0] == "a"
    assert attribute(words, heard)[1] == "b"


def test_a_word_in_silence_goes_to_the_nearest_turn() -> None:
    heard = [Turn(0.0, 1.0, "a"), Turn(5.0, 6.0, "b")]
    words = [word("near", 1.5, 2.0), word("late", 4.0, 4.5)]
    assert attribute(words, heard) == ["a", "b"]


def test_in_overlapping_talk_the_turn_whose_middle_is_nearer_wins() -> None:
    heard = [Turn(0.0, 10.0, "a"), Turn(8.0, 9.0, "b")]
    assert attribute([word("yes", 8.3, 8.6)], heard) == ["b"]


def test_the_last_word_of_a_turn_does_not_land_on_the_next_speaker() -> None:
    words = [*row("shall we begin", 0.0), *row("yes we shall", 1.8)]
    early = [Turn(0.0, 0.95, "a"), Turn(0.95, 3.0, "b")]
    assert attribute(words, early) == ["a", "a", "a", "b", "b", "b"]
    late = [Turn(0.0, 1.95, "a"), Turn(1.95, 3.0, "b")]
    assert attribute(words, late) == ["a", "a", "a", "b", "b", "b"]


def test_without_a_pause_the_end_of_a_sentence_decides() -> None:
    words = row("I think so. We agree then", 0.0)
    assert attribute(words, [Turn(0.0, 0.95, "a"), Turn(0.95, 2.4, "b")]) == ["a"] * 3 + ["b"] * 3


def test_what_the_sound_is_certain_of_stays() -> None:
    words = [*row("shall we begin", 0.0), *row("yes we shall", 1.8)]
    certain = [Turn(0.0, 0.8, "a"), Turn(0.8, 3.0, "b")]
    assert attribute(words, certain) == ["a", "a", "b", "b", "b", "b"]


def test_a_lone_word_between_two_of_the_others_is_the_others() -> None:
    words = row("one two three four five", 0.0)
    flicker = [Turn(0.0, 0.9, "a"), Turn(0.9, 1.15, "b"), Turn(1.15, 2.0, "a")]
    assert attribute(words, flicker) == ["a"] * 5
    interjection = [Turn(0.0, 0.8, "a"), Turn(0.8, 1.2, "b"), Turn(1.2, 2.0, "a")]
    assert attribute(words, interjection) == ["a", "a", "b", "a", "a"]


def test_speakers_are_numbered_as_they_appear() -> None:
    talks = talks_of([*row("hello there", 0.0), *row("good day", 5.0)], [Turn(5, 6, "0"), Turn(0, 1, "7")])
    speakers = number_speakers(talks)
    assert [(voice, one.id, one.label) for voice, one in speakers.items()] == [
        ("7", "speaker_1", "Speaker 1"),
        ("0", "speaker_2", "Speaker 2"),
    ]
