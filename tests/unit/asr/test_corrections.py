"""Corrections: whatever people do, and in whatever order, times stay true and text is its words."""

from itertools import pairwise
from uuid import UUID

import pytest
from asr.domain import corrections
from asr.domain.corrections import NoSuch, Refused
from asr.domain.retiming import retime, spread
from asr.domain.revising import changes, exchange, place
from asr.domain.splitting import split_speaker
from common.transcript import Segment, Speaker, Transcript, Word
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

# How long examples take says something of the machine only.
UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
WORDS = ("one", "two", "three", "Two.", "four,", "a", "five-and-twenty")


def spoken(segment_id: str, text: str, start: float, end: float, speaker: str = "a") -> Segment:
    return Segment(
        id=segment_id, start=start, end=end, speaker=speaker, text=text, words=spread(text.split(), start, end)
    )


def transcript_of(*segments: Segment) -> Transcript:
    speakers = [Speaker(id=speaker, label=f"Speaker {speaker}") for speaker in ("a", "b", "c")]
    return Transcript(
        asset_id=UUID(int=1),
        revision=1,
        complete=True,
        language="en",
        engine="told",
        duration_seconds=100,
        speakers=speakers,
        segments=list(segments),
    )


text = st.lists(st.sampled_from(WORDS), min_size=1, max_size=8).map(" ".join)


@st.composite
def transcripts(draw: st.DrawFn) -> Transcript:
    """Segments in order of time, of which neighbours may be spoken at once."""
    segments: list[Segment] = []
    start = 0.0
    for number, said in enumerate(draw(st.lists(text, min_size=1, max_size=6)), 1):
        start = round(start + draw(st.floats(0, 5)), 3)
        end = round(start + draw(st.floats(0.01, 8)), 3)
        segments.append(spoken(f"s{number}", said, start, end, draw(st.sampled_from("ab"))))
    return transcript_of(*segments)


def sound(transcript: Transcript) -> None:
    assert all(one.start <= other.start for one, other in pairwise(transcript.segments))
    assert len({segment.id for segment in transcript.segments}) == len(transcript.segments)
    known = {speaker.id for speaker in transcript.speakers}
    assert len(known) == len({speaker.label for speaker in transcript.speakers}) == len(transcript.speakers)
    for segment in transcript.segments:
        assert segment.speaker in known
        assert segment.words
        assert segment.text == " ".join(word.word for word in segment.words)
        assert all(segment.start <= word.start <= word.end <= segment.end for word in segment.words)


def anything(draw: st.DrawFn, now: Transcript) -> Transcript:
    """One correction, perhaps a refused one."""
    segment = draw(st.sampled_from(now.segments))
    ids = [speaker.id for speaker in now.speakers]
    one, other = draw(st.sampled_from(ids)), draw(st.sampled_from(ids))
    match draw(st.integers(0, 7)):
        case 0:
            return corrections.edit_segment(now, segment.id, draw(text), None)
        case 1:
            return corrections.edit_segment(now, segment.id, None, one)
        case 2:
            return corrections.split_segment(now, segment.id, draw(st.floats(0, 50)))
        case 3:
            middle = draw(st.sampled_from(segment.words or []))
            return corrections.split_segment(now, segment.id, middle.start)
        case 4:
            return corrections.merge_segments(now, segment.id)
        case 5:
            whole, case = draw(st.booleans()), draw(st.booleans())
            return corrections.replace_text(
                now, draw(st.sampled_from(WORDS)), draw(text), match_case=case, whole_words=whole
            )[0]
        case 6:
            some = draw(st.sets(st.sampled_from([each.id for each in now.segments]), min_size=1))
            return split_speaker(now, segment.speaker, some, None)
        case _:
            return corrections.merge_speakers(now, one, other)


@UNTIMED
@given(transcripts(), st.data())
def test_any_corrections_leave_a_sound_transcript(transcript: Transcript, data: st.DataObject) -> None:
    @st.composite
    def correction(draw: st.DrawFn, now: Transcript) -> Transcript:
        try:
            return anything(draw, now)
        except (Refused, NoSuch):
            return now

    known: dict[str, int] = {segment.id: at for at, segment in enumerate(transcript.segments)}
    rows = place(transcript.segments, known)
    for _ in range(data.draw(st.integers(1, 12))):
        before, transcript = transcript, data.draw(correction(transcript))
        sound(transcript)
        placed = place(transcript.segments, known)
        change = exchange(rows, placed)
        rows = [row for row in rows if row[1].id not in change.gone] + change.come
        rows.sort(key=lambda row: (row[1].start, row[0], row[1].id))
        known |= {segment.id: position for position, segment in placed}
        # What is stored reads as what was answered, but for the order of those that begin at once.
        assert sorted((row[1] for row in rows), key=lambda s: (s.start, s.id)) == sorted(
            transcript.segments, key=lambda s: (s.start, s.id)
        )
        told = changes(before, transcript)
        if before.segments != transcript.segments:
            assert told.spans


@UNTIMED
@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=12), st.lists(st.sampled_from(WORDS), max_size=12))
def test_words_that_stay_keep_their_times(before: list[str], after: list[str]) -> None:
    words = spread(before, 2.0, 9.0)
    timed = retime(words, after, 1.0, 10.0)
    assert [word.word for word in timed] == after
    assert all(1.0 <= one.start <= one.end <= other.start <= 10.0 for one, other in pairwise(timed))
    if before == after:
        assert timed == words


def test_a_word_in_the_place_of_two_takes_their_time() -> None:
    words = spread(["in", "to", "town"], 0.0, 8.0)
    assert retime(words, ["into", "town"], 0, 9) == [Word(word="into", start=0.0, end=4.0), words[2]]
    assert [(word.start, word.end) for word in retime(words, ["in", "to", "my", "own", "town"], 0, 9)][2:4] == [
        (4.0, 4.0),
        (4.0, 4.0),
    ]
    assert retime(words, ["in", "to", "town", "hall"], 0, 9)[3] == Word(word="hall", start=8.0, end=9.0)


def test_whole_words_and_case_are_what_they_say() -> None:
    transcript = transcript_of(spoken("s1", "The cat. A concatenation of CATS and a Cat's tail", 0, 9))

    def replaced(**options: bool) -> tuple[str, int]:
        given = {"match_case": False, "whole_words": False} | options
        changed, count = corrections.replace_text(transcript, "cat", r"dog\1", **given)
        return changed.segments[0].text, count

    assert replaced()[1] == 4
    assert replaced(match_case=True)[1] == 2
    assert replaced(whole_words=True)[1] == 2
    assert replaced(whole_words=True, match_case=True) == (
        r"The dog\1. A concatenation of CATS and a Cat's tail",
        1,
    )


def test_a_piece_between_two_voices_stands_in_order() -> None:
    transcript = transcript_of(spoken("s1", "one two three four", 0, 8), spoken("s2", "a a", 3, 5, "b"))
    split = corrections.split_segment(transcript, "s1", transcript.segments[0].words[2].start)  # type: ignore[index]
    assert [segment.id for segment in split.segments] == ["s1", "s2", "s1.2"]
    again = corrections.split_segment(split, "s1.2", split.segments[2].words[1].start)  # type: ignore[index]
    assert [segment.id for segment in again.segments] == ["s1", "s2", "s1.2", "s1.3"]


def test_what_changed_is_told_within_bounds() -> None:
    many = transcript_of(*(spoken(f"s{n}", "one", n * 2, n * 2 + 1) for n in range(1000)))
    changed, count = corrections.replace_text(many, "one", "two", match_case=False, whole_words=False)
    told = changes(many, changed)
    assert count == 1000
    assert len(told.spans) == 100
    assert (told.spans[0][0], told.spans[-1][1], told.segment_ids) == (0, 1999, [])
    assert all(one[1] < other[0] for one, other in pairwise(told.spans))


@pytest.mark.parametrize("name", ["Anna", None])
def test_a_name_is_all_that_changes(name: str | None) -> None:
    transcript = transcript_of(spoken("s1", "one", 0, 1))
    named = corrections.name_speaker(transcript, "a", name)
    assert [speaker.name for speaker in named.speakers] == [name, None, None]
    assert changes(transcript, named).spans == []
    assert changes(transcript, named).speakers is (name is not None)


def test_a_speaker_is_called_as_their_profile_until_somebody_says_otherwise() -> None:
    maria, mary, other = UUID(int=2), UUID(int=3), UUID(int=4)
    transcript = transcript_of(spoken("s1", "one two", 0, 2))

    def a(now: Transcript) -> tuple[str | None, UUID | None]:
        return now.speakers[0].name, now.speakers[0].profile_id

    named = corrections.identify_speaker(transcript, "a", maria, "Maria")
    assert a(named) == ("Maria", maria)
    assert named.speakers[1:] == transcript.speakers[1:]
    assert corrections.name_speaker(named, "a", "Maria") == named
    assert a(corrections.name_speaker(named, "a", "Ben")) == ("Ben", None)
    assert a(corrections.name_speaker(named, "a", None)) == (None, None)
    assert a(corrections.release_speaker(named, "a")) == (None, None)
    typed = corrections.name_speaker(transcript, "a", "Maria")
    assert corrections.release_speaker(typed, "a") == typed
    assert a(corrections.follow_profiles(named, {maria: (mary, "Mary"), other: (other, "X")})) == ("Mary", mary)
    assert corrections.follow_profiles(named, {other: (other, "X")}) == named
    for act in (
        lambda: corrections.identify_speaker(transcript, "z", maria, "M"),
        lambda: corrections.release_speaker(transcript, "z"),
    ):
        with pytest.raises(NoSuch):
            act()


def test_two_people_who_were_put_down_to_one_are_told_apart() -> None:
    transcript = transcript_of(*(spoken(f"s{n}", "one", n * 2, n * 2 + 1, "aab"[n % 3]) for n in range(6)))
    split = split_speaker(transcript, "a", ["s1", "s4"], "Ben")
    made = split.speakers[-1]
    assert (made.id, made.name, made.profile_id) == ("a.2", "Ben", None)
    assert [segment.speaker for segment in split.segments] == ["a", "a.2", "b", "a", "a.2", "b"]
    assert changes(transcript, split).segment_ids == ["s1", "s4"]
    further = split_speaker(split, "a.2", ["s4"], None)
    assert [speaker.id for speaker in further.speakers] == ["a", "b", "c", "a.2", "a.3"]
    assert corrections.merge_speakers(split, "a.2", "a") == transcript


@pytest.mark.parametrize(
    ("speaker", "segments", "refusal"),
    [("a", ["s1"], Refused), ("a", ["s1", "s2"], Refused), ("a", ["s9"], NoSuch), ("z", ["s1"], NoSuch)],
)
def test_what_cannot_be_split(speaker: str, segments: list[str], refusal: type[Exception]) -> None:
    transcript = transcript_of(spoken("s1", "one", 0, 1), spoken("s2", "two", 2, 3, "b"))
    with pytest.raises(refusal):
        split_speaker(transcript, speaker, segments, None)
