"""Transcripts as SubRip, WebVTT, text and Markdown."""

import html
import json
import re
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from uuid import UUID

import pytest
from asr.domain.formats import FORMS, TextFormat
from asr.domain.formats.cues import (
    GAP_SECONDS,
    LINE_CHARACTERS,
    LINES,
    LONGEST_SECONDS,
    SHORTEST_SECONDS,
    cues_of,
    wrap,
)
from asr.domain.formats.documents import escape_markdown
from common.transcript import Segment, Speaker, Transcript, Word
from hypothesis import example, given
from hypothesis import strategies as st


def segment(number: int, start: float, end: float, text: str, *, speaker: str = "a", timed: bool = True) -> Segment:
    """With word times spread evenly over it when ``timed``."""
    texts = text.split()
    each = (end - start) / max(1, len(texts))
    words = [Word(word=t, start=start + at * each, end=start + (at + 1) * each) for at, t in enumerate(texts)]
    return Segment(id=f"s{number}", start=start, end=end, speaker=speaker, text=text, words=words if timed else None)


def transcript(*segments: Segment, names: dict[str, str | None] | None = None) -> Transcript:
    speakers = [
        Speaker(id=key, label=f"Speaker {at}", name=name)
        for at, (key, name) in enumerate((names or {"a": None}).items(), 1)
    ]
    return Transcript(
        asset_id=UUID(int=1),
        revision=1,
        complete=True,
        language="en",
        engine="pocketsphinx",
        duration_seconds=100,
        warnings=["draft: Expect *wrong* words."],
        speakers=speakers,
        segments=list(segments),
    )


TWO = transcript(
    segment(1, 1.0, 3.5, "We accept the loan."),
    segment(2, 3661.25, 3663.0, "AT&T <b>pays</b> --> 5 % & more.", speaker="b"),
    names={"a": None, "b": "Dr. <Who> & Co"},
)


def test_srt() -> None:
    assert FORMS["srt"].render(TWO) == (
        "1\n00:00:01,000 --> 00:00:03,500\nSpeaker 1: We accept the loan.\n\n"
        "2\n01:01:01,250 --> 01:01:03,000\nDr. <Who> & Co: AT&T <b>pays</b> -- 5 % &\nmore.\n"
    )


def test_vtt_names_the_voice_and_escapes() -> None:
    assert FORMS["vtt"].render(TWO) == (
        "WEBVTT\n\n00:00:01.000 --> 00:00:03.500\n<v Speaker 1>We accept the loan.\n\n"
        "01:01:01.250 --> 01:01:03.000\n"
        "<v Dr. &lt;Who&gt; &amp; Co>AT&amp;T &lt;b&gt;pays&lt;/b&gt; --&gt; 5 % &amp; more.\n"
    )


def test_text_names_speakers_only_where_there_are_several() -> None:
    one = transcript(segment(1, 0, 1, "Good morning."), segment(2, 2, 3, "I agree."))
    assert FORMS["txt"].render(one) == "Good morning. I agree.\n"
    assert FORMS["txt"].render(TWO) == (
        "Speaker 1: We accept the loan.\n\nDr. <Who> & Co: AT&T <b>pays</b> --> 5 % & more.\n"
    )


def test_markdown_shows_text_as_it_is() -> None:
    assert FORMS["md"].render(TWO) == (
        "# Transcript\n\n> Expect \\*wrong\\* words.\n\n**Speaker 1** [0:01]\n\nWe accept the loan.\n\n"
        "**Dr. \\<Who\\> &amp; Co** [1:01:01]\n\nAT&amp;T \\<b\\>pays\\</b\\> --\\> 5 % &amp; more.\n"
    )


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("# no heading", "\\# no heading"),
        ("1. no list", "1\\. no list"),
        ("- no list", "\\- no list"),
        ("5 % of 10.", "5 % of 10."),
    ],
)
def test_markdown_line_starts(text: str, escaped: str) -> None:
    assert escape_markdown(text) == escaped


def test_nothing_said_gives_empty_but_valid_files() -> None:
    silent = transcript()
    assert FORMS["srt"].render(silent) == ""
    assert FORMS["vtt"].render(silent) == "WEBVTT\n"
    assert FORMS["txt"].render(silent) == ""


def test_long_sentences_become_several_cues_cut_at_commas() -> None:
    text = "I know that it is expensive for a small house like ours, but we lost much more than that in January."
    cues = cues_of(transcript(segment(1, 0, 9, text)))
    assert len(cues) == 2
    assert cues[0].lines[-1].endswith("ours,")


def shown(*segments: Segment) -> list[tuple[int, int, str]]:
    return [(cue.start, cue.end, " ".join(cue.lines)) for cue in cues_of(transcript(*segments))]


def test_a_cue_stays_until_it_is_read_where_nobody_goes_on() -> None:
    assert shown(segment(1, 10, 10.2, "No.")) == [(10_000, 10_833, "No.")]
    hasty = "Forty characters that are said too fast."
    assert shown(segment(1, 10, 12, hasty)) == [(10_000, 12_353, hasty)], "17 characters a second"
    assert shown(segment(1, 10, 11, hasty)) == [(10_000, 11_500, hasty)], "but half a second after the voice at most"
    assert shown(segment(1, 99.5, 99.9, hasty))[0][1] == 100_000, "nor after the end of the recording"


def test_between_two_cues_there_is_a_gap_unless_one_would_be_too_short_for_it() -> None:
    assert [cue[:2] for cue in shown(segment(1, 0, 3, "First."), segment(2, 3, 5, "Second.", speaker="b"))] == [
        (0, 2917),
        (3000, 5000),
    ]
    assert shown(segment(1, 0, 0.8, "First."), segment(2, 0.8, 5, "Second.", speaker="b"))[0][1] == 800


def test_what_would_be_gone_before_it_is_read_is_shown_together() -> None:
    found = shown(segment(1, 0, 0.4, "Yes."), segment(2, 0.4, 0.7, "Yes."), segment(3, 3, 4, "No."))
    assert found == [(0, 833, "Yes. Yes."), (3000, 4000, "No.")]


def test_who_talks_over_another_hides_nobody() -> None:
    long = segment(1, 0, 6, "This goes on for six seconds.")
    assert [cue[:2] for cue in shown(long, segment(2, 1, 1.4, "Mhm.", speaker="b"))] == [(0, 6000), (1000, 1833)]
    changing = segment(2, 5.9, 8, "My turn.", speaker="b")
    assert shown(long, changing)[0][1] == 5817, "the ordinary overlap of a change of speakers is none"


def test_podcast_json() -> None:
    assert json.loads(FORMS["podcast"].render(TWO)) == {
        "version": "1.0.0",
        "segments": [
            {"speaker": "Speaker 1", "startTime": 1.0, "endTime": 3.5, "body": "We accept the loan."},
            {
                "speaker": "Dr. <Who> & Co",
                "startTime": 3661.25,
                "endTime": 3663.0,
                "body": "AT&T <b>pays</b> --> 5 % & more.",
            },
        ],
    }


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("speakers", [{"a": "Anna\nMaria"}, {"a": "Anna\nMaria", "b": None}])
def test_every_export_carries_the_names_that_people_gave(name: TextFormat, speakers: dict[str, str | None]) -> None:
    found = transcript(segment(1, 0, 1, "Good morning."), segment(2, 2, 3, "I agree."), names=speakers)
    assert FORMS[name].render(found).count("Anna Maria") == (1 if name in ("txt", "md") else 2)


texts = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=60)
spoken = st.lists(
    st.tuples(
        st.floats(-3, 5, allow_nan=False),
        st.floats(0.001, 40, allow_nan=False),
        texts,
        st.sampled_from("ab"),
        st.booleans(),
    ),
    max_size=12,
)


def build(pieces: list[tuple[float, float, str, str, bool]]) -> Transcript:
    segments: list[Segment] = []
    at = 0.0
    for number, (pause, length, text, speaker, timed) in enumerate(pieces):
        start = max(0.0, at + pause)
        segments.append(segment(number, start, start + length, text, speaker=speaker, timed=timed))
        at = start + length
    return transcript(*segments, names={"a": "Anna", "b": "Bob"})


def words_of(found: Transcript) -> list[str]:
    return [word for s in found.segments for word in s.text.split()]


def letters(shown: Iterable[str]) -> Counter[str]:
    """Words of some scripts stand without blanks between them, so that letters are what can be counted."""
    return Counter("".join("".join(text.split()) for text in shown))


@given(spoken)
def test_cues_keep_every_word_once_and_in_time(pieces: list[tuple[float, float, str, str, bool]]) -> None:
    found = build(pieces)
    cues = cues_of(found)
    assert letters(line for cue in cues for line in cue.lines) == letters(words_of(found))
    assert all(cue.start < cue.end for cue in cues)
    assert all(before.start < after.start for before, after in pairwise(cues))
    for speaker in "ab":
        own = [cue for cue in cues if cue.speaker == speaker]
        assert all(before.end <= after.start for before, after in pairwise(own))
    for cue in cues:
        several = sum(len(line.split()) for line in cue.lines) > 1
        assert not several or len(cue.lines) <= LINES
        assert cue.end - cue.start <= LONGEST_SECONDS * 1000 + 1
        assert all(len(line) <= LINE_CHARACTERS or " " not in line for line in cue.lines)


@given(spoken)
@example([(0.0, 1.0, "", "a", False), (0.0, 39.0, "00000000\r00", "b", False), (-0.75, 1.0, "0", "a", False)])
def test_a_cue_is_short_or_without_a_gap_only_for_want_of_room(
    pieces: list[tuple[float, float, str, str, bool]],
) -> None:
    found = build(pieces)
    shortest, gap = round(SHORTEST_SECONDS * 1000), round(GAP_SECONDS * 1000)
    cues = cues_of(found)
    for cue, after in pairwise(cues):
        room = after.start - cue.start
        assert cue.end - cue.start >= min(shortest, room)
        assert room < shortest + gap or cue.end <= after.start - gap or cue.end >= after.start
    assert not cues or cues[-1].end - cues[-1].start >= shortest or cues[-1].end >= 100_000


@given(spoken)
def test_vtt_and_srt_lose_and_double_nothing(pieces: list[tuple[float, float, str, str, bool]]) -> None:
    found = build(pieces)
    vtt = FORMS["vtt"].render(found)
    bodies = [line.partition(">")[2] if line.startswith("<v ") else line for line in cue_lines(vtt)]
    assert letters([html.unescape(" ".join(bodies))]) == letters(words_of(found))
    assert vtt.count("<v Anna>") + vtt.count("<v Bob>") == vtt.count(" --> ") == len(cues_of(found))
    srt = FORMS["srt"].render(found)
    lines = [re.sub(r"^(Anna|Bob):", "", line, count=1) for line in cue_lines(srt)]
    assert letters(lines) == letters([" ".join(words_of(found)).replace("-->", "--")])
    assert all(len(line) <= LINE_CHARACTERS or " " not in line for line in cue_lines(srt))
    podcast = json.loads(FORMS["podcast"].render(found))["segments"]
    assert [entry["body"] for entry in podcast] == [s.text for s in found.segments]


def cue_lines(text: str) -> list[str]:
    """The lines that are shown: below a time line until a blank one."""
    shown: list[str] = []
    inside = False
    for line in text.split("\n"):
        if re.fullmatch(r"[\d:.,]+ --> [\d:.,]+", line):
            inside = True
        elif not line:
            inside = False
        elif inside:
            shown.append(line)
    return shown


def test_a_label_stands_apart_from_words_of_every_script() -> None:
    assert wrap(["你好", "。", "Hello", "1", "2"], ("Speaker", "2:")) == ["Speaker 2: 你好。 Hello 1 2"]


@given(st.lists(texts.filter(lambda t: len(t.split()) == 1 and t.split()[0] == t), max_size=30))
def test_wrapping_keeps_words(words: list[str]) -> None:
    assert "".join("".join(wrap(words)).split()) == "".join(words)
    spaced = [word for word in words if word.isascii()]
    assert " ".join(wrap(spaced)).split() == spaced
