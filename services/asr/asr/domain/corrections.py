"""What people may change in a transcript; every change answers a new one and leaves times true."""

import re
from collections.abc import Iterable, Mapping
from itertools import takewhile
from uuid import UUID

from common.spacing import as_text, has_no_blanks, join_texts, split_words
from common.transcript import Segment, Speaker, Transcript, Word

from asr.domain.retiming import retime

_PIECE = re.compile(r"^(.*?)(?:\.(\d+))?$")


class Refused(ValueError):
    """The correction does not fit the transcript; ``advice`` says what would."""

    def __init__(self, message: str, advice: str) -> None:
        super().__init__(message)
        self.advice = advice


class NoSuch(LookupError):
    """The segment or speaker that is to be changed is not in the transcript."""


def edit_segment(transcript: Transcript, segment_id: str, text: str | None, speaker_id: str | None) -> Transcript:
    """Another text, another speaker, or both."""
    at = _find(transcript, segment_id)
    segment = transcript.segments[at]
    if text is not None:
        segment = rewrite(segment, text)
    if speaker_id is not None:
        segment = segment.model_copy(update={"speaker": _known(transcript, speaker_id)})
    return _with(transcript, at, at + 1, [segment])


def rewrite(segment: Segment, text: str) -> Segment:
    """The segment with another text; its own times stay, and those of the words that stay."""
    written = split_words(text)
    if not written:
        raise Refused("A segment needs text.", "Merge it with its neighbour, or replace its words.")
    words = retime(segment.words, written, segment.start, segment.end) if segment.words else segment.words
    return segment.model_copy(update={"text": " ".join(text.split()), "words": words})


def split_segment(transcript: Transcript, segment_id: str, at_seconds: float) -> Transcript:
    """Two segments: words that begin before ``at_seconds``, and the others under a new id."""
    at = _find(transcript, segment_id)
    segment = transcript.segments[at]
    words = segment.words or []
    first = list(takewhile(lambda word: word.start < at_seconds, words))
    rest = words[len(first) :]
    if not segment.start < at_seconds < segment.end:
        raise Refused(
            f"{at_seconds:g} s is not inside the segment.",
            f"Give a time between {segment.start:g} and {segment.end:g} seconds.",
        )
    begin = min((word.start for word in rest), default=segment.start)
    if not first or begin <= segment.start:
        raise Refused(
            f"There are no words on both sides of {at_seconds:g} s.",
            "Give the time at which a word after the first begins." if words else "This segment's words have no times.",
        )
    pieces = [
        _piece(segment, segment.id, first, segment.start, max(word.end for word in first)),
        _piece(segment, next_piece((one.id for one in transcript.segments), segment.id), rest, begin, segment.end),
    ]
    # Somebody else may have begun to talk in between.
    changed = _with(transcript, at, at + 1, pieces)
    return changed.model_copy(update={"segments": sorted(changed.segments, key=lambda piece: piece.start)})


def _piece(segment: Segment, segment_id: str, words: list[Word], start: float, end: float) -> Segment:
    text = as_text(word.word for word in words)
    return segment.model_copy(update={"id": segment_id, "text": text, "words": words, "start": start, "end": end})


def next_piece(known: Iterable[str], of: str) -> str:
    """``s3.2``, then ``s3.3``: whatever is split further, it remains known where it came from."""
    root = root_of(of)
    pieces = [match for one in known if (match := _PIECE.match(one)) and match[1] == root]
    return f"{root}.{1 + max((int(match[2] or 1) for match in pieces), default=1)}"


def root_of(piece: str) -> str:
    match = _PIECE.match(piece)
    return match[1] if match else piece


def merge_segments(transcript: Transcript, segment_id: str) -> Transcript:
    """The segment and the one behind it as one, said by the first one's speaker."""
    at = _find(transcript, segment_id)
    if at + 1 == len(transcript.segments):
        raise Refused("There is no segment behind this one.", "Merge the one before it instead.")
    first, second = transcript.segments[at : at + 2]
    merged = first.model_copy(
        update={
            "text": join_texts([first.text, second.text]),
            "words": [*first.words, *second.words] if first.words and second.words else None,
            "end": max(first.end, second.end),
        }
    )
    return _with(transcript, at, at + 2, [merged])


def replace_text(
    transcript: Transcript, find: str, replacement: str, *, match_case: bool, whole_words: bool
) -> tuple[Transcript, int]:
    """Every ``find`` within a segment replaced, and how many there were; a segment left without words goes."""
    wanted = " ".join(find.split())
    if not wanted:
        raise Refused("There is nothing to find.", "Give the words to replace.")
    pattern = re.escape(wanted)
    if whole_words:
        # Where words stand without blanks, none ends at the next letter.
        before = "" if has_no_blanks(wanted[0]) else r"(?<!\w)"
        after = "" if has_no_blanks(wanted[-1]) else r"(?!\w)"
        pattern = f"{before}{pattern}{after}"
    searched = re.compile(pattern, 0 if match_case else re.IGNORECASE)
    segments: list[Segment] = []
    count = 0
    for segment in transcript.segments:
        text, hits = searched.subn(lambda _: replacement, segment.text)
        count += hits
        if not hits:
            segments.append(segment)
        elif text.split():
            segments.append(rewrite(segment, text))
    return transcript.model_copy(update={"segments": segments}), count


def name_speaker(transcript: Transcript, speaker_id: str, name: str | None) -> Transcript:
    """``None`` takes the name away: the label is shown again. Another name than the profile's leaves the profile."""
    speaker = find_speaker(transcript, speaker_id)
    same = name is not None and name == speaker.name
    return _with_speaker(transcript, speaker_id, name, speaker.profile_id if same else None)


def identify_speaker(transcript: Transcript, speaker_id: str, profile_id: UUID, name: str) -> Transcript:
    """The speaker is the person of this profile, and is called as the profile is."""
    find_speaker(transcript, speaker_id)
    return _with_speaker(transcript, speaker_id, name, profile_id)


def release_speaker(transcript: Transcript, speaker_id: str) -> Transcript:
    """The speaker is not the person of their profile: its name goes with it."""
    speaker = find_speaker(transcript, speaker_id)
    return transcript if speaker.profile_id is None else _with_speaker(transcript, speaker_id, None, None)


def follow_profiles(transcript: Transcript, people: Mapping[UUID, tuple[UUID, str]]) -> Transcript:
    """Speakers are called as their profiles are; ``people``: profile to (what took its place or itself, name)."""
    speakers: list[Speaker] = []
    for speaker in transcript.speakers:
        person = people.get(speaker.profile_id) if speaker.profile_id is not None else None
        known = {"profile_id": person[0], "name": person[1]} if person else {}
        speakers.append(speaker.model_copy(update=known))
    return transcript.model_copy(update={"speakers": speakers})


def _with_speaker(transcript: Transcript, speaker_id: str, name: str | None, profile_id: UUID | None) -> Transcript:
    speakers = [
        speaker.model_copy(update={"name": name, "profile_id": profile_id}) if speaker.id == speaker_id else speaker
        for speaker in transcript.speakers
    ]
    return transcript.model_copy(update={"speakers": speakers})


def merge_speakers(transcript: Transcript, speaker_id: str, into: str) -> Transcript:
    """Everything that one speaker said was said by another."""
    find_speaker(transcript, speaker_id)
    if _known(transcript, into) == speaker_id:
        raise Refused("A speaker cannot be merged into itself.", "Name another speaker with `into`.")
    segments = [
        segment.model_copy(update={"speaker": into}) if segment.speaker == speaker_id else segment
        for segment in transcript.segments
    ]
    speakers = [speaker for speaker in transcript.speakers if speaker.id != speaker_id]
    return transcript.model_copy(update={"segments": segments, "speakers": speakers})


def same_text(one: Transcript, other: Transcript) -> bool:
    """Whether nothing would be new to anybody who reads one after the other."""
    return (one.segments, one.speakers, one.language) == (other.segments, other.speakers, other.language)


def _find(transcript: Transcript, segment_id: str) -> int:
    for at, segment in enumerate(transcript.segments):
        if segment.id == segment_id:
            return at
    raise NoSuch("There is no such segment in the newest revision.")


def find_speaker(transcript: Transcript, speaker_id: str) -> Speaker:
    """Raises NoSuch."""
    for speaker in transcript.speakers:
        if speaker.id == speaker_id:
            return speaker
    raise NoSuch("There is no such speaker in this recording.")


def _known(transcript: Transcript, speaker_id: str) -> str:
    ids = [speaker.id for speaker in transcript.speakers]
    if speaker_id not in ids:
        raise Refused(f"There is no speaker {speaker_id!r} in this recording.", f"Give one of: {', '.join(ids)}.")
    return speaker_id


def _with(transcript: Transcript, first: int, last: int, segments: list[Segment]) -> Transcript:
    changed = [*transcript.segments[:first], *segments, *transcript.segments[last:]]
    return transcript.model_copy(update={"segments": changed})
