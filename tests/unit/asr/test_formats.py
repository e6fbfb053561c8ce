"""Transcripts as SubRip, WebVTT, text and Markdown."""

import html
import re
from itertools import pairwise
from uuid import UUID

import pytest
from asr.domain.formats import FORMS
from asr.domain.formats.cues import LINE_CHARACTERS, LINES, LONGEST_SECONDS, cues_of, wrap
from asr.domain.formats.documents import clock, escape_markdown
from common.transcript import Segment, Speaker, Transcript, Word
from hypothesis import given
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
        "2\n01:01:01,250 --> 01:01:03,000\nDr. <Who> & Co: AT&T <b>pays</b> -- 5 % & more.\n"
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


def test_clock() -> None:
    assert [clock(0), clock(59.99), clock(61), clock(3600)] == ["0:00", "0:59", "1:01", "1:00:00"]


def test_long_sentences_become_several_cues_cut_at_commas() -> None:
    text = "I know that it is expensive for a small house like ours, but we lost much more than that in January."
    cues = cues_of([segment(1, 0, 9, text)])
    assert len(cues) == 2
    assert cues[0].lines[-1].endswith("ours,")


texts = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=60)
spoken = st.lists(
    st.tuples(
        st.floats(0, 5, allow_nan=False),
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
        start = at + pause
        segments.append(segment(number, start, start + length, text, speaker=speaker, timed=timed))
        at = start + length
    return transcript(*segments, names={"a": "Anna", "b": "Bob"})


def words_of(found: Transcript) -> list[str]:
    return [word for s in found.segments for word in s.text.split()]


@given(spoken)
def test_cues_keep_every_word_once_and_in_time(pieces: list[tuple[float, float, str, str, bool]]) -> None:
    found = build(pieces)
    cues = cues_of(found.segments)
    assert [word for cue in cues for line in cue.lines for word in line.split()] == words_of(found)
    assert all(cue.start < cue.end for cue in cues)
    assert all(before.start < after.start for before, after in pairwise(cues))
    for cue in cues:
        several = sum(len(line.split()) for line in cue.lines) > 1
        assert not several or len(cue.lines) <= LINES
        assert not several or cue.end - cue.start <= LONGEST_SECONDS * 1000 + 1
        assert all(len(line) <= LINE_CHARACTERS or " " not in line for line in cue.lines)


@given(spoken)
def test_vtt_and_srt_lose_and_double_nothing(pieces: list[tuple[float, float, str, str, bool]]) -> None:
    found = build(pieces)
    vtt = FORMS["vtt"].render(found)
    bodies = [line.partition(">")[2] if line.startswith("<v ") else line for line in cue_lines(vtt)]
    assert html.unescape(" ".join(bodies)).split() == words_of(found)
    assert vtt.count(" --> ") == len(cues_of(found.segments))
    srt = FORMS["srt"].render(found)
    assert srt.count(" --> ") == len(cues_of(found.segments))
    several = len({s.speaker for s in found.segments} | {"a", "b"}) > 1
    lines = [re.sub(r"^(Anna|Bob): ", "", line, count=1) if several else line for line in cue_lines(srt)]
    assert " ".join(lines).split() == " ".join(words_of(found)).replace("-->", "--").split()


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


@given(st.lists(texts.filter(lambda t: len(t.split()) == 1 and t.split()[0] == t), max_size=30))
def test_wrapping_keeps_words(words: list[str]) -> None:
    assert " ".join(wrap(words)).split() == [part for word in words for part in word.split()]
