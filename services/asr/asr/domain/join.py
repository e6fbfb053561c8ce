"""Joining what the parts gave into one transcript of sentence-like segments."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from common.transcript import Segment, Speaker, Transcript, Word

from asr.domain.casing import as_sentence, spellings
from asr.domain.warnings import warnings_for

ONE_SPEAKER = Speaker(id="speaker_1", label="Speaker 1")
# Between sentences people pause longer than this, within them rarely.
SENTENCE_PAUSE_SECONDS = 0.35
LONGEST_SEGMENT_SECONDS = 20.0


@dataclass(frozen=True)
class Heading:
    """What a transcript says of itself beside its words; ``revision`` is 0 while it is not complete."""

    asset_id: UUID
    revision: int
    complete: bool
    language: str
    engine: str
    duration_seconds: float
    diarize: bool
    key_terms: Sequence[str]


def join_parts(heading: Heading, parts: Sequence[Sequence[Word]]) -> Transcript:
    """The transcript of the parts that are recognised, in any order."""
    words = [word for part in parts for word in part]
    return Transcript(
        asset_id=heading.asset_id,
        revision=heading.revision,
        complete=heading.complete,
        language=heading.language,
        engine=heading.engine,
        duration_seconds=heading.duration_seconds,
        warnings=warnings_for(
            heading.engine, word_count=len(words), complete=heading.complete, diarize=heading.diarize
        ),
        speakers=[ONE_SPEAKER] if words else [],
        segments=join_words(words, heading.key_terms),
    )


def join_words(
    words: Iterable[Word], key_terms: Sequence[str] = (), *, speaker: Speaker = ONE_SPEAKER
) -> list[Segment]:
    """Segments of one speaker's words, ended by pauses; every word in exactly one of them, in order of time."""
    proper = spellings(key_terms)
    ordered = sorted(words, key=lambda word: word.start)
    sentences = [as_sentence(piece, proper) for run in _split_at_pauses(ordered) for piece in _shorten(run)]
    return [_segment(number, sentence, speaker) for number, sentence in enumerate(sentences, 1)]


def _segment(number: int, words: list[Word], speaker: Speaker) -> Segment:
    return Segment(
        id=f"s{number}",
        start=words[0].start,
        end=max(word.end for word in words),
        speaker=speaker.id,
        text=" ".join(word.word for word in words),
        words=words,
    )


def _split_at_pauses(words: Sequence[Word]) -> list[list[Word]]:
    runs: list[list[Word]] = []
    for word in words:
        if runs and word.start - runs[-1][-1].end < SENTENCE_PAUSE_SECONDS:
            runs[-1].append(word)
        else:
            runs.append([word])
    return runs


def _shorten(words: list[Word]) -> list[list[Word]]:
    """Talk without pauses, divided at its longest gaps until every piece is short enough."""
    if len(words) < 2 or words[-1].end - words[0].start <= LONGEST_SEGMENT_SECONDS:
        return [words]
    quarter = max(1, len(words) // 4)
    cut = max(range(quarter, len(words) - quarter + 1), key=lambda at: words[at].start - words[at - 1].end)
    return _shorten(words[:cut]) + _shorten(words[cut:])
