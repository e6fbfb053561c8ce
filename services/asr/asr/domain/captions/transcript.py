"""A transcript made of captions: a segment for each cue, its words timed by the file or spread over it."""

from collections.abc import Sequence
from itertools import accumulate, pairwise
from uuid import UUID

from common.captions import Captions, Cue
from common.spacing import as_text, split_words
from common.transcript import Segment, Speaker, Transcript, Word

from asr.domain.captions.timing import time_words
from asr.domain.formats.cues import timed_words
from asr.domain.join import Heading
from asr.domain.warnings import NO_NAMES, not_heard

ENGINE = "captions"
# ISO 639: the language is not known.
UNDETERMINED = "und"
_UNNAMED = Speaker(id="speaker_0", label="Unnamed speaker")
_ONE = Speaker(id="speaker_1", label="Speaker 1")


def transcript_of(captions: Captions, asset_id: UUID, revision: int, language: str | None) -> Transcript:
    """``language``: what the user said, which counts more than what the file says."""
    speakers = _speakers(captions)
    segments = [_segment(number, cue, speakers[cue.speaker].id) for number, cue in enumerate(captions.cues, 1)]
    named = captions.speakers is not None or any(cue.speaker for cue in captions.cues)
    return Transcript(
        asset_id=asset_id,
        revision=revision,
        complete=True,
        language=language or captions.language or UNDETERMINED,
        engine=ENGINE,
        duration_seconds=captions.duration_seconds,
        warnings=[*captions.notes, *([] if named else [NO_NAMES])],
        speakers=list(speakers.values()),
        segments=segments,
    )


def heard_transcript_of(
    captions: Captions, heading: Heading, heard: Sequence[Word], language: str | None
) -> Transcript:
    """The same text and speakers, with the times at which the words are heard. ``heading``: of the recognition."""
    read = transcript_of(
        captions, heading.asset_id, heading.revision, language or captions.language or heading.language
    )
    timed = time_words(read, heard)
    doubtful = [not_heard(timed.heard, timed.words)] * (2 * timed.heard < timed.words)
    return timed.transcript.model_copy(
        update={
            "engine": f"{ENGINE}+{heading.engine}",
            "duration_seconds": max(heading.duration_seconds, read.duration_seconds),
            "warnings": [*read.warnings, *doubtful],
        }
    )


def heard_again(edited: Transcript, transcript: Transcript, heard: Sequence[Word]) -> Transcript:
    """What people made of captions, timed as ``transcript``, which the same captions became, is."""
    timed = time_words(edited, heard).transcript
    return transcript.model_copy(update={"segments": timed.segments, "speakers": timed.speakers})


def is_captioned(engine: str) -> bool:
    """Whether the text of a transcript is that of captions."""
    return engine.partition("+")[0] == ENGINE


def _speakers(captions: Captions) -> dict[str | None, Speaker]:
    """By id where it was a transcript, else by name in the order in which they are first heard.

    Those whom nobody names are one.
    """
    if captions.speakers is not None:
        return {speaker.id: speaker for speaker in captions.speakers}
    names = list(dict.fromkeys(cue.speaker for cue in captions.cues))
    if names == [None]:
        return {None: _ONE}
    speakers: dict[str | None, Speaker] = {}
    for name in names:
        number = len(speakers) + (None not in speakers)
        speakers[name] = Speaker(id=f"speaker_{number}", label=f"Speaker {number}", name=name) if name else _UNNAMED
    return speakers


def _segment(number: int, cue: Cue, speaker: str) -> Segment:
    segment = Segment(id=f"s{number}", start=cue.start, end=cue.end, speaker=speaker, text=cue.text)
    return segment.model_copy(update={"words": cue.words or _words(segment, cue.word_starts)})


def _words(segment: Segment, starts: Sequence[float | None] | None) -> list[Word]:
    """Spread by their length between the times that are known; none begins before the one ahead of it."""
    pieces = [split_words(piece) for piece in segment.text.split()]
    texts = [text for piece in pieces for text in piece]
    known = {0: segment.start}
    latest = segment.start
    # The file times what stands between blanks.
    begins = accumulate((len(piece) for piece in pieces), initial=0)
    for at, start in zip(begins, starts or (), strict=False):
        if start is not None and latest <= start <= segment.end:
            known[at] = latest = start
    words: list[Word] = []
    ends = [*((at, known[at]) for at in sorted(known)), (len(texts), segment.end)]
    for (first, start), (last, end) in pairwise(ends):
        text = as_text(texts[first:last])
        stretch = segment.model_copy(update={"start": start, "end": end, "text": text, "words": None})
        words += timed_words(stretch)
    return [word.model_copy(update={"start": round(word.start, 3), "end": round(word.end, 3)}) for word in words]
