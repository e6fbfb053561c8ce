"""Who speaks: what people said about voices, said again of the voices of a later recognition that talk at the same
times."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence

from common.transcript import Segment, Speaker, Transcript

from asr.domain.corrections import root_of
from asr.domain.splitting import another_speaker


def carry_speakers(base: Transcript, edited: Transcript, new: Transcript) -> tuple[Transcript, int]:
    """Names, and turns that were given to somebody else; with how many of those turns found no place."""
    heard = {segment.id: segment.speaker for segment in base.segments}
    moved = [
        segment for segment in edited.segments if heard.get(root_of(segment.id), segment.speaker) != segment.speaker
    ]
    moved_ids = {segment.id for segment in moved}
    voices = same_voices([segment for segment in edited.segments if segment.id not in moved_ids], new.segments)
    made = {speaker.id for speaker in edited.speakers} - {speaker.id for speaker in base.speakers}
    again = _found_or_made(new, [segment for segment in moved if segment.speaker in made], voices)
    given: dict[str, str] = {}
    carried: set[str] = set()
    for turn, segment, seconds in _overlaps(moved, new.segments):
        if turn.speaker in voices and 2 * seconds >= segment.end - segment.start:
            given[segment.id] = voices[turn.speaker]
            carried.add(turn.id)
    segments = [
        segment.model_copy(update={"speaker": given[segment.id]}) if segment.id in given else segment
        for segment in new.segments
    ]
    speakers = _named(edited.speakers, again, voices)
    talking = {segment.speaker for segment in segments}
    heard_anew = set[str]() if given else {speaker.id for speaker in new.speakers}
    speakers = [speaker for speaker in speakers if speaker.id in talking | heard_anew]
    return new.model_copy(update={"segments": segments, "speakers": speakers}), len(moved_ids - carried)


def _found_or_made(new: Transcript, moved: Sequence[Segment], voices: dict[str, str]) -> list[Speaker]:
    """The new speakers, and those whom people had told from a voice and the machine does again not: each is made
    beside the voice in which they are heard. ``voices`` learns whom each is; ``moved``: what they say."""
    speakers = list(new.speakers)
    together: defaultdict[str, defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))
    for turn, segment, seconds in _overlaps(moved, new.segments):
        together[turn.speaker][segment.speaker] += seconds
    for speaker_id, heard in sorted(together.items()):
        if speaker_id in voices:
            continue
        voice = max(sorted(heard), key=lambda one: heard[one])
        if voice in voices.values():
            speakers.append(another_speaker(speakers, voice))
            voice = speakers[-1].id
        voices[speaker_id] = voice
    return speakers


def same_voices(edited: Sequence[Segment], new: Sequence[Segment]) -> dict[str, str]:
    """Each speaker's voice in the new transcript: the one that talks most at the same times, and nobody else's."""
    together: defaultdict[tuple[str, str], float] = defaultdict(float)
    for one, other, seconds in _overlaps(edited, new):
        together[one.speaker, other.speaker] += seconds
    voices: dict[str, str] = {}
    for (speaker, voice), _ in sorted(together.items(), key=lambda item: -item[1]):
        if speaker not in voices and voice not in voices.values():
            voices[speaker] = voice
    return voices


def _named(edited: Sequence[Speaker], speakers: Sequence[Speaker], voices: dict[str, str]) -> list[Speaker]:
    person = {voices[speaker.id]: speaker for speaker in edited if speaker.id in voices}
    return [_as(speaker, person[speaker.id]) if speaker.id in person else speaker for speaker in speakers]


def _as(speaker: Speaker, person: Speaker) -> Speaker:
    known = {"name": person.name or speaker.name, "profile_id": person.profile_id or speaker.profile_id}
    return speaker.model_copy(update=known)


def _overlaps(ones: Sequence[Segment], others: Sequence[Segment]) -> Iterator[tuple[Segment, Segment, float]]:
    """Pairs that talk at the same time, and for how many seconds."""
    ordered = sorted(others, key=lambda segment: segment.start)
    starts = [segment.start for segment in ordered]
    longest = max((segment.end - segment.start for segment in ordered), default=0.0)
    for one in ones:
        for other in ordered[bisect_left(starts, one.start - longest) : bisect_left(starts, one.end)]:
            seconds = min(one.end, other.end) - max(one.start, other.start)
            if seconds > 0:
                yield one, other, seconds
