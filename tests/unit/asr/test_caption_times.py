"""Words of captions at the times at which they are heard; the text stays, whatever is heard."""

from itertools import pairwise
from uuid import UUID

import pytest
from asr.domain.captions.timing import time_words
from asr.domain.captions.transcript import heard_again, heard_transcript_of, transcript_of
from asr.domain.join import Heading
from common.captions import Captions, Cue
from common.transcript import Segment, Transcript, Word
from hypothesis import given
from hypothesis import strategies as st

ASSET = UUID(int=1)
TALK = (
    "Good afternoon, Martin.",
    "This is our meeting about the Summer Festival!",
    "Today is Wednesday, the 9th of October.",
    "Who brings the cake, and who brings the tea?",
    "I bring the cake.",
)


def captions(*texts: str, first: float = 1.0, each: float = 5.0) -> Captions:
    """One cue after the other."""
    cues = [Cue(start=first + n * each, end=first + (n + 1) * each - 0.2, text=text) for n, text in enumerate(texts)]
    return Captions(format="vtt", language="en", cues=cues)


def heard(*lines: str, first: float = 1.0, each: float = 5.0) -> list[Word]:
    """Five words in two seconds, a line every ``each`` seconds, as an engine without capitals writes them."""
    return [
        Word(word=word, start=round(first + n * each + k * 0.4, 2), end=round(first + n * each + k * 0.4 + 0.3, 2))
        for n, line in enumerate(lines)
        for k, word in enumerate(line.lower().replace(",", "").rstrip(".!?").split())
    ]


def transcript(found: Captions) -> Transcript:
    return transcript_of(found, ASSET, 1, None)


def starts(found: Transcript, at: int) -> dict[str, float]:
    return {word.word: word.start for word in found.segments[at].words or ()}


def test_words_take_the_times_at_which_they_are_heard_and_the_text_stays() -> None:
    timed = time_words(transcript(captions(*TALK)), heard(*TALK, first=1.3))
    assert [segment.text for segment in timed.transcript.segments] == list(TALK)
    assert starts(timed.transcript, 0) == {"Good": 1.3, "afternoon,": 1.7, "Martin.": 2.1}
    assert (timed.heard, timed.words) == (31, 31)
    for segment in timed.transcript.segments:
        words = segment.words or []
        assert (segment.start, segment.end) == (words[0].start, words[-1].end)


def test_what_is_not_heard_lies_between_what_is() -> None:
    said = [*TALK[:2], "Today is Wednesday the ninth of October", TALK[3], "I bring the cake"]
    timed = time_words(transcript(captions(*TALK)), heard(*said))
    words = {word.word: word for word in timed.transcript.segments[2].words or ()}
    assert timed.words - timed.heard == 1
    assert words["the"].end == words["9th"].start
    assert words["9th"].end == words["of"].start
    assert words["9th"].start < words["9th"].end


@pytest.mark.parametrize("late", [-0.9, 2.0, 60.0, 3000.0])
def test_captions_that_are_early_or_late_are_found_all_the_same(late: float) -> None:
    timed = time_words(transcript(captions(*TALK, first=3.0)), heard(*TALK, first=3.0 + late))
    assert timed.heard == timed.words
    assert [segment.start for segment in timed.transcript.segments] == [round(3.0 + late + 5 * n, 2) for n in range(5)]


def test_captions_that_fall_behind_more_and_more_are_found_all_the_same() -> None:
    """A film at 25 pictures a second, its captions made for 24."""
    lines = [f"sentence number {n} speaks of subject {n * 7} alone" for n in range(400)]
    timed = time_words(transcript(captions(*lines, each=3.0)), heard(*lines, each=3.125))
    assert timed.heard == timed.words
    assert timed.transcript.segments[-1].start == round(1.0 + 399 * 3.125, 2)


def test_a_segment_in_which_nothing_is_heard_moves_with_its_neighbours() -> None:
    said = [TALK[0], TALK[1], "mumble mumble", TALK[3], TALK[4]]
    timed = time_words(transcript(captions(*TALK)), heard(*said, first=21.0))
    silent = timed.transcript.segments[2]
    assert silent.text == TALK[2]
    # Captions say where a word begins only as well as its length tells.
    assert abs(silent.start - 31.0) < 1.0
    assert [segment.id for segment in timed.transcript.segments] == ["s1", "s2", "s3", "s4", "s5"]


def test_two_who_talk_at_once_keep_their_own_words() -> None:
    cues = [
        Cue(start=0.0, end=4.0, text="one two three four five six", speaker="Ann"),
        Cue(start=1.0, end=3.0, text="yes surely indeed", speaker="Bob"),
    ]
    said = ["one", "two", "yes", "three", "surely", "four", "indeed", "five", "six"]
    words = [Word(word=word, start=n * 0.45, end=n * 0.45 + 0.4) for n, word in enumerate(said)]
    timed = time_words(transcript(Captions(format="vtt", cues=cues)), words)
    first, second = timed.transcript.segments
    assert (first.speaker, second.speaker) == ("speaker_1", "speaker_2")
    assert starts(timed.transcript, 1)["yes"] == 0.9
    assert starts(timed.transcript, 0)["six"] == 3.6


def test_the_same_phrase_again_and_again_is_found_at_its_own_time() -> None:
    lines = ["thank you very much"] * 6
    timed = time_words(transcript(captions(*lines)), heard(*lines, first=1.2))
    assert [segment.start for segment in timed.transcript.segments] == [1.2, 6.2, 11.2, 16.2, 21.2, 26.2]


HEADING = Heading(
    asset_id=ASSET,
    revision=4,
    complete=True,
    language="en",
    engine="pocketsphinx",
    duration_seconds=30.0,
    diarize=False,
    key_terms=(),
)


def test_the_transcript_says_where_text_and_times_are_from_and_whether_to_trust_them() -> None:
    found = captions(*TALK)
    good = heard_transcript_of(found, HEADING, heard(*TALK), None)
    assert (good.engine, good.revision, good.language, good.duration_seconds) == (
        "captions+pocketsphinx",
        4,
        "en",
        30.0,
    )
    assert [warning.partition(":")[0] for warning in good.warnings] == ["speakers_not_named"]
    other = heard_transcript_of(found, HEADING, heard("something else altogether was said here"), "de")
    assert other.language == "de"
    assert any(line.startswith("captions_not_heard: Only 0 of 31 words") for line in other.warnings)
    assert [segment.text for segment in other.segments] == list(TALK)


def test_what_people_made_of_captions_is_timed_as_they_left_it() -> None:
    found = transcript(captions(*TALK))
    whole = Segment(id="s1", start=1.0, end=10.8, speaker="speaker_1", text=f"Good evening, Martin. {TALK[1]}")
    edited = found.model_copy(update={"segments": [whole, *found.segments[2:]]})
    timed = heard_transcript_of(captions(*TALK), HEADING, heard(*TALK, first=2.0), None)
    again = heard_again(edited, timed, heard(*TALK, first=2.0))
    assert [segment.text for segment in again.segments] == [segment.text for segment in edited.segments]
    assert starts(again, 0)["Martin."] == 2.8
    assert starts(again, 0)["evening,"] == 2.3
    assert (again.engine, again.revision) == (timed.engine, timed.revision)


words = st.lists(st.sampled_from(["a", "b", "c", "the", "Yes.", "no", "9th"]), min_size=1, max_size=8)
cues = st.lists(st.tuples(st.floats(0, 60), st.floats(0, 9), words), min_size=1, max_size=12)
sounds = st.lists(st.tuples(st.floats(0, 90), st.floats(0, 2), st.sampled_from(["a", "b", "the", "yes", "no"])))


@given(cues, sounds)
def test_no_word_is_lost_or_moved_and_times_stay_in_order(
    shown: list[tuple[float, float, list[str]]], sound: list[tuple[float, float, str]]
) -> None:
    listed = [Cue(start=start, end=start + length, text=" ".join(said)) for start, length, said in shown]
    before = transcript(Captions(format="srt", cues=sorted(listed, key=lambda cue: cue.start)))
    timed = time_words(before, [Word(word=word, start=start, end=start + long) for start, long, word in sound])
    after = {segment.id: segment for segment in timed.transcript.segments}
    assert {key: segment.text for key, segment in after.items()} == {s.id: s.text for s in before.segments}
    assert timed.heard <= min(timed.words, len(sound))
    assert [s.start for s in timed.transcript.segments] == sorted(s.start for s in timed.transcript.segments)
    for segment in after.values():
        own = segment.words or []
        assert " ".join(word.word for word in own) == segment.text
        assert all(one.start <= two.start for one, two in pairwise(own))
        assert all(segment.start <= word.start <= word.end <= segment.end for word in own)
