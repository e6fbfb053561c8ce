"""A transcript that comes back as Earshot answered it: nothing of it is lost, and nothing in it is trusted."""

import json
from typing import Any
from uuid import UUID

import pytest
from asr.domain.captions.transcript import transcript_of
from common.captions import Captions
from common.errors import CannotProcess
from common.transcript import Segment, Speaker, Transcript, Word
from fetcher.domain.captions import read_captions

ASSET = UUID(int=7)


def said(text: str, start: float) -> list[Word]:
    words = text.split()
    return [
        Word(word=word, start=start + n * 0.5, end=start + n * 0.5 + 0.3, probability=0.5 + n / 100)
        for n, word in enumerate(words)
    ]


def original() -> Transcript:
    """Two unnamed voices and a named one, who talk over each other; one segment whose words are not timed."""
    spoken = [("speaker_2", "Good morning, Zoë.", 0.25), ("speaker_1", "你好 there.", 1.0), ("speaker_7", "Yes.", 1.1)]
    segments = [
        Segment(id=f"s{n}", start=at, end=at + 2.5, speaker=who, text=text, words=said(text, at))
        for n, (who, text, at) in enumerate(spoken, 1)
    ]
    segments.append(Segment(id="s4", start=9.0, end=9.5, speaker="speaker_7", text="An edited end", words=None))
    return Transcript(
        asset_id=UUID(int=1),
        revision=5,
        complete=True,
        language="en",
        engine="whisperx",
        duration_seconds=12.5,
        warnings=["draft: This is a draft."],
        speakers=[
            Speaker(id="speaker_1", label="Speaker 1", name="Anna"),
            Speaker(id="speaker_2", label="Speaker 2"),
            Speaker(id="speaker_7", label="Speaker 7"),
        ],
        segments=segments,
    )


def read_again(captions: Captions) -> Transcript:
    """As the fetcher stores it, and asr reads it from the store."""
    stored = captions.model_dump_json(exclude_none=True)
    return transcript_of(Captions.model_validate_json(stored), ASSET, 1, None)


def test_text_times_words_and_speakers_come_back_as_they_were():
    before = original()
    after = read_again(read_captions(before.model_dump_json(exclude_none=True).encode()))
    assert after.speakers == before.speakers
    assert after.segments[:3] == before.segments[:3]
    assert (after.segments[3].text, after.segments[3].speaker) == ("An edited end", "speaker_7")
    assert [word.word for word in after.segments[3].words or []] == ["An", "edited", "end"]
    assert (after.language, after.duration_seconds, after.complete) == ("en", 12.5, True)
    # Its text is that of a file: recognising again is asked for by name.
    assert after.engine == "captions"
    assert after.warnings == [
        "captions_imported: The transcript was brought as a document; there it was made by whisperx.",
        "draft: This is a draft.",
    ]


def document(**changes: Any) -> bytes:
    return json.dumps(original().model_dump(mode="json", exclude_none=True) | changes).encode()


def segment(**changes: Any) -> list[dict[str, Any]]:
    return [{"id": "s1", "start": 0.0, "end": 1.0, "speaker": "speaker_1", "text": "Yes.", **changes}]


@pytest.mark.parametrize(
    ("data", "category"),
    [
        (document()[:-200], "damaged"),
        (document(segments=segment(speaker="speaker_9")), "damaged"),
        (document(segments=segment(start=2.0)), "damaged"),
        (document(segments=segment(end=1e300)), "damaged"),
        (document(segments=segment(end="NaN")), "damaged"),
        (document(segments=segment(text=None)), "damaged"),
        (document(speakers=[{"id": "speaker_1", "label": "x"}] * 2, segments=segment()), "damaged"),
        (document(speakers=[{"id": "../x", "label": "x"}], segments=segment()), "damaged"),
        (document(language="no language"), "damaged"),
        (document(segments=[]), "empty"),
        (document(segments=segment(text=" \x00\n")), "empty"),
        (document(segments=segment(text="a " * 300_001)), "too_large"),
        (b'{"segments": ' + b"[" * 100_000 + b'"speakers"', "damaged"),
        (b'{"some": "json"}', "not_subtitles"),
    ],
)
def test_what_is_no_such_document_is_refused_with_one_error(data: bytes, category: str):
    with pytest.raises(CannotProcess) as caught:
        read_captions(data)
    assert caught.value.category == category
    assert caught.value.advice


@pytest.mark.parametrize(
    "words",
    [
        [{"word": "No.", "start": 0.1, "end": 0.2}],
        [{"word": "Yes.", "start": 0.9, "end": 0.2}],
        [{"word": "s.", "start": 0.5, "end": 0.6}, {"word": "Ye", "start": 0.1, "end": 0.2}],
    ],
)
def test_words_that_are_not_those_of_the_text_are_timed_anew(words: list[dict[str, Any]]):
    captions = read_captions(document(segments=segment(words=words)))
    (only,) = read_again(captions).segments
    assert only.words == [Word(word="Yes.", start=0.0, end=1.0)]
