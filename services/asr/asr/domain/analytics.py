"""Who spoke how much, how fast and over whom: figures of a transcript, from its times and words alone."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from common.spacing import split_words
from common.transcript import Segment, Speaker, Transcript

from asr.domain.spans import Span

# A spurt is a stretch of one speaker's talk without a pause of half a second, as in Shriberg, Stolcke and Baron,
# "Observations on overlap" (Eurospeech 2001).
_SPURT_PAUSE_SECONDS = 0.5
# Speakers change with a little overlap even where nobody is cut off, and word ends are no more exact than this.
_INTERRUPTING_OVERLAP_SECONDS = 0.3
# Whoever goes on after a longer silence that nobody used begins a new turn.
_TURN_PAUSE_SECONDS = 3.0


@dataclass(frozen=True)
class SpeakerFigures:
    """One speaker: ``share`` is of all speaking time, ``silence_seconds`` of the pauses within their own turns."""

    speaker: Speaker
    speaking_seconds: float
    share: float
    turn_count: int
    word_count: int
    words_per_minute: float
    longest_monologue_seconds: float
    interruption_count: int
    interrupted_count: int
    silence_seconds: float


@dataclass(frozen=True)
class Figures:
    """A recording: ``overlap_seconds`` is where at least two speak, ``silence_seconds`` where nobody does."""

    duration_seconds: float
    speech_seconds: float
    silence_seconds: float
    longest_silence_seconds: float
    overlap_seconds: float
    turn_count: int
    word_count: int
    speakers: list[SpeakerFigures]


@dataclass(frozen=True)
class _Talk:
    """What one speaker says: its segments, the time they cover, its turns and its spurts."""

    segments: list[Segment]
    covered: list[Span]
    turns: list[list[Segment]]
    spurts: list[Span]


def analyse(transcript: Transcript) -> Figures:
    """Speakers in the order of the transcript. Every figure is as good as the transcript's times and speakers."""
    segments = sorted(transcript.segments, key=lambda segment: (segment.start, segment.end))
    talks = {speaker.id: _talk(speaker.id, segments) for speaker in _speakers(transcript)}
    duration = max([transcript.duration_seconds, *(segment.end for segment in segments)])
    heard = cover(_spans(segments))
    spoken = sum(_seconds(talk.covered) for talk in talks.values())
    gaps = [after.start - before.end for before, after in pairwise([Span(0, 0), *heard, Span(duration, duration)])]
    return Figures(
        duration_seconds=round(duration, 3),
        speech_seconds=round(_seconds(heard), 3),
        silence_seconds=round(duration - _seconds(heard), 3),
        longest_silence_seconds=round(max(gaps), 3),
        overlap_seconds=round(_overlap_seconds([talk.covered for talk in talks.values()]), 3),
        turn_count=sum(len(talk.turns) for talk in talks.values()),
        word_count=sum(_words(talk.segments) for talk in talks.values()),
        speakers=[_figures(speaker, talks, spoken) for speaker in _speakers(transcript)],
    )


def cover(spans: Iterable[Span], pause: float = 0.0) -> list[Span]:
    """The time that spans cover, in order; those not more than ``pause`` apart become one."""
    covered: list[Span] = []
    for span in sorted(spans):
        if covered and span.start - covered[-1].end <= pause:
            covered[-1] = Span(covered[-1].start, max(covered[-1].end, span.end))
        else:
            covered.append(span)
    return covered


def turns_of(segments: Sequence[Segment]) -> list[list[Segment]]:
    """Consecutive segments of one speaker, ended when another begins or by a long silence.

    ``segments`` of all speakers, in order of their start.
    """
    turns: list[list[Segment]] = []
    for segment in segments:
        last = turns[-1] if turns else None
        if last and last[-1].speaker == segment.speaker and segment.start - _end(last) <= _TURN_PAUSE_SECONDS:
            last.append(segment)
        else:
            turns.append([segment])
    return turns


def interruptions(interrupter: Sequence[Span], interrupted: Sequence[Span]) -> int:
    """How often one begins to speak within a spurt of the other and goes on while the other falls silent.

    Amazon Transcribe Call Analytics names it so: one participant cuts off another midsentence. Words of agreement
    while the other goes on, and the overlap of an ordinary change of speakers, are none. Both in order of time.
    """
    count = first = 0
    for own in interrupter:
        while first < len(interrupted) and interrupted[first].end <= own.start:
            first += 1
        if first < len(interrupted):
            other = interrupted[first]
            cut_off = other.start < own.start and other.end < own.end
            count += cut_off and other.end - own.start >= _INTERRUPTING_OVERLAP_SECONDS
    return count


def _speakers(transcript: Transcript) -> list[Speaker]:
    listed = {speaker.id: speaker for speaker in transcript.speakers}
    found = {segment.speaker: Speaker(id=segment.speaker, label=segment.speaker) for segment in transcript.segments}
    return list((listed | {key: speaker for key, speaker in found.items() if key not in listed}).values())


def _talk(speaker_id: str, segments: Sequence[Segment]) -> _Talk:
    own = [segment for segment in segments if segment.speaker == speaker_id]
    turns = [turn for turn in turns_of(segments) if turn[0].speaker == speaker_id]
    return _Talk(own, cover(_spans(own)), turns, cover(_spans(own), _SPURT_PAUSE_SECONDS))


def _figures(speaker: Speaker, talks: dict[str, _Talk], spoken: float) -> SpeakerFigures:
    own = talks[speaker.id]
    others = [talk.spurts for key, talk in talks.items() if key != speaker.id]
    seconds, words = _seconds(own.covered), _words(own.segments)
    lengths = [_end(turn) - turn[0].start for turn in own.turns]
    within_turns = sum(lengths) - sum(_seconds(cover(_spans(turn))) for turn in own.turns)
    return SpeakerFigures(
        speaker=speaker,
        speaking_seconds=round(seconds, 3),
        share=round(seconds / spoken, 4) if spoken else 0.0,
        turn_count=len(own.turns),
        word_count=words,
        words_per_minute=round(words * 60 / seconds, 1) if seconds else 0.0,
        longest_monologue_seconds=round(max(lengths, default=0.0), 3),
        interruption_count=sum(interruptions(own.spurts, spurts) for spurts in others),
        interrupted_count=sum(interruptions(spurts, own.spurts) for spurts in others),
        silence_seconds=round(within_turns, 3),
    )


def _overlap_seconds(voices: Sequence[Sequence[Span]]) -> float:
    """The time in which at least two of the voices speak."""
    edges = sorted(edge for spans in voices for span in spans for edge in ((span.start, 1), (span.end, -1)))
    total, speaking = 0.0, 0
    for (at, change), (following, _) in pairwise(edges):
        speaking += change
        total += following - at if speaking > 1 else 0.0
    return total


def _spans(segments: Iterable[Segment]) -> list[Span]:
    return [Span(segment.start, segment.end) for segment in segments]


def _seconds(spans: Iterable[Span]) -> float:
    return sum(span.seconds for span in spans)


def _end(turn: Sequence[Segment]) -> float:
    return max(segment.end for segment in turn)


def _words(segments: Iterable[Segment]) -> int:
    return sum(len(split_words(segment.text)) for segment in segments)
