"""A later recognition keeps what people corrected, where it fits."""

from asr.domain.carrying import carry
from asr.domain.corrections import edit_segment, merge_speakers, name_speaker, split_segment
from asr.domain.splitting import split_speaker
from common.transcript import Segment, Transcript
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.asr.test_corrections import UNTIMED, sound, spoken, transcript_of, transcripts

BASE = transcript_of(
    spoken("s1", "we met peter at the harbor", 0, 6),
    spoken("s2", "the butchet is twelve thousand", 7, 12, "b"),
    spoken("s3", "that is all for now", 13, 18),
)


def retold(*texts: str, moved: float = 0.0) -> Transcript:
    """Another recognition: the same times, perhaps a little later, other words."""
    heard = [
        spoken(old.id, text, old.start + moved, old.end + moved, old.speaker)
        for old, text in zip(BASE.segments, texts, strict=True)
    ]
    return transcript_of(*heard)


def texts(transcript: Transcript) -> list[str]:
    return [segment.text for segment in transcript.segments]


def test_an_edit_is_made_again_where_the_words_around_it_match() -> None:
    edited = edit_segment(BASE, "s2", "The budget is twelve thousand", None)
    new = retold("We met Peter at the harbour.", "the bucket is twelve thousand", "That's all for now.", moved=0.4)
    carried = carry(BASE, edited, new)
    assert (texts(carried.transcript)[1], carried.lost) == ("The budget is twelve thousand", 0)
    sound(carried.transcript)
    assert carried.transcript.segments[0] == new.segments[0]


def test_what_the_machine_gets_right_by_itself_counts_as_carried() -> None:
    edited = edit_segment(BASE, "s2", "the budget is twelve thousand", None)
    new = retold("we met peter", "the budget is twelve thousand", "that is all")
    carried = carry(BASE, edited, new)
    assert (carried.transcript, carried.lost) == (new, 0)


def test_other_words_around_it_leave_the_edit_where_it_was() -> None:
    edited = edit_segment(BASE, "s3", "that is nearly all for now", None)
    new = retold("we met peter at the harbor", "the butchet is twelve thousand", "completely different things here")
    carried = carry(BASE, edited, new)
    assert (texts(carried.transcript), carried.lost) == (texts(new), 1)


def test_the_same_words_at_another_time_are_not_the_place() -> None:
    edited = edit_segment(BASE, "s2", "the budget is twelve thousand", None)
    new = retold("we met peter at the harbor", "the butchet is twelve thousand", "that is all for now", moved=30)
    assert carry(BASE, edited, new).lost == 1


def test_words_taken_out_put_in_and_at_both_ends() -> None:
    edited = edit_segment(BASE, "s1", "Yesterday we met Peter Miller at harbor", None)
    edited = edit_segment(edited, "s3", "that is all for now then", None)
    new = retold("we met peter at the harbor", "the butchet is twelve thousands", "that is all for now", moved=0.2)
    carried = carry(BASE, edited, new)
    assert texts(carried.transcript) == [
        "Yesterday we met Peter Miller at harbor",
        "the butchet is twelve thousands",
        "that is all for now then",
    ]
    assert carried.lost == 0
    sound(carried.transcript)


def test_names_follow_the_voices_by_time() -> None:
    edited = name_speaker(name_speaker(BASE, "a", "Anna"), "b", "Ben")
    voices = {"a": "c", "b": "a"}
    again = [s.model_copy(update={"speaker": voices[s.speaker], "start": s.start + 0.3}) for s in BASE.segments]
    new = BASE.model_copy(update={"segments": again})
    carried = carry(BASE, edited, new).transcript
    assert {speaker.id: speaker.name for speaker in carried.speakers} == {"a": "Ben", "b": None, "c": "Anna"}


def test_turns_given_to_somebody_else_and_merged_speakers_are_carried() -> None:
    edited = edit_segment(BASE, "s3", None, "b")
    new = retold("we met peter at a harbor", "the butchet is twelve", "that is all for now", moved=0.2)
    carried = carry(BASE, edited, new)
    assert [segment.speaker for segment in carried.transcript.segments] == ["a", "b", "b"]
    assert carried.lost == 0
    merged = carry(BASE, merge_speakers(BASE, "b", "a"), new)
    assert {segment.speaker for segment in merged.transcript.segments} == {"a"}
    assert [speaker.id for speaker in merged.transcript.speakers] == ["a"]


def test_people_told_apart_by_hand_stay_so_whether_or_not_the_machine_hears_them() -> None:
    edited = split_speaker(name_speaker(BASE, "a", "Anna"), "a", ["s3"], "Ben")
    again = carry(BASE, edited, retold("we met peter at a harbor", "the butchet is twelve", "that is all", moved=0.2))
    assert [segment.speaker for segment in again.transcript.segments] == ["a", "b", "a.2"]
    assert [(speaker.id, speaker.name) for speaker in again.transcript.speakers] == [
        ("a", "Anna"),
        ("b", None),
        ("a.2", "Ben"),
    ]
    assert again.lost == 0
    sound(again.transcript)
    heard = retold("we met peter at a harbor", "the butchet is twelve", "that is all")
    third = heard.segments[2].model_copy(update={"speaker": "c"})
    found = carry(BASE, edited, heard.model_copy(update={"segments": [*heard.segments[:2], third]}))
    assert [segment.speaker for segment in found.transcript.segments] == ["a", "b", "c"]
    assert {speaker.id: speaker.name for speaker in found.transcript.speakers} == {"a": "Anna", "b": None, "c": "Ben"}
    assert found.lost == 0


def test_a_piece_that_was_given_away_is_carried_or_counted() -> None:
    split = split_segment(BASE, "s1", BASE.segments[0].words[2].start)  # type: ignore[index]
    edited = edit_segment(split, "s1.2", None, "b")
    new = retold("we met peter at a harbor", "the butchet is twelve", "that is all", moved=0.2)
    carried = carry(BASE, edited, new)
    assert carried.lost + [segment.speaker for segment in carried.transcript.segments].count("b") == 2


def test_a_turn_without_a_counterpart_is_counted() -> None:
    edited = edit_segment(BASE, "s2", None, "a")
    new = transcript_of(BASE.segments[0], BASE.segments[2])
    assert carry(BASE, edited, new).lost == 1


def test_where_the_machine_hears_the_same_everything_stays() -> None:
    edited = split_segment(edit_segment(BASE, "s1", "We met", None), "s3", 15.0)
    edited = name_speaker(edited, "a", "Anna")
    carried = carry(BASE, edited, BASE.model_copy(update={"revision": 9, "warnings": ["x"]}))
    assert (carried.transcript.segments, carried.transcript.speakers) == (edited.segments, edited.speakers)
    assert (carried.transcript.revision, carried.transcript.warnings, carried.lost) == (9, ["x"], 0)


@UNTIMED
@given(transcripts(), st.data(), transcripts())
def test_any_new_text_stays_sound(base: Transcript, data: st.DataObject, new: Transcript) -> None:
    edited = base
    for _ in range(data.draw(st.integers(0, 4))):
        segment: Segment = data.draw(st.sampled_from(edited.segments))
        text = data.draw(st.sampled_from(("one two", "four, a a", "five-and-twenty")))
        edited = edit_segment(edited, segment.id, text, data.draw(st.sampled_from(("a", "b", None))))
        own = [one.id for one in edited.segments if one.speaker == segment.speaker]
        if data.draw(st.booleans()) and len(own) > 1:
            edited = split_speaker(edited, segment.speaker, own[1:], None)
    carried = carry(base, edited, new)
    sound(carried.transcript)
    if edited == base:
        assert texts(carried.transcript) == texts(new)
    if new.segments == base.segments:
        assert texts(carried.transcript) == texts(edited)
