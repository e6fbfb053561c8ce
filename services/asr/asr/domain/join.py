"""Joining what the parts gave into one transcript of sentence-like segments."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf
from uuid import UUID

from common.spacing import as_text, split_words
from common.transcript import Segment, Speaker, Transcript, Word

from asr.domain.attribution import number_speakers, numbered, talks_of
from asr.domain.casing import as_sentence, ends_sentence, is_bare, spellings
from asr.domain.retiming import spread
from asr.domain.voices import Turn
from asr.domain.warnings import ONE_SPEAKER_ONLY, warnings_for

ONE_SPEAKER = numbered(1)
# Between sentences people pause longer than this, within them rarely.
SENTENCE_PAUSE_SECONDS = 0.35
# Where the engine writes full stops, only a pause as long as this ends a segment that has none.
WRITTEN_PAUSE_SECONDS = 1.0
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
    warnings: Sequence[str] = ()


@dataclass(frozen=True)
class Speaking:
    """Who speaks when; ``warning`` where that was looked for and not found."""

    turns: tuple[Turn, ...] = ()
    warning: str | None = None


def join_parts(heading: Heading, parts: Sequence[Sequence[Word]], speaking: Speaking | None = None) -> Transcript:
    """The transcript of the parts that are recognised, in any order. ``speaking``: None where nobody looked."""
    words = [word for part in parts for word in part]
    talks = talks_of(words, speaking.turns if speaking else ())
    speakers = number_speakers(talks)
    bare = is_bare(heading.engine)
    segments = [
        segment
        for talk in talks
        for segment in join_words(talk.words, heading.key_terms, speaker=speakers[talk.voice], bare=bare)
    ]
    return Transcript(
        asset_id=heading.asset_id,
        revision=heading.revision,
        complete=heading.complete,
        language=heading.language,
        engine=heading.engine,
        duration_seconds=heading.duration_seconds,
        warnings=warnings_for(
            heading.engine,
            word_count=len(words),
            complete=heading.complete,
            one_speaker=speaking.warning if speaking else ONE_SPEAKER_ONLY if heading.diarize else None,
            told=heading.warnings,
        ),
        speakers=list(speakers.values()),
        segments=[s.model_copy(update={"id": f"s{number}"}) for number, s in enumerate(segments, 1)],
    )


def join_words(
    words: Iterable[Word], key_terms: Sequence[str] = (), *, speaker: Speaker = ONE_SPEAKER, bare: bool = True
) -> list[Segment]:
    """Segments of one speaker's words, ended by pauses; every word in exactly one of them, in order of time.

    ``bare``: from an engine that knows no sentences; else segments end where sentences do, and are left as written.
    """
    heard = sorted(words, key=lambda word: word.start)
    follow = [*(word.start for word in heard[1:]), inf]
    ordered = [part for word, until in zip(heard, follow, strict=False) for part in _parts(word, until)]
    sentences = [piece for run in _split(ordered, bare=bare) for piece in _shorten(run)]
    if bare:
        proper = spellings(key_terms)
        sentences = [as_sentence(sentence, proper) for sentence in sentences]
    return [_segment(number, sentence, speaker) for number, sentence in enumerate(sentences, 1)]


def _parts(word: Word, until: float) -> list[Word]:
    """A word as it is, or its characters where they are words; engines give any number of them together.

    None of them begins after ``until``, where the next word does.
    """
    written = split_words(word.word)
    if len(written) < 2:
        return [word]
    sure = {"probability": word.probability}
    return [part.model_copy(update=sure) for part in spread(written, word.start, min(word.end, until))]


def _segment(number: int, words: list[Word], speaker: Speaker) -> Segment:
    return Segment(
        id=f"s{number}",
        start=words[0].start,
        end=max(word.end for word in words),
        speaker=speaker.id,
        text=as_text(word.word for word in words),
        words=words,
    )


def _split(words: Sequence[Word], *, bare: bool) -> list[list[Word]]:
    pause = SENTENCE_PAUSE_SECONDS if bare else WRITTEN_PAUSE_SECONDS
    runs: list[list[Word]] = []
    for word in words:
        before = runs[-1][-1] if runs else None
        if before and word.start - before.end < pause and (bare or not ends_sentence(before.word)):
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
