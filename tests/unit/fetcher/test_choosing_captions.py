"""Which of a recording's own captions may give its text."""

from typing import Any

import pytest
from common.captions import Captions, Cue
from fetcher.domain.captions.choosing import in_order, in_words, shortcomings, speaks
from fetcher.domain.captions.language import code_of
from fetcher.domain.facts import CaptionTrack, read_facts

BY_PEOPLE = CaptionTrack(2, "subrip", "en")


def track(index: int, language: str | None = "en", codec: str = "subrip", **more: Any) -> CaptionTrack:
    return CaptionTrack(index, codec, language, **more)


def cues(*times: tuple[float, float], text: str = "We meet on Tuesday.", **more: Any) -> Captions:
    return Captions(format="srt", cues=[Cue(start=start, end=end, text=text) for start, end in times], **more)


@pytest.mark.parametrize(
    ("tag", "code"),
    [
        ("eng", "en"),
        ("ger", "de"),
        ("deu", "de"),
        ("en-US", "en"),
        ("pt_BR", "pt"),
        ("yue", "yue"),
        ("und", None),
        ("english", None),
        ("e1", None),
        ("", None),
        (None, None),
    ],
)
def test_languages_are_told_by_one_code(tag: str | None, code: str | None) -> None:
    assert code_of(tag) == code


def test_tracks_are_read_from_what_the_file_says() -> None:
    subtitles = {"codec_type": "subtitle", "codec_name": "subrip"}
    probed = {
        "streams": [
            {"index": 0, "codec_type": "audio", "codec_name": "opus", "tags": {"language": "ger"}},
            {**subtitles, "index": 1, "tags": {"LANGUAGE": "eng", "title": "English (auto-generated)"}},
            {**subtitles, "index": 2, "tags": {"language": "und", "handler_name": "SubtitleHandler"}},
            {**subtitles, "index": 3, "disposition": {"forced": 1}, "tags": {"title": "Autorenkommentar"}},
            {**subtitles, "index": 4, "disposition": {"default": 1}},
        ]
    }
    facts = read_facts(probed, 10)
    assert facts.sound is not None
    assert facts.sound.language == "de"
    assert facts.captions == (
        track(1, title="English (auto-generated)", automatic=True),
        track(2, None),
        track(3, None, title="Autorenkommentar", partial=True),
        track(4, None, default=True),
    )


def test_the_best_comes_first_and_what_cannot_fit_not_at_all() -> None:
    tracks = [
        track(1, automatic=True),
        track(2, None),
        track(3, "de", default=True),
        track(4),
        track(5, default=True),
        track(6, codec="hdmv_pgs_subtitle"),
        track(7, partial=True),
    ]
    assert [one.index for one in in_order(tracks, "en")] == [5, 4, 1, 2]
    assert [one.index for one in in_order(tracks, None)] == [3, 5, 4, 1, 2]
    assert in_order(tracks[2:3], "fr") == []


def test_why_nothing_fits_is_said() -> None:
    assert in_words([], "en") == "it has none"
    assert "pictures" in in_words([track(1, codec="dvd_subtitle")], "en")
    assert "foreign words" in in_words([track(1, partial=True)], "en")
    assert in_words([track(1, "fr"), track(2, "de")], "en") == "they are in de, fr, and en is spoken"


def test_the_language_is_compared_where_both_are_known() -> None:
    assert speaks(cues((0, 1), language="en-GB"), "en")
    assert speaks(cues((0, 1)), "en")
    assert speaks(cues((0, 1), language="de"), None)
    assert not speaks(cues((0, 1), language="de"), "en")


@pytest.mark.parametrize(
    ("captions", "seconds", "lacks"),
    [
        (cues((1, 4), (5, 9)), 10, None),
        (cues((1, 4), (5, 9)), 17, "cover only 7 s of 17 s"),
        (cues((1, 1.2), (8, 8.4)), 10, "cover only 1 s of 10 s"),
        (cues((1, 4), (5, 9)), 3, "go on until 9 s"),
        (cues((1, 4), (5, 9)), None, "does not tell its length"),
        (cues((1, 6), (3, 9)), 10, "overlap"),
        (cues((1, 4), (5, 9), text="x" * 200), 10, "faster than anybody speaks"),
        (cues((1, 4), (5, 9), text="♪ ♪♪ a"), 10, "hardly consist of words"),
        (cues((1, 4), (5, 9), notes=["captions_unreadable: 1 cue was left out."]), 10, "are damaged"),
        (cues((1, 4), (5, 9), text="我们星期二见面。"), 10, None),
    ],
)
def test_good_enough_is_a_matter_of_time_and_words(
    captions: Captions, seconds: float | None, lacks: str | None
) -> None:
    found = list(shortcomings(captions, BY_PEOPLE, seconds))
    assert (len(found) == 1 and lacks in found[0]) if lacks else found == []


def test_two_who_talk_at_once_do_not_overlap() -> None:
    voices = [
        Cue(start=1, end=5, text="We meet.", speaker="A"),
        Cue(start=2, end=9, text="No, we do not.", speaker="B"),
    ]
    assert list(shortcomings(Captions(format="vtt", cues=voices), BY_PEOPLE, 10)) == []


def test_what_a_machine_wrote_is_not_good_enough() -> None:
    assert list(shortcomings(cues((1, 9)), track(2, automatic=True), 10)) == ["were written by a machine"]
