"""Cuts a transcript into chunks that respect segments and sentences, each with the place and time of every word."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from common.spacing import blank_between
from common.transcript import Segment, Speaker, Transcript

from embedder.domain.alignment import TimedWord, timed_words
from embedder.domain.regrouping import Passage, find_held, share_evenly

# A sentence ends at its mark, with what closes after it, before white space; in Chinese and Japanese there is none.
_SENTENCE = re.compile(r"(?<=[.!?…])[\"'”’)\]]*\s+|(?<=[。！？])[\"'”’)\]」』）]*\s*")

CountTokens = Callable[[list[str]], list[int]]


@dataclass(frozen=True)
class ChunkSize:
    """In tokens of the embedding model: chunks are filled to ``target``; none is longer than ``limit``."""

    target: int
    limit: int


@dataclass(frozen=True)
class Line:
    """``text[start:end]`` of the chunk was said by ``speaker`` from ``from_seconds`` to ``to_seconds``."""

    start: int
    end: int
    from_seconds: float
    to_seconds: float
    speaker: str


@dataclass(frozen=True)
class Chunk:
    """A passage: offsets count code points of ``text``, times are seconds of the recording."""

    index: int
    text: str
    start_seconds: float
    end_seconds: float
    speaker: str
    speakers: frozenset[str]
    words: tuple[TimedWord, ...]
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class _Unit:
    """The smallest piece that is not cut: a sentence of one segment, or a part of one that is too long."""

    segment: int
    text: str
    speaker: str
    words: tuple[TimedWord, ...]
    tokens: int = 0


def chunk_transcript(
    transcript: Transcript, count_tokens: CountTokens, size: ChunkSize, held: Sequence[Passage] = ()
) -> list[Chunk]:
    """Chunks in the order of the recording. Text appears in exactly one chunk; nothing but white space is lost.

    ``held``: the chunks of an earlier revision in order; borders around what has not changed stay.
    """
    units = [unit for number, segment in enumerate(transcript.segments) for unit in _sentences(number, segment)]
    units = _cut_to_size(_counted(units, count_tokens), count_tokens, size)
    names = {speaker.id: speaker for speaker in transcript.speakers}
    groups = _regrouped(units, size, held) if held else _packed(units, size)
    return [_join(index, group, names) for index, group in enumerate(groups)]


def _sentences(number: int, segment: Segment) -> list[_Unit]:
    words = timed_words(segment)
    units: list[_Unit] = []
    begin = 0
    for cut in [*(match.end() for match in _SENTENCE.finditer(segment.text)), len(segment.text)]:
        inside = [word for word in words if begin <= word.start < cut]
        if inside:
            units.append(_unit(number, segment.speaker, segment.text, inside))
        begin = cut
    return units


def _unit(segment: int, speaker: str, text: str, words: Sequence[TimedWord]) -> _Unit:
    """The words' stretch of ``text``, with offsets counted from its own beginning."""
    first, last = words[0].start, words[-1].end
    moved = tuple(TimedWord(w.start - first, w.end - first, w.from_seconds, w.to_seconds) for w in words)
    return _Unit(segment, text[first:last], speaker, moved)


def _counted(units: list[_Unit], count_tokens: CountTokens) -> list[_Unit]:
    counts = count_tokens([unit.text for unit in units])
    return [
        _Unit(unit.segment, unit.text, unit.speaker, unit.words, tokens)
        for unit, tokens in zip(units, counts, strict=True)
    ]


def _cut_to_size(units: list[_Unit], count_tokens: CountTokens, size: ChunkSize) -> list[_Unit]:
    """Units over the target are halved until none is but single words; counted anew, for words differ in tokens."""
    while any(_is_long(unit, size) for unit in units):
        long = [half for unit in units if _is_long(unit, size) for half in _halves(unit)]
        halves = iter(_counted(long, count_tokens))
        units = [part for unit in units for part in ((next(halves), next(halves)) if _is_long(unit, size) else (unit,))]
    return units


def _is_long(unit: _Unit, size: ChunkSize) -> bool:
    return unit.tokens > size.target and len(unit.words) > 1


def _halves(unit: _Unit) -> tuple[_Unit, _Unit]:
    """Cut at the longest pause, away from its ends."""
    words = unit.words
    margin = len(words) // 4
    inner = range(max(1, margin), max(2, len(words) - margin))
    cut = max(inner, key=lambda i: (words[i].from_seconds - words[i - 1].to_seconds, -abs(i - len(words) / 2)))
    return (
        _unit(unit.segment, unit.speaker, unit.text, words[:cut]),
        _unit(unit.segment, unit.speaker, unit.text, words[cut:]),
    )


def _packed(units: list[_Unit], size: ChunkSize) -> list[list[_Unit]]:
    groups: list[list[_Unit]] = []
    filled = 0
    for unit in units:
        if groups and filled + unit.tokens <= size.target:
            groups[-1].append(unit)
            filled += unit.tokens
        else:
            groups.append([unit])
            filled = unit.tokens
    return _without_scrap(groups, size)


def _regrouped(units: list[_Unit], size: ChunkSize, held: Sequence[Passage]) -> list[list[_Unit]]:
    """Groups that were one chunk before stay one; what lies between is shared out anew."""
    groups: list[list[_Unit]] = []
    done = 0
    spans = find_held([Passage(unit.text, unit.words[0].from_seconds) for unit in units], held)
    for first, last in [*spans, (len(units), len(units))]:
        # Too little to say anything alone takes a neighbour along: the next chunk, or at the end the last one.
        loose = units[done:first]
        if _is_scrap(loose, size):
            loose = loose + units[first:last] if first < last else (groups.pop() if groups else []) + loose
            first = last
        if loose:
            tokens = [unit.tokens for unit in loose]
            groups += [loose[a:b] for a, b in share_evenly(tokens, size.target, size.limit)]
        if first < last:
            groups.append(units[first:last])
        done = last
    return groups


def _is_scrap(units: Sequence[_Unit], size: ChunkSize) -> bool:
    return bool(units) and sum(unit.tokens for unit in units) * 4 < size.target


def _without_scrap(groups: list[list[_Unit]], size: ChunkSize) -> list[list[_Unit]]:
    """A last chunk of a few words says little alone: it joins the one before where that has room."""
    if len(groups) > 1:
        last, before = (sum(unit.tokens for unit in group) for group in (groups[-1], groups[-2]))
        if last * 4 < size.target and last + before <= size.limit:
            return [*groups[:-2], groups[-2] + groups[-1]]
    return groups


def _join(index: int, units: list[_Unit], names: dict[str, Speaker]) -> Chunk:
    text = ""
    words: list[TimedWord] = []
    lines: list[Line] = []
    talk: Counter[str] = Counter()
    previous = -1
    for unit in units:
        text += blank_between(text, unit.text, one_sentence=unit.segment == previous)
        base = len(text)
        text += unit.text
        words += [TimedWord(w.start + base, w.end + base, w.from_seconds, w.to_seconds) for w in unit.words]
        speaker = _display(unit.speaker, names)
        talk[speaker] += len(unit.text)
        end, from_seconds, to_seconds = len(text), unit.words[0].from_seconds, unit.words[-1].to_seconds
        if unit.segment == previous:
            line = lines.pop()
            lines.append(Line(line.start, end, line.from_seconds, to_seconds, speaker))
        else:
            lines.append(Line(base, end, from_seconds, to_seconds, speaker))
        previous = unit.segment
    return Chunk(
        index,
        text,
        min(word.from_seconds for word in words),
        max(word.to_seconds for word in words),
        talk.most_common(1)[0][0],
        frozenset(alias for unit in units for alias in _aliases(unit.speaker, names)),
        tuple(words),
        tuple(lines),
    )


def _display(speaker_id: str, names: dict[str, Speaker]) -> str:
    speaker = names.get(speaker_id)
    return (speaker.name or speaker.label) if speaker else speaker_id


def _aliases(speaker_id: str, names: dict[str, Speaker]) -> set[str]:
    """Whatever a filter may call the speaker, without case."""
    speaker = names.get(speaker_id)
    known = [speaker_id, speaker.label, speaker.name] if speaker else [speaker_id]
    return {name.casefold() for name in known if name}
