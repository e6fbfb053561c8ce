"""Whatever comes, reading a subtitle file ends in captions or in the one named error; and nothing said is lost."""

import re
import unicodedata
from itertools import pairwise
from uuid import UUID

import pytest
from asr.domain.formats import FORMS
from common.captions import Captions
from common.errors import CannotProcess
from common.transcript import Segment, Speaker, Transcript, Word
from fetcher.domain.captions import read_captions
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.fetcher.test_captions import SRT, VTT
from tests.unit.fetcher.test_ttml import document

TTML = document('<p begin="1s" end="2s" ttm:agent="a1">One<br/>two</p><p begin="3s" dur="1s">three</p>')
# What a file is made of, for files that are nearly right.
PIECES = st.sampled_from(
    [
        *("WEBVTT", "\n", "\n\n", " --> ", "-->", "00:00:01,000", "00:01.5", "99:99:99", "-0:01", "1", "NOTE", "STYLE"),
        *("<v Ann>", "<v", "</v>", "<i>", "<00:00:02.000>", "<", ">", "&amp;", "&#x110000;", "&#0;", "&", "{\\an8}"),
        *("ANNA:", "text", "\x00", "\ufeff", "\u2028", "\x85", "\x1c", "é", "\ud7ff", "🎙", "\t", "\r", "\\N", ":"),
        *("<tt>", "<tt ", "<p begin='1s'>", "</p>", "<br/>", "</tt>", "<body>", "</body>", "<!DOCTYPE tt>", "<span>"),
    ]
)
SAID = st.text(st.characters(exclude_categories=("C", "Z"), exclude_characters="<>&:{}-"), min_size=1, max_size=8)


def check(captions: Captions) -> None:
    """What every document promises."""
    assert captions.cues
    for cue in captions.cues:
        assert 0 <= cue.start <= cue.end
        assert cue.text
        assert cue.text == " ".join(cue.text.split())
        assert "\x00" not in cue.text + (cue.speaker or "")
        assert cue.word_starts is None or len(cue.word_starts) == len(cue.text.split())
    assert all(before.start <= after.start for before, after in pairwise(captions.cues))
    assert Captions.model_validate_json(captions.model_dump_json()) == captions


def read_or_refuse(data: bytes) -> None:
    try:
        captions = read_captions(data)
    except CannotProcess:
        return
    check(captions)


@given(st.binary(max_size=400))
def test_any_bytes(data: bytes) -> None:
    read_or_refuse(data)


@given(st.lists(PIECES, max_size=40).map("".join), st.sampled_from(["utf-8", "utf-16", "utf-16-le"]))
def test_nearly_subtitles(text: str, encoding: str) -> None:
    read_or_refuse(text.encode(encoding, "surrogatepass"))


@given(st.lists(PIECES, max_size=10).map("".join), st.sampled_from(["0:01 --> 0:02\n", "WEBVTT\n\n00:01 --> 00:02\n"]))
def test_anything_said_in_a_good_cue(text: str, head: str) -> None:
    read_or_refuse((head + text).encode("utf-8", "surrogatepass"))


@given(st.sampled_from([SRT.encode(), VTT.encode(), TTML]), st.data())
def test_good_files_damaged_anywhere(good: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(good)))
    length = data.draw(st.integers(0, 12))
    read_or_refuse(good[:at] + data.draw(st.binary(max_size=4)) + good[at + length :])


@st.composite
def transcripts(draw: st.DrawFn, names: st.SearchStrategy[str]) -> Transcript:
    """As asr makes them: segments in order, words within them, two speakers or more, who both speak."""
    speakers = draw(st.lists(names, min_size=2, max_size=4, unique_by=str.casefold))
    segments: list[Segment] = []
    at = draw(st.integers(0, 5_000))
    for number, speaker in enumerate([*range(len(speakers)), *draw(st.lists(st.integers(0, 1), max_size=5))]):
        words: list[Word] = []
        for text in draw(st.lists(SAID, min_size=1, max_size=12)):
            end = at + draw(st.integers(100, 900))
            # No two words the same: what is shown again at once may be taken for captions that roll.
            words.append(Word(word=f"{text}{at}", start=at / 1000, end=end / 1000))
            at = end + draw(st.integers(0, 300))
        said = " ".join(word.word for word in words)
        segments.append(
            Segment(
                id=f"s{number}", start=words[0].start, end=words[-1].end, speaker=str(speaker), text=said, words=words
            )
        )
        at += draw(st.integers(50, 2000))
    return Transcript(
        asset_id=UUID(int=1),
        revision=1,
        complete=True,
        language="en",
        engine="x",
        duration_seconds=at / 1000,
        speakers=[
            Speaker(id=str(number), label=f"Speaker {number}", name=name) for number, name in enumerate(speakers)
        ],
        segments=segments,
    )


def turns(said: list[tuple[str | None, str]]) -> list[tuple[str | None, str]]:
    """Who says what, one after the other: cues are cut finer than segments, and some scripts lose their blanks."""
    joined: list[tuple[str | None, str]] = []
    for speaker, text in said:
        if not joined or joined[-1][0] != speaker:
            joined.append((speaker, ""))
        joined[-1] = (speaker, joined[-1][1] + "".join(text.split()))
    return joined


PLAIN_NAMES = (
    st.text("abcdefgh ÄÖé.'", min_size=1, max_size=15)
    .filter(lambda n: n[0].isalpha() and len(n.split()) <= 4)
    .map(lambda name: " ".join(name.split()))
)
ANY_NAMES = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=20)


def check_round(transcript: Transcript, form: str) -> None:
    text = FORMS[form].render(transcript)  # type: ignore[index]
    captions = read_captions(text.encode())
    check(captions)
    names = {speaker.id: speaker.name for speaker in transcript.speakers}
    wanted = turns([(names[one.speaker], one.text) for one in transcript.segments])
    assert turns([(cue.speaker, cue.text) for cue in captions.cues]) == wanted
    # To the millisecond, as written: cues are cut by what can be read, not as segments are.
    written = [(milliseconds(begin), milliseconds(end)) for begin, end in TIME_LINE.findall(text)]
    assert [(round(cue.start * 1000), round(cue.end * 1000)) for cue in captions.cues] == written
    assert written[0][0] == round(transcript.segments[0].start * 1000)
    assert captions.notes == []


TIME_LINE = re.compile(r"^(\d\d:\d\d:\d\d[.,]\d{3}) --> (\d\d:\d\d:\d\d[.,]\d{3})$", re.MULTILINE)


def milliseconds(clock: str) -> int:
    hours, minutes, seconds = clock.replace(",", ".").split(":")
    return round(((int(hours) * 60 + int(minutes)) * 60 + float(seconds)) * 1000)


@given(transcripts(ANY_NAMES))
def test_our_webvtt_reads_back_the_same(transcript: Transcript) -> None:
    check_round(transcript, "vtt")


@given(transcripts(PLAIN_NAMES))
def test_our_subrip_reads_back_the_same(transcript: Transcript) -> None:
    check_round(transcript, "srt")


@given(st.lists(st.tuples(st.integers(0, 10**6), st.lists(SAID, min_size=1, max_size=6)), min_size=1, max_size=8))
def test_no_text_is_lost_whatever_the_order(cues: list[tuple[int, list[str]]]) -> None:
    """Cues that neither repeat nor roll: each of them is there once, in order of time."""
    cues = [(start, [*words, f"x{number}"]) for number, (start, words) in enumerate(cues)]
    blocks = [f"00:{s // 60000:02}:{s // 1000 % 60:02}.{s % 1000:03} --> 0:00.0\n{' '.join(w)}\n" for s, w in cues]
    captions = read_captions("WEBVTT\n\n{}".format("\n".join(blocks)).encode())
    check(captions)
    wanted = [word for _, words in sorted(cues, key=lambda cue: cue[0]) for word in words]
    assert [word for cue in captions.cues for word in cue.text.split()] == wanted


@pytest.mark.parametrize("spoken", ["ANNA:", "- ", "NOTE", "1", "WEBVTT", "STYLE"])
def test_words_that_look_like_something_else(spoken: str) -> None:
    captions = read_captions(f"WEBVTT\n\n00:01.000 --> 00:02.000\nhe wrote {spoken}\n".encode())
    assert captions.cues[0].text == " ".join(f"he wrote {spoken}".split())
    assert unicodedata.is_normalized("NFC", captions.cues[0].text)
