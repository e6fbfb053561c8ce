"""From what an engine says to every form in which it is read: whatever is heard, nothing is lost, moved or doubled."""

import html
import json
import re
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from uuid import UUID

import numpy as np
import pytest
from asr.domain.cut import cut_parts
from asr.domain.formats import FORMS
from asr.domain.formats.openai import as_diarized_json, as_json, as_verbose_json
from asr.domain.join import Heading, Speaking, join_parts
from asr.domain.spans import Span
from asr.domain.voices import Turn, Voices, join_voices
from asr.domain.windows import windows_of
from common.spacing import as_text, has_no_blanks
from common.transcript import Transcript, Word
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.asr.test_formats import cue_lines
from tests.unit.asr.test_voices import HEARD

# What separates words is no part of one.
TEXTS = st.one_of(
    st.sampled_from(["yes", "may", "Well,", "over.", "Dr.", "-->", "<b>", "&amp;", "*", "1.", "#", "Speaker", "1:"]),
    st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc", "Z"]), min_size=1, max_size=50),
).filter(lambda text: text.split() == [text])
# Engines that write sentences are left as written; the other's words get capitals and full stops.
BARE_TEXTS = st.sampled_from(["yes", "may", "over", "robert's", "i", "monday", "third"])


@dataclass(frozen=True)
class Heard:
    """A recording, the parts it was cut into, and what an engine said of each."""

    seconds: float
    parts: list[list[Word]]
    speaking: Speaking | None

    @property
    def words(self) -> list[Word]:
        return [word for part in self.parts for word in part]

    def join(self, engine: str = "whisperx", parts: list[list[Word]] | None = None) -> Transcript:
        heading = Heading(UUID(int=7), 1, True, "en", engine, self.seconds, diarize=True, key_terms=("Robert",))
        return join_parts(heading, self.parts if parts is None else parts, self.speaking)


@st.composite
def recordings(draw: st.DrawFn, texts: st.SearchStrategy[str] = TEXTS) -> Heard:
    """Utterances, cut as the planner cuts; each word inside its utterance, in order of beginning; any turns at all."""
    pieces = draw(st.lists(st.tuples(st.floats(0.05, 40), st.floats(0.1, 20)), max_size=12))
    utterances: list[Span] = []
    at = 0.0
    for silence, length in pieces:
        utterances.append(Span(round(at + silence, 3), round(at + silence + length, 3)))
        at = utterances[-1].end
    windows = windows_of(utterances, draw(st.sampled_from([0.0, 30.0])))
    parts = [
        [word for window in part.utterances for word in draw(words_in(window, texts))]
        for part in cut_parts(windows, draw(st.sampled_from([5.0, 60.0, 300.0])), 300.0)
    ]
    return Heard(at + draw(st.floats(0, 5)), parts, draw(st.none() | speakings(at)))


@st.composite
def words_in(draw: st.DrawFn, window: Span, texts: st.SearchStrategy[str]) -> list[Word]:
    """Words may overlap, and take no time."""
    places = draw(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), max_size=8))
    found: list[Word] = []
    for place, length in sorted(places):
        start = window.start + place * window.seconds
        end = min(window.end, start + length * window.seconds)
        found.append(Word(word=draw(texts), start=start, end=end, probability=0.5))
    return found


@st.composite
def speakings(draw: st.DrawFn, seconds: float) -> Speaking:
    times = st.floats(0, max(seconds, 1.0))
    turns = [
        Turn(*edges, voice)
        for voice in "ab"
        for edges in pairwise(sorted(set(draw(st.lists(times, max_size=6)))))
        if draw(st.booleans())
    ]
    return Speaking(tuple(turns))


def the_same(read: list[str], said: list[str], *, in_order: bool = True) -> bool:
    """Whether these are the same words; of scripts without blanks the characters, for there nothing parts the words."""
    if any(has_no_blanks(letter) for text in said for letter in text):
        read, said = list("".join(read)), list("".join(said))
    return read == said if in_order else Counter(read) == Counter(said)


def texts_of(words: list[Word]) -> list[str]:
    return [word.word for word in words]


def in_order(heard: Heard) -> list[str]:
    return texts_of(sorted(heard.words, key=lambda word: (word.start, word.end)))


def check_sound(found: Transcript, seconds: float) -> None:
    """Segments in order and inside the recording, each with one listed speaker; words in order and inside theirs."""
    starts = [segment.start for segment in found.segments]
    assert starts == sorted(starts)
    assert {segment.speaker for segment in found.segments} == {speaker.id for speaker in found.speakers}
    assert len({segment.id for segment in found.segments}) == len(found.segments)
    for segment in found.segments:
        assert 0 <= segment.start <= segment.end <= seconds
        assert segment.words
        assert segment.text == as_text(texts_of(segment.words))
        begins = [word.start for word in segment.words]
        assert begins == sorted(begins)
        assert all(segment.start <= word.start <= word.end <= segment.end for word in segment.words)


@settings(deadline=None)
@given(recordings(), st.sampled_from(["whisperx", "pocketsphinx"]))
def test_segments_are_in_order_inside_the_recording_and_words_inside_segments(heard: Heard, engine: str) -> None:
    check_sound(heard.join(engine), heard.seconds)


@settings(deadline=None)
@given(recordings())
def test_every_word_is_in_the_transcript_once_as_it_was_said(heard: Heard) -> None:
    segments = heard.join().segments
    found = [word for segment in segments for word in segment.words or ()]
    if not any(has_no_blanks(letter) for word in heard.words for letter in word.word):
        assert Counter(found) == Counter(heard.words)
    assert the_same(texts_of(found), in_order(heard), in_order=False)
    assert the_same([text for segment in segments for text in segment.text.split()], in_order(heard))


@settings(deadline=None)
@given(recordings(BARE_TEXTS))
def test_capitals_and_full_stops_are_all_that_is_added(heard: Heard) -> None:
    said = [text for segment in heard.join("pocketsphinx").segments for text in segment.text.split()]
    assert [text.lower().removesuffix(".") for text in said] == in_order(heard)


def from_srt(text: str, found: Transcript) -> list[str]:
    return [word for cue in cues(text) for word in without_label(cue, labels(found)).split()]


def from_vtt(text: str, _found: Transcript) -> list[str]:
    shown = [re.sub(r"^<v Speaker \d>", "", line) for line in cue_lines(text)]
    return html.unescape(" ".join(shown)).split()


def from_text(text: str, found: Transcript) -> list[str]:
    paragraphs = [paragraph for paragraph in text.removesuffix("\n").split("\n\n") if paragraph]
    return [word for paragraph in paragraphs for word in without_label(paragraph, labels(found)).split()]


def from_markdown(text: str, found: Transcript) -> list[str]:
    """Heading and warnings first; then, for every paragraph, its speaker and its text."""
    blocks = text.removesuffix("\n").split("\n\n")[1 + len(found.warnings) :]
    assert all(re.fullmatch(r"\*\*Speaker \d\*\* \[[\d:]+\]", block) for block in blocks[::2])
    shown = [re.sub(r"\\(.)", r"\1", block).replace("&amp;", "&") for block in blocks[1::2]]
    return " ".join(shown).split()


def from_podcast(text: str, _found: Transcript) -> list[str]:
    return [word for segment in json.loads(text)["segments"] for word in segment["body"].split()]


def labels(found: Transcript) -> list[str]:
    return [f"{speaker.label}:" for speaker in found.speakers] if len(found.speakers) > 1 else []


def without_label(text: str, among: list[str]) -> str:
    """What is shown behind the label of its speaker, with which it begins."""
    if not among:
        return text
    (label,) = [label for label in among if text == label or text.startswith(f"{label} ")]
    return text.removeprefix(label)


def cues(srt: str) -> list[str]:
    """The text of every cue, on one line."""
    blocks = [block.split("\n") for block in srt.removesuffix("\n").split("\n\n") if block]
    assert all(re.fullmatch(r"[\d:,]+ --> [\d:,]+", block[1]) for block in blocks)
    return [" ".join(block[2:]) for block in blocks]


READERS = {"srt": from_srt, "vtt": from_vtt, "txt": from_text, "md": from_markdown, "podcast": from_podcast}
# Where people talk over each other, cues stand in the order in which they begin.
IN_ORDER = ("txt", "md", "podcast")


@pytest.mark.parametrize("name", FORMS)
@settings(deadline=None)
@given(recordings())
def test_no_export_loses_or_doubles_a_word(name: str, heard: Heard) -> None:
    found = heard.join()
    read = READERS[name](FORMS[name].render(found), found)  # type: ignore[index]
    said = in_order(heard)
    if name == "srt":
        # An arrow would end the text; it may also come about where two words have no blank between them.
        read, said = (" ".join(texts).replace("-->", "--").replace(">", "").split() for texts in (read, said))
    assert the_same(read, said, in_order=name in IN_ORDER)


@settings(deadline=None)
@given(recordings())
def test_nor_does_the_document_or_any_of_openais_forms(heard: Heard) -> None:
    found, said = heard.join(), in_order(heard)
    stored = Transcript.model_validate_json(found.model_dump_json())
    assert stored == found
    verbose = as_verbose_json(found, ("word", "segment"), 0.0)
    for text in (as_json(found)["text"], verbose["text"], as_diarized_json(found)["text"]):
        assert the_same(text.split(), said)
    for segments in (verbose["segments"], as_diarized_json(found)["segments"]):
        assert the_same([word for segment in segments for word in segment["text"].split()], said)
    assert the_same([word["word"] for word in verbose["words"]], said)


@settings(deadline=None)
@given(recordings(), st.data())
def test_joining_parts_is_associative(heard: Heard, data: st.DataObject) -> None:
    """Any neighbours may be put together first, in any grouping: it is as if they had been one part."""
    parts, whole = heard.parts, heard.join()
    while len(parts) > 1:
        at = data.draw(st.integers(0, len(parts) - 2))
        parts = [*parts[:at], [*parts[at], *parts[at + 1]], *parts[at + 2 :]]
        assert heard.join(parts=parts) == whole


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 20)), min_size=3, max_size=3))
def test_joining_voices_is_associative(stretches: list[tuple[int, int]]) -> None:
    """Also where parts have windows in common, as after a change of plan, and where a part has none."""
    one, two, three = (_piece(first, first + length) for first, length in stretches)
    flat = join_voices([one, two, three])
    for joined in (join_voices([join_voices([one, two]), three]), join_voices([one, join_voices([two, three])])):
        for found, expected in zip(_arrays(joined), _arrays(flat), strict=True):
            np.testing.assert_array_equal(found, expected)


def _piece(first: int, after: int) -> Voices:
    voices = HEARD
    return Voices(voices.hearing, voices.windows[first:after], voices.scores[first:after], voices.prints[first:after])


def _arrays(voices: Voices) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return voices.windows, voices.scores, voices.prints
