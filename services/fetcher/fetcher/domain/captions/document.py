"""A transcript as Earshot itself answers it (``format=json``): read without loss, and trusted like any other file."""

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated

from common.captions import Captions, Cue
from common.transcript import Speaker, Word
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from fetcher.domain.captions import problems
from fetcher.domain.captions.names import MOST_SPEAKERS
from fetcher.domain.captions.shown import LATEST_MS, clean, clean_name

_BEGINNING = re.compile(r'\s*\{\s*"')
# Warnings of where it comes from, beside our own; a fact takes twenty.
_MOST_WARNINGS, _WARNING_CHARACTERS = 10, 500

Seconds = Annotated[float, Field(ge=0, le=LATEST_MS / 1000, allow_inf_nan=False)]
Line = Annotated[str, StringConstraints(max_length=200)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Word(_Part):
    word: Line
    start: Seconds
    end: Seconds
    probability: Annotated[float, Field(ge=0, le=1)] | None = None


class _Speaker(_Part):
    id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
    label: Line
    name: Line | None = None


class _Segment(_Part):
    start: Seconds
    end: Seconds
    speaker: str
    text: str
    words: list[_Word] | None = None


class _Document(_Part):
    complete: bool = True
    language: Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,3}$")]
    engine: Line = ""
    duration_seconds: Seconds = 0.0
    warnings: list[str] = []
    speakers: list[_Speaker] = Field(max_length=MOST_SPEAKERS)
    segments: list[_Segment]


def is_document(text: str) -> bool:
    return _BEGINNING.match(text) is not None and '"segments"' in text and '"speakers"' in text


def read_document(text: str) -> Captions:
    """Raises CannotProcess, and nothing else."""
    try:
        document = _Document.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise problems.damaged_subtitles(f"{place}: {first['msg']}" if place else first["msg"]) from error
    except ValueError as error:
        raise problems.damaged_subtitles("its text is no Unicode") from error
    cues = [cue for segment in document.segments if (cue := _cue(segment)) is not None]
    if not cues:
        raise problems.no_cues(0)
    return Captions(
        format="json",
        language=document.language,
        cues=sorted(cues, key=lambda cue: cue.start),
        speakers=_speakers(document),
        notes=_notes(document),
        sound_seconds=document.duration_seconds or None,
    )


def _speakers(document: _Document) -> list[Speaker]:
    """Raises CannotProcess where two have one id, or somebody speaks who is not among them."""
    ids = [speaker.id for speaker in document.speakers]
    if len(set(ids)) < len(ids):
        raise problems.damaged_subtitles("two of its speakers have the same id")
    if not {segment.speaker for segment in document.segments} <= set(ids):
        raise problems.damaged_subtitles("a segment names a speaker that the file does not list")
    return [
        Speaker(id=one.id, label=clean_name(one.label) or one.id, name=clean_name(one.name or ""))
        for one in document.speakers
    ]


def _cue(segment: _Segment) -> Cue | None:
    """None for one that says nothing."""
    text = " ".join(clean(segment.text).split())
    if not text:
        return None
    if segment.end < segment.start:
        raise problems.damaged_subtitles("a segment ends before it begins")
    return Cue(
        start=segment.start,
        end=segment.end,
        text=text,
        speaker=segment.speaker,
        words=_words(segment.words or [], text),
    )


def _words(given: Sequence[_Word], text: str) -> list[Word] | None:
    """None where they are not the words of the text, or not in order: then they are spread over it anew."""
    words = [
        Word(word="".join(clean(one.word).split()), start=one.start, end=one.end, probability=one.probability)
        for one in given
    ]
    said = "".join(word.word for word in words) == "".join(text.split())
    whole = all(word.word and word.start <= word.end for word in words)
    ordered = all(before.start <= after.start for before, after in pairwise(words))
    return words if words and said and whole and ordered else None


def _notes(document: _Document) -> list[str]:
    engine = clean_name(document.engine)
    made = f"; there it was made by {engine}" if engine else ""
    told = [" ".join(clean(warning).split())[:_WARNING_CHARACTERS] for warning in document.warnings[:_MOST_WARNINGS]]
    notes = [f"captions_imported: The transcript was brought as a document{made}.", *filter(None, told)]
    if not document.complete:
        notes.append("captions_incomplete: It was not finished where it comes from.")
    return list(dict.fromkeys(notes))
